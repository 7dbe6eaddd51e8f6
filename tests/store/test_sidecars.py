from __future__ import annotations

import pytest

from imgd.domain import Priority
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
