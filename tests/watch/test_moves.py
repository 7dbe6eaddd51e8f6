"""Moves that nobody watched, to files with another inode and another time."""

from __future__ import annotations

import os
import shutil

import pytest

from imgd.domain import Priority

_READ = """
    UPDATE photos SET fingerprint = CAST(size AS BLOB) WHERE fingerprint IS NULL;
    INSERT OR IGNORE INTO metadata (photo_id, taken_at) SELECT id, '2019-07-14T12:00:00.000' FROM photos
"""
"""What a pipeline leaves that has read all photos."""


@pytest.fixture
def analyzed(watched):
    """The watched library, with both photos read."""

    def work(connection):
        for statement in (*_READ.split(";"), "DELETE FROM jobs"):
            connection.execute(statement)

    watched.database.write(work).result()
    return watched


def _move(source, target):
    """As between two filesystems, by a program that keeps no times."""
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    os.utime(target, (1.5e9, 1.5e9))
    source.unlink()


def _priorities(watched):
    return dict(
        watched.rows("SELECT name, MAX(priority) FROM jobs JOIN photos ON photos.id = photo_id GROUP BY photos.id")
    )


@pytest.mark.parametrize("folder", ["0", "z"])
def test_what_may_be_a_photo_that_is_gone_comes_before_what_else_a_scan_found(analyzed, photos, write, folder):
    def meanwhile():
        _move(photos / "a" / "1.jpg", photos / folder / "moved.jpg")
        write(photos / folder / "new.jpg", b"longer than it")

    analyzed.restart(meanwhile)
    assert analyzed.photos()["a/1.jpg"][2] == "missing"
    assert _priorities(analyzed) == {b"moved.jpg": Priority.EVENT, b"new.jpg": Priority.SCAN}


def test_a_moved_folder_is_hastened_though_it_is_found_before_the_old_one_is_missed(analyzed, photos):
    def meanwhile():
        for name in ("1.jpg", "2.jpg"):
            _move(photos / "a" / name, photos / "0" / name)
        (photos / "a").rmdir()

    analyzed.restart(meanwhile)
    assert _priorities(analyzed) == {b"1.jpg": Priority.EVENT, b"2.jpg": Priority.EVENT}


def test_a_photo_that_was_read_before_it_was_missed_elsewhere_keeps_its_row(analyzed, photos):
    before = analyzed.photos()["a/1.jpg"]

    def meanwhile():
        _move(photos / "a" / "1.jpg", photos / "0" / "moved.jpg")
        (photos / "a" / "2.jpg").unlink()
        (photos / "a").rmdir()
        trigger = f"CREATE TRIGGER read_at_once AFTER INSERT ON photos BEGIN {_READ}; END"
        analyzed.database.write(lambda c: c.execute(trigger)).result()

    analyzed.restart(meanwhile)
    assert analyzed.present() == ["0/moved.jpg"]
    assert analyzed.photos()["0/moved.jpg"] == before
