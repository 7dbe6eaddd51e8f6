"""An analyzer that reads another one's findings owes its own anew once those are newer."""

from __future__ import annotations

import pytest

from imgd.domain import Outcome, Priority, StoredFinding, Text
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.findings import commit
from imgd.store.jobs import QueuePosition, read_owed
from imgd.store.photos import register
from imgd.store.sidecars import commit_sidecars, compare_sidecars

METADATA = AnalyzerDeclaration("metadata", "1", "")
CAPTION = AnalyzerDeclaration("caption", "1", "")
READER = AnalyzerDeclaration("reader", "1", "", after=("metadata", "caption", "caption"))
ALL = (METADATA, CAPTION, READER)


@pytest.fixture
def ids(library, root, seen):
    rows = library.write(lambda c: synchronise(c, ALL))
    files = [seen(f"{number}.jpg") for number in range(3)]
    library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))
    return {name: row.id for name, row in rows.items()}


@pytest.fixture
def analyze(library, ids):
    """Commits findings of photos, or failures, by analyzer name; returns how many jobs became owed by it."""

    def run(*analyzers, photos=(1, 2, 3), failing=()):
        outcomes = [
            Outcome(
                photo,
                ids[name],
                library.value("SELECT revision FROM photos WHERE id = ?", photo),
                None if name in failing else StoredFinding(texts=[Text("caption", name)]),
                "bad" if name in failing else "",
            )
            for photo in photos
            for name in analyzers
        ]
        return library.write(lambda c: commit(c, [], outcomes, 2.0)).owed

    return run


def jobs(library, analyzer="reader"):
    return library.rows(
        "SELECT photo_id, priority, state FROM jobs JOIN analyzers ON analyzers.id = analyzer_id WHERE name = ?"
        " ORDER BY photo_id",
        analyzer,
    )


@pytest.mark.parametrize("commits", [["metadata caption reader"], ["metadata", "caption", "reader"]])
def test_a_first_analysis_in_its_order_owes_nothing_twice(library, analyze, commits):
    assert [analyze(*names.split()) for names in commits] == [0] * len(commits)
    assert library.rows("SELECT * FROM jobs") == []
    assert library.rows("SELECT DISTINCT generation FROM findings") == [(1,)]


def test_a_finding_that_comes_later_owes_its_readers_and_theirs_serve_until_then(library, analyze):
    analyze("metadata", "reader")
    assert analyze("caption", photos=(1, 3)) == 2
    assert jobs(library) == [(1, 20, "owed"), (3, 20, "owed")]
    assert library.value("SELECT COUNT(*) FROM texts WHERE text = 'reader'") == 3
    assert analyze("reader", photos=(1, 3)) == 0
    assert jobs(library) == []
    assert library.rows("SELECT DISTINCT generation FROM findings") == [(1,)]


def test_a_newer_version_owes_its_readers_photo_by_photo(library, ids, analyze):
    analyze("metadata", "caption", "reader")
    library.write(lambda c: synchronise(c, [METADATA, AnalyzerDeclaration("caption", "2", ""), READER]))
    assert jobs(library) == []
    assert analyze("caption", photos=(2,)) == 1
    assert jobs(library) == [(2, 30, "owed")]


def test_readers_of_a_new_analyzer_do_not_wait_for_the_end_of_its_queue(library, ids, analyze):
    analyze("metadata", "reader")
    analyze("caption", photos=(1,))
    with library.database.read() as connection:
        page = read_owed(connection, ids.values(), QueuePosition(), limit=10, now=3.0)
    assert [(each.photo_id, [job.analyzer_id for job in each.jobs]) for each in page.photos] == [
        (1, [ids["reader"]]),
        (2, [ids["caption"]]),
        (3, [ids["caption"]]),
    ]


def test_who_asks_for_what_is_read_has_not_asked_for_its_readers(library, ids, analyze):
    analyze("metadata", "reader")
    library.write(lambda c: c.execute("UPDATE jobs SET priority = ?", (int(Priority.REQUEST),)))
    assert analyze("caption", photos=(2,)) == 1
    assert jobs(library) == [(2, int(Priority.EVENT), "owed")]


def test_of_two_findings_the_more_urgent_one_says_how_soon_they_are_read(library, ids, analyze):
    analyze("metadata", "caption", "reader")
    owed = "INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (1, ?, ?)"
    library.write(lambda c: c.executemany(owed, [(ids["metadata"], 30), (ids["caption"], 10)]))
    assert analyze("metadata", "caption", photos=(1,)) == 1
    assert jobs(library) == [(1, 10, "owed")]


def test_what_is_owed_already_stays_as_urgent_as_it_is(library, root, seen, analyze):
    analyze("metadata", "caption", "reader")
    changed = seen("0.jpg", size=99)
    library.write(lambda c: register(c, root, [changed], now=2.0, priority=Priority.EVENT, moved=None))
    assert analyze("metadata", photos=(1,)) == 0
    assert jobs(library) == [(1, 10, "owed")]


def test_a_sidecar_reaches_whoever_reads_what_is_read_of_it(library, ids, seen, analyze):
    analyze("metadata", "caption", "reader")
    with library.database.read() as connection:
        changes = compare_sidecars(connection, 1, [seen("1.xmp")])
    library.write(lambda c: commit_sidecars(c, changes, [ids["metadata"]], Priority.EVENT))
    assert jobs(library) == []
    assert analyze("metadata", photos=(2,)) == 1
    assert jobs(library) == [(2, 10, "owed")]


def test_whoever_failed_tries_again_at_the_newer_finding_and_only_then(library, analyze):
    assert analyze("metadata", "reader", photos=(1,), failing=("reader",)) == 0
    assert jobs(library) == [(1, 20, "failed"), (2, 20, "owed"), (3, 20, "owed")]
    assert analyze("caption", photos=(1,)) == 1
    assert jobs(library)[0] == (1, 20, "owed")


def test_a_failure_owes_no_reader_anything(library, analyze):
    analyze("metadata", "reader")
    assert analyze("caption", failing=("caption",)) == 0
    assert jobs(library) == []


def test_one_that_was_away_owes_what_has_become_stale_meanwhile(library, analyze):
    analyze("metadata", "caption", "reader")
    library.write(lambda c: synchronise(c, [METADATA, CAPTION]))
    assert analyze("caption", photos=(2,)) == 0
    assert jobs(library) == []
    library.write(lambda c: synchronise(c, ALL))
    assert jobs(library) == [(2, 20, "owed")]


def test_one_that_reads_no_longer_owes_no_longer(library, analyze):
    analyze("metadata", "reader")
    library.write(lambda c: synchronise(c, [METADATA, CAPTION, AnalyzerDeclaration("reader", "1", "")]))
    assert analyze("caption", "metadata") == 0
    assert jobs(library) == []
