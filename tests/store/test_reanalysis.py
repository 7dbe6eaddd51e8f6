"""What is to be analyzed again and why, and how it comes into the queue."""

from __future__ import annotations

import dataclasses

import pytest

from imgd.domain import Outcome, Priority, RunMode, StoredFinding
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.findings import commit
from imgd.store.photos import mark_missing, register
from imgd.store.reanalysis import (
    Reason,
    Stale,
    count_stale,
    count_stale_of,
    owe_again,
    owe_earlier,
    owe_lacking,
    owe_photos,
    share_with_preview,
    stretches,
)
from imgd.store.statements import load_statements

FACES = AnalyzerDeclaration("faces", "1", "")
REQUESTED = dataclasses.replace(FACES, run=RunMode.REQUEST)


class Shelf:
    """Ten photos, and an analyzer `faces` in the mode that the test wants."""

    def __init__(self, library, root, seen):
        self.library = library
        self.write = library.write
        self.declare(FACES)
        files = [seen(f"{number}.jpg") for number in range(10)]
        library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))

    def declare(self, declaration):
        self.row = self.write(lambda c: synchronise(c, [declaration]))["faces"]

    def find(self, *photos):
        outcomes = [Outcome(each, self.row.id, self.revision(each), StoredFinding()) for each in photos]
        self.write(lambda c: commit(c, [], outcomes, 2.0))

    def fail(self, *photos):
        outcomes = [Outcome(each, self.row.id, self.revision(each), reason="bad") for each in photos]
        self.write(lambda c: commit(c, [], outcomes, 2.0))

    def revision(self, photo):
        return self.library.value("SELECT revision FROM photos WHERE id = ?", photo)

    def count(self, *, again=False, photos=None):
        with self.library.database.snapshot() as connection:
            if photos is None:
                return count_stale(connection, self.row, again=again)
            return count_stale_of(connection, self.row, photos, again=again)

    def reasons(self, **options):
        return self.count(**options).reasons

    def jobs(self):
        return self.library.rows(
            "SELECT photo_id, priority, state FROM jobs WHERE analyzer_id = ? ORDER BY photo_id", self.row.id
        )


@pytest.fixture
def shelf(library, root, seen):
    return Shelf(library, root, seen)


def test_what_is_owed_is_told_by_its_reasons_and_what_failed_is_left_out(shelf):
    shelf.find(1, 2, 3, 4)
    shelf.fail(5)
    shelf.declare(dataclasses.replace(FACES, digest="other"))
    shelf.find(1)
    shelf.fail(2, 6)
    stale = shelf.count()
    assert dataclasses.replace(stale, sample=()) == Stale(
        photos=7, queued=7, reasons={Reason.SETTINGS: 2, Reason.NEVER: 5}, failed=2
    )
    assert set(stale.sample) == {3, 4, 5, 7, 8, 9, 10}
    shelf.declare(dataclasses.replace(FACES, version="2", digest="other"))
    assert shelf.reasons() == {Reason.VERSION: 4, Reason.NEVER: 6}


def test_findings_that_read_older_ones_are_told_as_such(shelf):
    shelf.find(*range(1, 11))
    shelf.write(lambda c: c.execute("UPDATE findings SET generation = 0 WHERE photo_id < 3"))
    shelf.write(
        lambda c: c.executemany(
            "INSERT INTO jobs VALUES (?, ?, 30, 'owed', 0, 0, '')", [(1, shelf.row.id), (2, shelf.row.id)]
        )
    )
    assert shelf.reasons() == {Reason.READS: 2}


def test_a_changed_file_is_a_reason(shelf, root, seen):
    shelf.find(*range(1, 11))
    changed = seen("3.jpg")._replace(size_bytes=99)
    shelf.write(lambda c: register(c, root, [changed], now=3.0, priority=Priority.EVENT, moved=None))
    assert shelf.reasons() == {Reason.OTHER: 1}
    assert shelf.reasons(photos=[1, 4]) == {Reason.CHANGED: 1}


def test_all_that_an_analyzer_found_can_be_made_anew(shelf):
    shelf.find(1, 2, 3)
    shelf.fail(4)
    assert shelf.reasons(again=True) == {Reason.ASKED: 3, Reason.NEVER: 7}
    for stretch in shelf.write(stretches):
        shelf.write(lambda c, stretch=stretch: owe_again(c, shelf.row, stretch, int(Priority.REANALYSIS)))
    jobs = shelf.jobs()
    assert jobs[:5] == [(1, 30, "owed"), (2, 30, "owed"), (3, 30, "owed"), (4, 30, "owed"), (5, 20, "owed")]
    assert len(jobs) == 10
    assert shelf.library.value("SELECT COUNT(*) FROM findings WHERE analyzer_id = ?", shelf.row.id) == 3
    assert shelf.reasons() == {Reason.NEVER: 7, Reason.OTHER: 3}


def test_missing_photos_are_not_counted_and_not_owed(shelf):
    shelf.find(1, 2)
    shelf.write(lambda c: mark_missing(c, [1, 10], 1.0))
    assert shelf.reasons() == {Reason.NEVER: 7}
    assert shelf.count().queued == 7
    assert shelf.reasons(again=True) == {Reason.ASKED: 1, Reason.NEVER: 7}
    assert shelf.reasons(photos=[1, 2, 10], again=True) == {Reason.ASKED: 1}
    (stretch,) = shelf.write(stretches)
    assert shelf.write(lambda c: owe_again(c, shelf.row, stretch, 30)) == 8


def test_on_request_what_was_asked_for_and_earlier_findings_count(shelf):
    shelf.declare(REQUESTED)
    shelf.find(1, 2, 3)
    assert shelf.count() == Stale(0, 0, {})
    shelf.write(lambda c: owe_photos(c, shelf.row, [3, 4, 5], int(Priority.REQUEST), again=False))
    assert shelf.jobs() == [(4, 5, "owed"), (5, 5, "owed")]
    assert shelf.reasons() == {Reason.NEVER: 2}
    shelf.declare(dataclasses.replace(REQUESTED, version="2"))
    stale = shelf.count()
    assert (stale.photos, stale.queued, stale.reasons) == (5, 2, {Reason.VERSION: 3, Reason.NEVER: 2})
    assert shelf.write(lambda c: owe_earlier(c, shelf.row, int(Priority.REANALYSIS))) == 3
    assert shelf.count().queued == 5
    assert shelf.jobs()[0] == (1, 30, "owed")


def test_on_request_only_what_was_ever_asked_for_is_made_anew(shelf):
    shelf.declare(REQUESTED)
    shelf.find(1, 2)
    shelf.write(lambda c: owe_photos(c, shelf.row, [9], int(Priority.REQUEST), again=False))
    assert shelf.reasons(again=True) == {Reason.ASKED: 2, Reason.NEVER: 1}
    (stretch,) = shelf.write(stretches)
    assert shelf.write(lambda c: owe_again(c, shelf.row, stretch, int(Priority.REANALYSIS))) == 3
    assert shelf.jobs() == [(1, 30, "owed"), (2, 30, "owed"), (9, 5, "owed")]


def test_photos_that_are_named_are_told_one_by_one(shelf):
    shelf.find(1, 2)
    shelf.fail(3)
    assert shelf.reasons(photos=[1, 3, 4]) == {Reason.NEVER: 1}
    assert shelf.count(photos=[1, 3, 4]).failed == 1
    assert shelf.reasons(photos=[1, 3, 4], again=True) == {Reason.ASKED: 1, Reason.NEVER: 2}
    assert shelf.write(lambda c: owe_photos(c, shelf.row, [1, 3, 4], 30, again=True)) == 3
    assert shelf.jobs()[:3] == [(1, 30, "owed"), (3, 30, "owed"), (4, 20, "owed")]


def test_all_that_lack_a_current_finding_are_owed(shelf):
    shelf.declare(REQUESTED)
    shelf.find(1, 2)
    (stretch,) = shelf.write(stretches)
    assert shelf.write(lambda c: owe_lacking(c, shelf.row, stretch, int(Priority.SCAN))) == 8
    assert [photo for photo, _, _ in shelf.jobs()] == list(range(3, 11))


def test_of_many_photos_some_are_looked_at_and_the_counts_are_told_as_estimates(shelf, monkeypatch):
    monkeypatch.setattr("imgd.store.reanalysis._MOST_LOOKED_AT", 5)
    stale = shelf.count(photos=list(range(1, 11)))
    assert stale.estimated
    assert stale.reasons == {Reason.NEVER: 10}


def test_a_sample_has_photos_of_every_group_in_their_proportion(shelf, monkeypatch):
    monkeypatch.setattr("imgd.store.reanalysis._SAMPLE", 9)
    shelf.write(lambda c: c.execute("UPDATE jobs SET priority = 5 WHERE photo_id = 7"))
    assert len(shelf.count().sample) == 9
    assert set(shelf.count().sample) <= set(range(1, 11))


def test_previews_stand_in_where_they_are_current_and_not_of_a_first_analysis(shelf):
    shelf.find(1, 2, 3)
    shelf.write(lambda c: c.execute("UPDATE photos SET width = 10, height = 10"))

    def share(now):
        with shelf.library.database.read() as connection:
            return share_with_preview(connection, [1, 2, 5, 6], "faces", now)

    assert share(now=10_000.0) == 0.5
    assert share(now=10.0) == 0.0
    shelf.write(lambda c: c.execute("UPDATE photos SET revision = 2 WHERE id = 1"))
    assert share(now=10_000.0) == 0.25


def test_counting_and_putting_into_the_queue_go_along_indexes(shelf):
    sql = load_statements("imgd.store", "reanalysis")
    values = {"analyzer": 1, "group": 20, "starts": "[5]", "photos": "[1]", "first": 1, "last": 9, "priority": 30}
    values |= {"limit": 9, "previewer": "preview", "before": 0.0}

    def plan(name):
        with shelf.library.database.read() as connection:
            statement = f"EXPLAIN QUERY PLAN {sql[name]}"
            given = (1,) * sql[name].count("?") or values
            return [row[3] for row in connection.execute(statement, given)]

    assert plan("found_earlier") == [
        "SEARCH findings USING COVERING INDEX findings_by_analyzer (analyzer_id=? AND generation<?)"
    ]
    assert plan("found_now") == [
        "SEARCH findings USING COVERING INDEX findings_by_analyzer (analyzer_id=? AND generation=?)"
    ]
    assert plan("owed") == ["SEARCH jobs USING COVERING INDEX jobs_owed (analyzer_id=?)"]
    assert any("SEARCH jobs USING COVERING INDEX jobs_owed" in step for step in plan("owed_from"))
    assert any("SEARCH findings USING COVERING INDEX findings_by_analyzer" in step for step in plan("found_from"))
    assert any("jobs_failed" in step for step in plan("failed"))
    for name in ("found_of_missing", "owed_of_missing"):
        assert "photos_missing" in plan(name)[0]
    assert any("findings_by_analyzer" in step for step in plan("owe_earlier"))
    assert not any(step.startswith("SCAN") for step in plan("present_between"))
    for name in ("known", "lacking", "owe", "photos_by_finding", "with_preview", "present_from"):
        scanned = [step for step in plan(name) if step.startswith("SCAN")]
        assert all("VIRTUAL TABLE" in step or "analyzers" in step for step in scanned), name
