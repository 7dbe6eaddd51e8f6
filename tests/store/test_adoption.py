"""Missing photos that are back at another path, and files that only look like them."""

from __future__ import annotations

import pytest

from imgd.domain import Priority
from imgd.store.photos import adopt_missing, find_candidates, hasten, mark_missing, register

_NOON = ("2019-07-14T12:00:00.000", 7200)


@pytest.fixture
def put(library, root, seen):
    """Registers a file, and returns its photo's id."""

    def register_one(name, *, now=20.0, **file):
        photo = seen(name, **file)
        library.write(lambda c: register(c, root, [photo], now=now))
        return library.value("SELECT id FROM photos WHERE name = ?", name.encode())

    return register_one


@pytest.fixture
def read(library):
    """Stores what the pipeline finds of a photo: its fingerprint, a finding, and maybe when it was taken."""

    def store(photo_id, fingerprint=b"same", taken=None, at=21.0):
        def work(connection):
            connection.execute("UPDATE photos SET fingerprint = ? WHERE id = ?", (fingerprint, photo_id))
            connection.execute(
                "INSERT OR REPLACE INTO findings SELECT ?, id, generation, 1, ?, '{}', '' FROM analyzers",
                (photo_id, at),
            )
            connection.execute("DELETE FROM jobs WHERE photo_id = ?", (photo_id,))
            if taken is not None:
                connection.execute(
                    "INSERT INTO metadata (photo_id, taken_at, taken_offset_s) VALUES (?, ?, ?)",
                    (photo_id, *taken),
                )

        library.write(work)

    return store


@pytest.fixture
def lost(library, put, read):
    """The id of a photo that was read and scanned, and went missing."""
    return _lose(library, put, read, "old.jpg")


def _lose(library, put, read, name, taken=_NOON):
    photo_id = put(name, now=1.0)
    read(photo_id, taken=taken, at=2.0)
    library.write(lambda c: c.execute("UPDATE roots SET scanned_at = 5.0"))
    library.write(lambda c: mark_missing(c, [photo_id], 10.0))
    return photo_id


def _adopt(library, *photo_ids):
    return library.write(lambda c: adopt_missing(c, photo_ids))


def _priorities(library):
    return dict(library.rows("SELECT name, priority FROM jobs JOIN photos ON photos.id = photo_id"))


def test_a_copy_with_another_time_is_the_missing_photo_where_both_were_taken_at_once(library, lost, put, read):
    library.write(lambda c: c.execute("INSERT INTO facts VALUES (?, 1, 'iso', 100, NULL)", (lost,)))
    new = put("new.jpg", folder=b"there", mtime_ns=99, inode=7)
    read(new, taken=_NOON)
    assert _adopt(library, new) == {new: lost}
    assert library.rows("SELECT id, name, state, mtime_ns, inode, revision FROM photos") == [
        (lost, b"new.jpg", "present", 99, 7, 1)
    ]
    assert library.rows("SELECT photo_id, analyzed_at FROM findings") == [(lost, 2.0), (lost, 2.0)]
    assert library.rows("SELECT photo_id FROM facts") == [(lost,)]
    assert library.rows("SELECT photo_id FROM metadata") == [(lost,)]
    assert not library.rows("SELECT * FROM jobs")


def test_a_photo_that_was_adopted_is_unchanged_for_the_next_scan(library, root, seen, lost, put, read):
    file = {"folder": b"there", "mtime_ns": 99, "inode": 7}
    new = put("new.jpg", **file)
    read(new, taken=_NOON)
    _adopt(library, new)
    again = seen("new.jpg", **file)
    assert library.write(lambda c: register(c, root, [again], now=30.0)).unchanged == 1


@pytest.mark.parametrize(
    "taken",
    [None, (None, None), ("2019-07-14T12:00:01.000", 7200), (_NOON[0], 3600), (_NOON[0], None)],
)
def test_a_copy_with_another_time_that_was_not_taken_then_is_a_photo_of_its_own(library, lost, put, read, taken):
    new = put("new.jpg", mtime_ns=99)
    read(new, taken=taken)
    assert _adopt(library, new) == {}
    assert library.value("SELECT state FROM photos WHERE id = ?", lost) == "missing"


@pytest.mark.parametrize("taken", [None, (None, None)])
def test_two_unknown_capture_times_are_not_the_same(library, put, read, taken):
    _lose(library, put, read, "old.jpg", taken)
    new = put("new.jpg", mtime_ns=99)
    read(new, taken=taken)
    assert _adopt(library, new) == {}


def test_an_offset_that_neither_has_does_not_tell_them_apart(library, put, read):
    lost = _lose(library, put, read, "old.jpg", (_NOON[0], None))
    new = put("new.jpg", mtime_ns=99)
    read(new, taken=(_NOON[0], None))
    assert _adopt(library, new) == {new: lost}


def test_another_fingerprint_is_another_photo_whenever_it_was_taken(library, lost, put, read):
    new = put("new.jpg")
    read(new, b"other", taken=_NOON)
    assert _adopt(library, new) == {}


def test_of_two_new_copies_neither_is_the_missing_photo(library, lost, put, read):
    copies = [put("new1.jpg", mtime_ns=99), put("new2.jpg", mtime_ns=98)]
    for each in copies:
        read(each, taken=_NOON)
    assert _adopt(library, *copies) == {}


def test_a_new_photo_is_neither_of_two_missing_ones(library, lost, put, read):
    _lose(library, put, read, "burst.jpg")
    new = put("new.jpg", mtime_ns=99)
    read(new, taken=_NOON)
    assert _adopt(library, new) == {}


def test_a_copy_that_was_there_long_before_stays_what_it_is(library, put, read):
    old, copy = put("old.jpg", now=1.0), put("copy.jpg", now=1.0)
    for each in (old, copy):
        read(each, taken=_NOON, at=2.0)
    library.write(lambda c: c.execute("UPDATE roots SET scanned_at = 5.0"))
    library.write(lambda c: mark_missing(c, [old], 10.0))
    assert _adopt(library, copy) == {}


def test_a_capture_time_that_is_known_later_is_compared_then(library, lost, put, read):
    new = put("new.jpg", mtime_ns=99)
    read(new)
    assert _adopt(library, new) == {}
    read(new, taken=_NOON, at=25.0)
    assert _adopt(library, new) == {new: lost}


def test_a_new_photo_of_a_missing_ones_size_comes_before_what_else_a_scan_found(library, root, seen, lost):
    files = [seen("like.jpg"), seen("unlike.jpg", size=11)]
    library.write(lambda c: register(c, root, files, now=20.0))
    assert _priorities(library) == {b"like.jpg": Priority.EVENT, b"unlike.jpg": Priority.SCAN}


def test_what_a_person_asked_for_is_put_off_by_no_missing_photo(library, root, seen, lost):
    library.write(lambda c: register(c, root, [seen("like.jpg")], now=20.0, priority=Priority.REQUEST))
    assert _priorities(library) == {b"like.jpg": Priority.REQUEST}


def test_a_photo_found_before_one_of_its_size_was_missed_is_hastened(library, put, read):
    old = put("old.jpg", now=1.0)
    read(old, at=2.0)
    like = put("like.jpg")
    unlike = put("unlike.jpg", size=11)
    library.write(lambda c: c.execute("UPDATE photos SET fingerprint = x'00' WHERE id = ?", (unlike,)))
    read(put("other.jpg"), b"other")
    with library.database.read() as connection:
        assert find_candidates(connection, 0.0) == []
    library.write(lambda c: mark_missing(c, [old], 30.0))
    with library.database.read() as connection:
        assert find_candidates(connection, 31.0) == []
        assert find_candidates(connection, 30.0) == [like]
    assert library.write(lambda c: hasten(c, [like, unlike])) == 2
    assert _priorities(library) == {b"like.jpg": Priority.EVENT, b"unlike.jpg": Priority.SCAN}


def test_a_photo_read_before_the_one_that_it_is_was_missed_is_a_candidate_and_adopted(library, put, read):
    old = put("old.jpg", now=1.0)
    read(old, taken=_NOON, at=2.0)
    library.write(lambda c: c.execute("UPDATE roots SET scanned_at = 5.0"))
    new = put("new.jpg", mtime_ns=99)
    read(new, taken=_NOON)
    library.write(lambda c: mark_missing(c, [old], 30.0))
    with library.database.read() as connection:
        assert find_candidates(connection, 30.0) == [new]
    assert _adopt(library, new) == {new: old}
