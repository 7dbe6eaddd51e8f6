"""What a commit stores, what it replaces, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import sqlite3

import numpy as np
import pytest

from imgd.domain import (
    Decoded,
    DecodeReport,
    FileStat,
    Outcome,
    Priority,
    Region,
    StoredFinding,
    StoredVector,
    Tag,
    Text,
)
from imgd.store.changes import newest_change_seq
from imgd.store.findings import commit, read_findings, read_paths
from imgd.store.photos import register

METADATA, TECHNICAL = 1, 2
TABLES = ("facts", "texts", "tags", "regions", "vectors")


def vector(*values, space="toy:2", region=None):
    return StoredVector(space, np.array(values, np.float16).tobytes(), region)


FULL = StoredFinding(
    facts={"sharpness": 0.5, "words": ["a", {"b": None}], "camera": "X100"},
    filterable=[("sharpness", 0.5, None), ("camera", None, "X100")],
    texts=[Text("caption", "a dog"), Text("text", "EXIT")],
    tags=[Tag("dog", 0.9), Tag("animal", 0.4)],
    regions=[Region("object", (0.1, 0.2, 0.3, 0.4), "dog", 0.9, ((0.1, 0.2), (0.3, 0.4)), 0.7)],
    vectors=[vector(1, 0), vector(0, 1, region=0)],
)


@pytest.fixture
def photos(library, root, seen):
    files = [seen(f"{number}.jpg", b"trip") for number in range(3)]
    library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))
    return files


def put(library, *outcomes, decoded=(), now=100.0):
    return library.write(lambda c: commit(c, decoded, outcomes, now))


def counts(library):
    return {table: library.value(f"SELECT COUNT(*) FROM {table}") for table in TABLES}


def change_seq(library):
    return library.write(newest_change_seq)


def owed(library, analyzer=TECHNICAL):
    return [row[0] for row in library.rows("SELECT photo_id FROM jobs WHERE analyzer_id = ?", analyzer)]


def test_a_finding_is_stored_with_all_its_parts_and_its_job_is_done(library, photos):
    outcome = Outcome(1, TECHNICAL, 1, FULL)
    committed = put(library, outcome)
    assert committed.counted == (outcome,)
    assert committed.dropped == ()
    assert owed(library) == [2, 3]
    assert library.rows("SELECT generation, revision, analyzed_at FROM findings") == [(1, 1, 100.0)]
    assert library.rows("SELECT key, number, text FROM facts ORDER BY key") == [
        ("camera", None, "X100"),
        ("sharpness", 0.5, None),
    ]
    assert library.rows("SELECT name, dimensions FROM spaces") == [("toy:2", 2)]
    assert library.rows("SELECT region, data FROM vectors ORDER BY id") == [
        (None, vector(1, 0).data),
        (0, vector(0, 1).data),
    ]
    with library.database.read() as connection:
        read = read_findings(connection, 1, ["technical", "metadata"])
    assert read == {"technical": dataclasses.replace(FULL, filterable=[], vectors=[])}


def test_a_tag_named_twice_keeps_its_higher_score(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, StoredFinding(tags=[Tag("dog", 0.4), Tag("dog", 0.9), Tag("dog", 0.2)])))
    assert library.rows("SELECT label, score FROM tags JOIN labels ON labels.id = label_id") == [("dog", 0.9)]


def test_labels_of_regions_are_tags_but_for_names_and_lines_of_text(library, photos):
    kinds = {"object": "dog", "face": "Anna", "person": "Bo", "text": "NO ENTRY"}
    regions = [Region(kind, (0, 0, 1, 1), label, 0.8) for kind, label in kinds.items()]
    put(library, Outcome(1, TECHNICAL, 1, StoredFinding(regions=regions)))
    assert library.rows("SELECT label, score FROM tags JOIN labels ON labels.id = label_id") == [("dog", 0.8)]
    assert library.rows("SELECT label FROM regions ORDER BY ordinal")[-1] == ("NO ENTRY",)


def test_a_finding_that_is_replaced_leaves_nothing_behind(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, FULL), Outcome(2, TECHNICAL, 1, FULL))
    put(library, Outcome(1, TECHNICAL, 1, StoredFinding(facts={"sharpness": 0.1})), now=200.0)
    assert counts(library) == {"facts": 2, "texts": 2, "tags": 2, "regions": 1, "vectors": 2}
    assert library.rows("SELECT facts, analyzed_at FROM findings WHERE photo_id = 1") == [
        ('{"sharpness": 0.1}', 200.0)
    ]


def test_removed_vectors_are_written_down_with_the_change_that_removed_them(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, FULL))
    assert library.rows("SELECT * FROM removed_vectors") == []
    put(library, Outcome(1, TECHNICAL, 1, FULL))
    seq = change_seq(library)
    assert library.rows("SELECT vector_id, change_seq FROM removed_vectors") == [(1, seq), (2, seq)]
    assert library.rows("SELECT id FROM vectors") == [(3,), (4,)]
    assert library.value("SELECT change_seq FROM photos WHERE id = 1") == seq


def test_each_commit_takes_one_change_number_for_all_its_photos(library, photos):
    before = change_seq(library)
    put(library, *(Outcome(photo, analyzer, 1, FULL) for photo in (1, 2) for analyzer in (METADATA, TECHNICAL)))
    assert change_seq(library) == before + 1
    assert library.rows("SELECT id FROM photos WHERE change_seq = ?", before + 1) == [(1,), (2,)]


def test_failures_take_no_change_number(library, photos):
    before = change_seq(library)
    put(library, Outcome(1, TECHNICAL, 1, reason="bad"))
    assert change_seq(library) == before


def test_an_outcome_of_an_older_revision_is_dropped_and_its_job_stays_owed(library, photos):
    library.write(lambda c: c.execute("UPDATE photos SET revision = 2, file_revision = 2 WHERE id = 1"))
    before = change_seq(library)
    stale = [Outcome(1, TECHNICAL, 1, FULL), Outcome(1, METADATA, 1, reason="bad")]
    report = DecodeReport(FileStat(10, 5, 1, photos[0].inode), b"\1", "jpeg", 10, 10, "full")
    committed = put(library, *stale, decoded=[Decoded(1, 1, report)])
    assert committed.counted == ()
    assert committed.dropped == tuple(stale)
    assert library.rows("SELECT * FROM findings") == []
    assert library.rows("SELECT state, attempts FROM jobs WHERE photo_id = 1") == [("owed", 0)] * 2
    assert library.value("SELECT fingerprint FROM photos WHERE id = 1") is None
    assert change_seq(library) == before


def test_outcomes_of_a_photo_that_is_no_more_are_dropped(library, photos):
    library.write(lambda c: c.execute("DELETE FROM photos WHERE id = 1"))
    report = DecodeReport(FileStat(10, 5, 1, photos[0].inode), b"\1", "jpeg", 10, 10, "full")
    gone, kept = Outcome(1, TECHNICAL, 1, FULL), Outcome(2, TECHNICAL, 1, FULL)
    committed = put(library, gone, kept, decoded=[Decoded(1, 1, report)])
    assert committed.dropped == (gone,)
    assert library.rows("SELECT photo_id FROM findings") == [(2,)]


def test_a_failure_keeps_the_old_finding_and_says_why(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, FULL))
    library.write(lambda c: c.execute("INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (1, 2, 30)"))
    kept = counts(library)
    put(library, Outcome(1, TECHNICAL, 1, reason="truncated file"))
    assert counts(library) == kept
    assert library.value("SELECT COUNT(*) FROM findings") == 1
    assert library.rows("SELECT state, attempts, reason FROM jobs WHERE photo_id = 1 AND analyzer_id = 2") == [
        ("failed", 1, "truncated file")
    ]


def test_a_failure_that_may_pass_is_postponed(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, reason="the disk is full", retry_in_s=60.0), now=100.0)
    put(library, Outcome(1, TECHNICAL, 1, reason="the disk is full", retry_in_s=60.0), now=170.0)
    assert library.rows(
        "SELECT state, attempts, not_before, reason FROM jobs WHERE photo_id = 1 AND analyzer_id = 2"
    ) == [("owed", 2, 230.0, "the disk is full")]


def test_the_metadata_analyzer_fills_the_table_that_filters_look_in(library, photos):
    facts = {"taken_at": "2024-05-01T10:00:00", "iso": 400.0, "orientation": 6, "city": "Lisbon", "title": "x"}
    put(library, Outcome(1, METADATA, 1, StoredFinding(facts)), Outcome(2, TECHNICAL, 1, StoredFinding(facts)))
    row = "SELECT photo_id, taken_at, iso, orientation, city, lens FROM metadata"
    assert library.rows(row) == [(1, "2024-05-01T10:00:00", 400.0, 6, "Lisbon", None)]
    put(library, Outcome(1, METADATA, 1, StoredFinding({"iso": 800.0})))
    assert library.rows(row) == [(1, None, 800.0, None, None, None)]


def test_what_the_decode_showed_is_stored_and_what_it_did_not_show_stays(library, photos):
    stat = FileStat(1, 1, 1, 1)
    full = DecodeReport(stat, b"\1" * 16, "jpeg", 6000, 4000, "dct 1/4", damage="truncated")
    put(library, decoded=[Decoded(1, 1, full)])
    columns = "SELECT fingerprint, format, width, height, route, damage FROM photos WHERE id = 1"
    assert library.rows(columns) == [(b"\1" * 16, "jpeg", 6000, 4000, "dct 1/4", "truncated")]
    put(library, decoded=[Decoded(1, 1, DecodeReport(stat, b"\2" * 16, "jpeg", 0, 0, "metadata"))])
    assert library.rows(columns) == [(b"\2" * 16, "jpeg", 6000, 4000, "dct 1/4", "")]


def test_a_vector_that_does_not_fit_its_space_is_refused_alone(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, FULL))
    misfit = StoredFinding(vectors=[vector(1, 0, 0)])
    committed = put(library, Outcome(2, TECHNICAL, 1, misfit), Outcome(3, TECHNICAL, 1, FULL))
    assert [bool(each.finding) for each in committed.counted] == [False, True]
    assert library.rows("SELECT photo_id, state, reason FROM jobs WHERE analyzer_id = 2") == [
        (2, "failed", "a vector of 3 numbers; space toy:2 has 2")
    ]
    assert library.value("SELECT COUNT(*) FROM vectors") == 4


def test_any_error_rolls_all_of_a_commit_back(library, photos):
    put(library, Outcome(1, TECHNICAL, 1, FULL))
    before = {
        table: library.rows(f"SELECT * FROM {table}")
        for table in (*TABLES, "findings", "jobs", "photos", "labels", "spaces", "removed_vectors", "counters")
    }
    unstorable = StoredFinding({"orientation": "sideways"}, tags=[Tag("new")], vectors=[vector(1, space="new")])
    with pytest.raises(sqlite3.IntegrityError):
        put(
            library,
            Outcome(1, TECHNICAL, 1, StoredFinding()),
            Outcome(2, METADATA, 1, unstorable),
            Outcome(3, METADATA, 1, reason="bad"),
        )
    assert {table: library.rows(f"SELECT * FROM {table}") for table in before} == before


def test_paths_are_read_as_bytes(library, root, seen):
    file = seen(b"\xe9t\xe9.jpg", b"2024")
    library.write(lambda c: register(c, root, [file], now=1.0, priority=Priority.SCAN, moved=None))
    with library.database.read() as connection:
        assert read_paths(connection, [1, 99]) == {1: b"/photos/2024/\xe9t\xe9.jpg"}
