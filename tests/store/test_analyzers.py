"""Which photos owe what after the installed analyzers change."""

from __future__ import annotations

import dataclasses

import pytest

from imgd.domain import Outcome, Priority, RunMode, StoredFinding
from imgd.store.analyzers import AnalyzerDeclaration, read_analyzers, synchronise
from imgd.store.findings import commit
from imgd.store.photos import mark_missing, register

METADATA = AnalyzerDeclaration("metadata", "1", "")
TECHNICAL = AnalyzerDeclaration("technical", "1", "")
FACES = AnalyzerDeclaration("faces", "1", "")


@pytest.fixture
def photos(library, root, seen):
    files = [seen(f"{number}.jpg") for number in range(3)]
    library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))
    return files


def declare(library, *declared):
    return library.write(lambda c: synchronise(c, declared))


def analyze(library, analyzer_id, *photo_ids):
    outcomes = [
        Outcome(id_, analyzer_id, library.value("SELECT revision FROM photos WHERE id = ?", id_), StoredFinding())
        for id_ in photo_ids
    ]
    library.write(lambda c: commit(c, [], outcomes, 2.0))


def jobs(library, analyzer_id):
    return library.rows(
        "SELECT photo_id, priority, state FROM jobs WHERE analyzer_id = ? ORDER BY photo_id", analyzer_id
    )


def test_a_new_analyzer_owes_every_present_photo(library, photos):
    library.write(lambda c: mark_missing(c, [2], 1.0))
    rows = declare(library, METADATA, TECHNICAL, FACES)
    assert jobs(library, rows["faces"].id) == [(1, 20, "owed"), (3, 20, "owed")]


def test_declaring_the_same_again_changes_nothing(library, photos):
    analyze(library, 1, 1, 2)
    library.write(lambda c: c.execute("UPDATE jobs SET state = 'failed' WHERE photo_id = 3"))
    before = library.rows("SELECT * FROM jobs"), library.rows("SELECT * FROM analyzers")
    declare(library, METADATA, TECHNICAL)
    assert (library.rows("SELECT * FROM jobs"), library.rows("SELECT * FROM analyzers")) == before


@pytest.mark.parametrize("change", [{"version": "2"}, {"digest": "other"}])
def test_another_version_or_other_settings_owe_again_at_low_priority_and_keep_the_findings(
    library, photos, change
):
    analyze(library, 1, 1, 2)
    rows = declare(library, dataclasses.replace(METADATA, **change), TECHNICAL)
    assert rows["metadata"].generation == 2
    assert rows["technical"].generation == 1
    # Photo 3 was never analyzed and goes on owing its first finding as soon as before.
    assert jobs(library, 1) == [(1, 30, "owed"), (2, 30, "owed"), (3, 20, "owed")]
    assert library.rows("SELECT photo_id, generation FROM findings") == [(1, 1), (2, 1)]


def test_a_new_version_owes_what_failed_under_the_old_one(library, photos):
    library.write(
        lambda c: commit(
            c, [], [Outcome(1, 1, 1, reason="bad"), Outcome(2, 1, 1, reason="full", retry_in_s=60.0)], 2.0
        )
    )
    declare(library, AnalyzerDeclaration("metadata", "2", ""), TECHNICAL)
    assert library.rows(
        "SELECT photo_id, state, attempts, not_before, reason FROM jobs WHERE analyzer_id = 1"
    ) == [(number, "owed", 0, 0.0, "") for number in (1, 2, 3)]


def test_an_analyzer_that_is_away_loses_its_owed_jobs_only(library, photos):
    analyze(library, 2, 1)
    library.write(lambda c: commit(c, [], [Outcome(2, 2, 1, reason="bad")], 2.0))
    rows = declare(library, METADATA)
    assert set(rows) == {"metadata"}
    assert jobs(library, 2) == [(2, 20, "failed")]
    assert len(jobs(library, 1)) == 3
    assert library.rows("SELECT photo_id FROM findings") == [(1,)]
    stored = library.write(read_analyzers)
    assert [(row.name, row.active) for row in stored] == [("metadata", True), ("technical", False)]


def test_an_analyzer_that_is_back_owes_only_what_lacks_a_current_finding(library, photos):
    analyze(library, 2, 1)
    declare(library, METADATA)
    declare(library, METADATA, TECHNICAL)
    assert jobs(library, 2) == [(2, 20, "owed"), (3, 20, "owed")]


def test_an_analyzer_that_is_back_in_another_version_owes_everything(library, photos):
    analyze(library, 2, 1)
    declare(library, METADATA)
    rows = declare(library, METADATA, AnalyzerDeclaration("technical", "2", ""))
    assert rows["technical"].generation == 2
    assert [photo_id for photo_id, _, _ in jobs(library, 2)] == [1, 2, 3]


def test_a_photo_that_changed_while_an_analyzer_was_away_owes_it_a_finding(library, root, photos):
    analyze(library, 2, 1, 2, 3)
    declare(library, METADATA)
    changed = photos[0]._replace(size_bytes=99)
    library.write(lambda c: register(c, root, [changed], now=2.0, priority=Priority.EVENT, moved=None))
    declare(library, METADATA, TECHNICAL)
    assert jobs(library, 2) == [(1, 20, "owed")]


ON_REQUEST = AnalyzerDeclaration("faces", "1", "", RunMode.REQUEST)


def ask(library, analyzer_id, *photo_ids):
    rows = [(photo_id, analyzer_id, int(Priority.REQUEST)) for photo_id in photo_ids]
    library.write(
        lambda c: c.executemany("INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (?, ?, ?)", rows)
    )


def test_photos_owe_nothing_by_themselves_to_an_analyzer_that_runs_on_request(library, root, photos, seen):
    rows = declare(library, METADATA, TECHNICAL, ON_REQUEST)
    assert rows["faces"].run is RunMode.REQUEST
    library.write(lambda c: mark_missing(c, [1], 1.0))
    files = [photos[0], photos[1]._replace(size_bytes=99), seen("new.jpg")]  # back, changed, new
    library.write(lambda c: register(c, root, files, now=2.0, priority=Priority.EVENT, moved=None))
    assert jobs(library, rows["faces"].id) == []
    assert len(jobs(library, rows["metadata"].id)) == 4


def test_what_was_asked_for_stays_owed_over_starts_and_new_versions(library, photos):
    faces = declare(library, METADATA, TECHNICAL, ON_REQUEST)["faces"].id
    ask(library, faces, 2)
    declare(library, METADATA, TECHNICAL, ON_REQUEST)
    rows = declare(library, METADATA, TECHNICAL, dataclasses.replace(ON_REQUEST, version="2"))
    assert rows["faces"].generation == 2
    assert jobs(library, faces) == [(2, 5, "owed")]


def test_a_changed_file_owes_again_what_was_asked_for_and_failed(library, root, photos):
    faces = declare(library, METADATA, TECHNICAL, ON_REQUEST)["faces"].id
    ask(library, faces, 1)
    library.write(lambda c: commit(c, [], [Outcome(1, faces, 1, reason="bad")], 2.0))
    files = [each._replace(size_bytes=99) for each in photos]
    library.write(lambda c: register(c, root, files, now=2.0, priority=Priority.EVENT, moved=None))
    assert jobs(library, faces) == [(1, 5, "owed")]


def test_an_analyzer_that_runs_on_request_from_now_on_keeps_its_findings_alone(library, photos):
    faces = declare(library, METADATA, TECHNICAL, FACES)["faces"].id
    analyze(library, faces, 1)
    declare(library, METADATA, TECHNICAL, ON_REQUEST)
    assert jobs(library, faces) == []
    assert library.rows("SELECT photo_id FROM findings WHERE analyzer_id = ?", faces) == [(1,)]


@pytest.mark.parametrize("run", [RunMode.ALWAYS, RunMode.IDLE])
def test_an_analyzer_that_ran_on_request_owes_what_is_left_once_it_does_not(library, photos, run):
    faces = declare(library, METADATA, TECHNICAL, ON_REQUEST)["faces"].id
    analyze(library, faces, 1)
    declare(library, METADATA, TECHNICAL, dataclasses.replace(FACES, run=run))
    assert jobs(library, faces) == [(2, 20, "owed"), (3, 20, "owed")]


def test_an_analyzer_that_waits_for_idleness_owes_what_it_did_before(library, photos):
    before = jobs(library, 1)
    rows = declare(library, dataclasses.replace(METADATA, run=RunMode.IDLE), TECHNICAL)
    assert rows["metadata"].run is RunMode.IDLE
    assert jobs(library, 1) == before


def test_each_generation_is_remembered_with_what_made_it(library, photos):
    faces = declare(library, METADATA, TECHNICAL, FACES)["faces"].id
    declare(library, METADATA, TECHNICAL, dataclasses.replace(FACES, digest="other"))
    declare(library, METADATA, TECHNICAL, AnalyzerDeclaration("faces", "2", "other"))
    assert library.rows(
        "SELECT generation, version, digest FROM generations WHERE analyzer_id = ? ORDER BY generation", faces
    ) == [(1, "1", ""), (2, "1", "other"), (3, "2", "other")]
