from __future__ import annotations

import pytest

from imgd.domain import Decoded, DecodeReport, FileStat, Outcome, Priority, StoredFinding
from imgd.store.findings import commit
from imgd.store.photos import register
from imgd.store.sidecars import commit_sidecars, compare_sidecars


@pytest.fixture
def sync(library, root, seen):
    """Registers photos, then tells which sidecars the folder has now."""

    def run(*sidecars, analyzers=(1,)):
        with library.database.read() as connection:
            changes = compare_sidecars(connection, 1, sidecars)
        if changes:
            library.write(lambda c: commit_sidecars(c, changes, analyzers, Priority.EVENT))
        return bool(changes)

    library.write(lambda c: register(c, root, [seen("IMG.CR2"), seen("IMG.JPG"), seen("other.jpg")], now=0.0))
    library.write(lambda c: c.execute("DELETE FROM jobs"))
    return run


def _names(library):
    return library.rows(
        "SELECT photos.name, sidecars.name FROM sidecars JOIN photos ON photos.id = photo_id ORDER BY 1, 2"
    )


def test_a_sidecar_belongs_to_every_photo_of_its_stem(sync, library, seen):
    sync(seen("img.XMP"))
    assert _names(library) == [(b"IMG.CR2", b"img.XMP"), (b"IMG.JPG", b"img.XMP")]


def test_a_sidecar_with_the_photos_whole_name_belongs_to_it_alone(sync, library, seen):
    sync(seen("IMG.CR2.xmp"))
    assert _names(library) == [(b"IMG.CR2", b"IMG.CR2.xmp")]


def test_a_new_sidecar_is_a_revision_and_owes_only_those_that_read_it(sync, library, seen):
    assert sync(seen("IMG.CR2.xmp"))
    assert library.rows("SELECT revision FROM photos ORDER BY name") == [(2,), (1,), (1,)]
    assert library.rows("SELECT analyzer_id FROM jobs") == [(1,)]


def test_an_edited_or_removed_sidecar_is_a_revision_and_the_same_one_is_none(sync, library, seen):
    first = seen("other.xmp")
    assert sync(first)
    assert not sync(first)
    assert sync(seen("other.xmp", mtime_ns=6))
    assert sync()
    assert library.value("SELECT revision FROM photos WHERE name = ?", b"other.jpg") == 4
    assert not _names(library)


def test_a_sidecar_of_no_photo_is_nothing(sync, library, seen):
    assert not sync(seen("alone.xmp"))


def test_jobs_already_owed_stay_owed(sync, library, seen):
    library.write(lambda c: c.execute("INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (3, 2, 20)"))
    library.write(lambda c: c.execute("UPDATE photos SET name = name"))
    sync(seen("other.xmp"), analyzers=(1,))
    other = library.value("SELECT id FROM photos WHERE name = ?", b"other.jpg")
    assert (other, 1) in library.rows("SELECT photo_id, analyzer_id FROM jobs")
    assert (3, 2) in library.rows("SELECT photo_id, analyzer_id FROM jobs")


READING, OTHER = 1, 2
REPORT = DecodeReport(FileStat(10, 5, 1, 1), b"\1", "jpeg", 10, 10, "full")


@pytest.fixture
def photo(sync, library):
    """A photo without a sidecar that owes two analyzers a finding; the first one reads sidecars."""
    photo_id = library.value("SELECT id FROM photos WHERE name = ?", b"other.jpg")
    owed = "INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (?, ?, 20)"
    library.write(lambda c: c.executemany(owed, [(photo_id, READING), (photo_id, OTHER)]))
    return photo_id


def _end(library, photo, analyzer=OTHER, revision=1, **said):
    said = said or {"finding": StoredFinding()}
    outcome = Outcome(photo, analyzer, revision, **said, of_file_alone=analyzer == OTHER)
    return library.write(lambda c: commit(c, [Decoded(photo, revision, REPORT)], [outcome], 9.0))


def _jobs(library):
    return library.rows("SELECT analyzer_id, state FROM jobs ORDER BY 1")


def test_what_was_found_of_the_file_alone_counts_though_a_sidecar_came_meanwhile(sync, library, seen, photo):
    assert sync(seen("other.xmp"))
    committed = _end(library, photo)
    assert ([each.revision for each in committed.counted], committed.dropped) == ([2], ())
    assert library.rows("SELECT analyzer_id, revision FROM findings") == [(OTHER, 2)], "it is not stale"
    assert library.value("SELECT fingerprint FROM photos WHERE id = ?", photo) == b"\1"
    assert _jobs(library) == [(READING, "owed")]


def test_what_read_the_older_sidecars_is_dropped_and_stays_owed(sync, library, seen, photo):
    assert sync(seen("other.xmp"))
    committed = _end(library, photo, READING)
    assert (committed.counted, len(committed.dropped)) == ((), 1)
    assert library.rows("SELECT * FROM findings") == []
    assert _jobs(library) == [(READING, "owed"), (OTHER, "owed")]


def test_sidecars_may_come_change_and_go_while_the_file_is_looked_at(sync, library, seen, photo):
    assert sync(seen("other.xmp"))
    assert sync(seen("other.xmp", mtime_ns=6))
    assert sync()
    assert [each.revision for each in _end(library, photo).counted] == [4]
    assert sync(seen("other.xmp"))
    assert library.rows("SELECT analyzer_id, revision FROM findings") == [(OTHER, 5)], "carried on as any other"


def test_a_failure_at_the_file_alone_is_one_of_the_newest_revision_too(sync, library, seen, photo):
    assert sync(seen("other.xmp"))
    assert _end(library, photo, reason="bad").dropped == ()
    assert _jobs(library) == [(READING, "owed"), (OTHER, "failed")]


@pytest.mark.parametrize("sidecar_first", [True, False])
def test_nothing_that_was_found_of_an_older_file_counts(sync, library, root, seen, photo, sidecar_first):
    changed = seen("other.jpg", size=99)
    if sidecar_first:
        assert sync(seen("other.xmp"))
    library.write(lambda c: register(c, root, [changed], now=2.0))
    if not sidecar_first:
        assert sync(seen("other.xmp"))
    for revision in (1, 2) if sidecar_first else (1,):
        assert len(_end(library, photo, revision=revision).dropped) == 1
    assert library.value("SELECT fingerprint FROM photos WHERE id = ?", photo) is None
    assert library.rows("SELECT * FROM findings") == []
    newest = 3 if sidecar_first else 2
    assert [each.revision for each in _end(library, photo, revision=newest).counted] == [3]


def test_what_is_of_a_later_revision_than_the_photo_never_counts(library, photo):
    assert len(_end(library, photo, revision=2).dropped) == 1
