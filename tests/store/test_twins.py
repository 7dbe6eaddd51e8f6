"""What a photo may be a copy of, and what a copy takes over of the other photo."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from imgd.domain import (
    Decoded,
    DecodeReport,
    FileStat,
    Outcome,
    Priority,
    Region,
    SameFile,
    StoredFinding,
    StoredVector,
    Tag,
    Text,
)
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.changes import newest_change_seq
from imgd.store.findings import commit, read_findings
from imgd.store.jobs import QueuePosition, read_owed
from imgd.store.photos import mark_missing, register

METADATA, TECHNICAL = 1, 2
HASH = b"h" * 32
STALE = (
    "UPDATE photos SET revision = 2, file_revision = 2 WHERE id = 1",
    "UPDATE analyzers SET generation = 2",
    "UPDATE findings SET generation = 0",
    "INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (1, 2, 5)",
)
"""What makes the finding of photo 1 no longer one to give away."""
FULL = StoredFinding(
    facts={"sharpness": 0.5},
    filterable=[("sharpness", 0.5, None)],
    texts=[Text("caption", "a dog")],
    tags=[Tag("dog", 0.9)],
    regions=[Region("object", (0.1, 0.2, 0.3, 0.4), "cat", 0.9, ((0.1, 0.2),), 0.7)],
    vectors=[StoredVector("toy:2", np.array([1, 0], np.float16).tobytes(), 0)],
)
SAME = SameFile(1, 1, HASH)


@pytest.fixture
def photos(library, root, seen):
    """Photo 1 is analyzed; 2 has its size, 3 has not."""
    files = [seen("a.jpg", b"trip"), seen("b.jpg"), seen("c.jpg", size=11)]
    library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))
    report = DecodeReport(FileStat(10, 5, 1, 1000), b"\1", "jpeg", 40, 30, "dct 1/2", "truncated")
    put(library, Outcome(1, TECHNICAL, 1, FULL, route="dct 1/2"), decoded=[Decoded(1, 1, report)])
    return files


def put(library, *outcomes, decoded=(), now=100.0):
    return library.write(lambda c: commit(c, decoded, outcomes, now))


def read_twins(library, *, copied=(TECHNICAL,)):
    """Photo id -> ids of the photos that it may be a copy of."""
    with library.database.snapshot() as connection:
        page = read_owed(connection, (1, 2), QueuePosition(), limit=99, now=10.0, copied=copied)
    return {photo.photo_id: [twin.photo_id for twin in photo.twins] for photo in page.photos if photo.twins}


def take_over(library, same=SAME, *, route="metadata"):
    report = DecodeReport(FileStat(10, 5, 1, 1001), b"\1", "jpeg", 40, 30, route)
    return put(
        library,
        Outcome(2, TECHNICAL, 1, of_file_alone=True, same=same),
        decoded=[Decoded(2, 1, report, same)],
        now=200.0,
    )


def test_a_photo_of_the_size_of_an_analyzed_one_may_be_its_copy(library, photos):
    with library.database.snapshot() as connection:
        page = read_owed(connection, (1, 2), QueuePosition(), limit=99, now=10.0, copied=[TECHNICAL])
    twins = {photo.photo_id: photo.twins for photo in page.photos}
    (twin,) = twins.pop(2)
    assert set(twins.values()) == {()}
    assert (twin.path, twin.fingerprint, twin.content_hash) == (b"/photos/trip/a.jpg", b"\1", b"")
    assert (twin.revision, twin.stat, twin.analyzers) == (1, FileStat(10, 5, 1, 1000), (TECHNICAL,))


def test_nobody_is_asked_for_where_no_analyzer_copies(library, photos):
    assert read_twins(library, copied=()) == {}
    assert read_twins(library, copied=[METADATA]) == {}


@pytest.mark.parametrize(
    "change",
    [
        *STALE,
        "UPDATE roots SET state = 'offline' WHERE id = 2",
        "UPDATE photos SET fingerprint = NULL",
        "UPDATE photos SET fingerprint = x'02' WHERE id = 2",
    ],
)
def test_a_twin_is_present_and_has_current_findings_and_its_copy_was_never_read(library, photos, root, change):
    if "roots" in change:  # the twin's root alone
        library.write(lambda c: c.execute("INSERT INTO roots (id, path, display_path) VALUES (2, x'2f78', '/x')"))
        library.write(lambda c: c.execute("UPDATE folders SET root_id = 2 WHERE display_path = 'trip'"))
    assert read_twins(library) == {2: [1]}
    library.write(lambda c: c.execute(change))
    assert read_twins(library) == {}


def test_a_missing_photo_is_no_twin(library, photos, root):
    library.write(lambda c: mark_missing(c, [1], 50.0))
    assert read_twins(library) == {}


def test_of_many_of_one_size_a_few_are_taken_and_those_with_a_hash_first(library, root, seen):
    files = [seen(f"{number}.jpg") for number in range(41)]
    library.write(lambda c: register(c, root, files, now=1.0, priority=Priority.SCAN, moved=None))
    put(library, *(Outcome(photo, TECHNICAL, 1, FULL) for photo in range(1, 41)))
    library.write(lambda c: c.execute("UPDATE photos SET fingerprint = x'01' WHERE id <= 40"))
    library.write(lambda c: c.execute("UPDATE photos SET content_hash = x'02' WHERE id IN (9, 40)"))
    assert read_twins(library) == {41: [9, 1, 2, 3]}


def test_a_copy_takes_over_all_parts_of_a_finding_and_its_job_is_done(library, photos):
    before = library.write(newest_change_seq)
    committed = take_over(library)
    assert [(each.photo_id, each.found) for each in committed.counted] == [(2, True)]
    assert committed.dropped == ()
    assert library.rows("SELECT photo_id FROM jobs WHERE analyzer_id = ?", TECHNICAL) == [(3,)]
    assert library.rows("SELECT * FROM findings WHERE photo_id = 2") == [
        (2, TECHNICAL, 1, 1, 200.0, '{"sharpness": 0.5}', "dct 1/2")
    ]
    with library.database.read() as connection:
        found = [read_findings(connection, photo, ["technical"])["technical"] for photo in (1, 2)]
    assert found[0] == found[1]
    assert {tag.label for tag in found[1].tags} == {"dog", "cat"}
    assert library.rows("SELECT key, number FROM facts WHERE photo_id = 2") == [("sharpness", 0.5)]
    space, region, generation, data = library.rows(
        "SELECT space_id, region, generation, data FROM vectors WHERE photo_id = 2"
    )[0]
    assert (space, region, generation, data) == (1, 0, 1, FULL.vectors[0].data)
    assert library.rows("SELECT id FROM photos WHERE change_seq > ?", before) == [(2,)]


def test_both_have_the_hash_and_the_copy_what_only_a_decode_tells(library, photos):
    take_over(library)
    kept = "SELECT content_hash, fingerprint, format, width, height, route, damage FROM photos WHERE id < 3"
    assert library.rows(kept) == [(HASH, b"\1", "jpeg", 40, 30, "dct 1/2", "truncated")] * 2


def test_what_the_copys_own_pixels_told_stays(library, photos):
    take_over(library, route="full")
    assert library.rows("SELECT content_hash, route, damage FROM photos WHERE id = 2") == [(HASH, "full", "")]


@pytest.mark.parametrize("photo", [1, 2])
def test_sidecars_that_change_meanwhile_make_nothing_stale(library, photos, photo):
    library.write(lambda c: c.execute("UPDATE photos SET revision = 3 WHERE id = ?", (photo,)))
    assert read_twins(library) == {2: [1]}
    assert take_over(library).dropped == ()
    assert library.rows("SELECT content_hash FROM photos WHERE id < 3") == [(HASH,), (HASH,)]
    revision = library.value("SELECT revision FROM photos WHERE id = 2")
    assert library.rows("SELECT revision FROM findings WHERE photo_id = 2") == [(revision,)]


def test_what_the_photo_had_before_is_replaced(library, photos):
    put(library, Outcome(2, TECHNICAL, 1, dataclasses.replace(FULL, tags=[Tag("fish")])))
    take_over(library)
    labels = "SELECT label FROM tags JOIN labels ON labels.id = label_id WHERE photo_id = 2 ORDER BY label"
    assert library.rows(labels) == [("cat",), ("dog",)]
    assert library.value("SELECT COUNT(*) FROM vectors WHERE photo_id = 2") == 1


@pytest.mark.parametrize(
    "change",
    [
        *STALE,
        "DELETE FROM photos WHERE id = 1",
    ],
)
def test_what_is_not_current_any_more_is_not_taken_over_and_stays_owed(library, photos, change):
    library.write(lambda c: c.execute(change))
    before = library.write(newest_change_seq)
    committed = take_over(library)
    assert committed.counted == ()
    assert [each.photo_id for each in committed.dropped] == [2]
    assert library.value("SELECT COUNT(*) FROM findings WHERE photo_id = 2") == 0
    assert library.rows("SELECT state, attempts FROM jobs WHERE photo_id = 2") == [("owed", 0)] * 2
    assert library.write(newest_change_seq) == before
    assert library.rows("SELECT fingerprint, content_hash FROM photos WHERE id = 2") == [(b"\1", HASH)]
    assert read_twins(library) == {}  # so it is analyzed next time


def test_a_copy_of_a_twin_that_was_analyzed_by_two_generations_has_the_newer_ones_vectors(library, photos):
    library.write(
        lambda c: synchronise(
            c, [AnalyzerDeclaration("metadata", "1", ""), AnalyzerDeclaration("technical", "2", "")]
        )
    )
    vector = StoredVector("toy:3", np.array([0, 1, 0], np.float16).tobytes())
    put(library, Outcome(1, TECHNICAL, 1, StoredFinding(vectors=[vector])))
    assert library.value("SELECT COUNT(*) FROM vectors WHERE photo_id = 1") == 2
    take_over(library)
    assert library.rows("SELECT data FROM vectors WHERE photo_id = 2") == [(vector.data,)]
