"""An index built anew in a process of its own: it serves while it is built, and no death or full disk harms it."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from small_disk import small_disk
from text_words import find, outdate

from imgd.errors import DiskFullError, StoreError
from imgd.index.text import TextIndex
from imgd.index.text_build import build_text

MANY = 3_000
"""More than are built in the process that asks."""


def children(pid: int | str = "self") -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def builders(beside: Path, pid: int | str = "self") -> list[int]:
    """Processes that are making `beside`, among the children of `pid`."""
    return [each for each in children(pid) if os.fsencode(beside) in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_an_index_of_an_older_assembly_serves_until_the_new_one_is_in_place(library, index):
    photos = library.add_many([f"{n}.jpg" for n in range(MANY)], tags={"bulk": 1.0})
    index.refresh(library.database)
    outdate(index.path)
    assert index.covered_seq(library.database) == 0, "nothing is covered as documents are assembled now"
    found = []

    def look() -> bool:
        found.append(find(index, "bulk") == set(photos))
        return False

    assert index.refresh(library.database, look) == MANY
    assert found
    assert all(found)
    assert index.covered_seq(library.database) == library.ask("SELECT value FROM counters")[0][0]
    index.check()


def test_what_is_committed_while_an_index_is_built_is_in_it_afterwards(library, index):
    photos = library.add_many([f"{n}.jpg" for n in range(20_000)], tags={"bulk": 1.0})
    gone, lost, renamed = [], [], []

    def change() -> bool:
        gone.append(photos.pop())
        library.remove(gone[-1])
        lost.append(photos.pop(0))
        library.lose(lost[-1])
        renamed.append(photos[len(photos) // 2 + len(renamed)])
        library.rename(renamed[-1], f"renamed{len(renamed)}.jpg")
        return False

    index.refresh(library.database, change)
    index.refresh(library.database)  # what came after the end of the build
    assert find(index, "bulk") == set(photos)
    assert find(index, "renamed*") == set(renamed)
    index.check()


def test_a_build_says_the_same_of_every_photo_as_changes_one_by_one(library, index, tmp_path):
    index.refresh(library.database)
    library.add("a.jpg", texts=[("person", "Anna"), ("weather", "windy"), ("keyword", "sea")], tags={"sea": 0.9})
    library.add("b.jpg", regions=[("face", "Anna"), ("person", "Bo"), ("object", "dog")], folder="2019/Lisbon")
    library.lose(library.add("lost.jpg"))
    library.add("c.jpg", metadata={"city": "Lisbon", "camera_model": "X100", "taken_at": "2019-05-01T10:00:00"})
    index.refresh(library.database)
    build_text(library.database.path, tmp_path / "built.db")
    with index.read() as connection, closing(sqlite3.connect(tmp_path / "built.db")) as built:
        changed = connection.execute("SELECT * FROM documents").fetchall()
        assert changed == built.execute("SELECT * FROM documents").fetchall()
    assert [row[1:3] for row in changed] == [("Anna", "sea"), ("Anna\nBo", "dog"), ("", "")]


def test_a_build_that_is_stopped_leaves_nothing_behind(library, index):
    library.add_many([f"{n}.jpg" for n in range(20_000)], tags={"bulk": 1.0})
    beside = index.path.with_name("text.db.new")
    assert index.refresh(library.database, lambda: bool(builders(beside))) == 0
    assert not beside.exists()
    assert not builders(beside)
    assert not index.ready


def test_a_build_that_is_killed_is_told_of_and_made_again(library, index):
    photos = library.add_many([f"{n}.jpg" for n in range(20_000)], tags={"bulk": 1.0})
    index.refresh(library.database)
    outdate(index.path)
    beside = index.path.with_name("text.db.new")

    def kill() -> bool:
        for pid in builders(beside):
            os.kill(pid, signal.SIGKILL)
        return False

    with pytest.raises(StoreError, match="-9"):
        index.refresh(library.database, kill)
    assert not beside.exists()
    assert find(index, "bulk") == set(photos), "the old one still serves"
    index.refresh(library.database)
    assert index.covered_seq(library.database) > 0
    assert find(index, "bulk") == set(photos)
    index.check()


_REFRESH = """
import sys
from pathlib import Path
from imgd.index.text import TextIndex
from imgd.store.database import Database
from imgd.store.migrate import migrations

def tell():
    print("look", flush=True)
    return False

TextIndex(Path(sys.argv[2])).refresh(Database(Path(sys.argv[1]), migrations()), tell)
"""


def test_a_build_ends_with_the_process_that_asked_for_it(library, index):
    library.add_many([f"{n}.jpg" for n in range(20_000)])
    beside = index.path.with_name("text.db.new")
    command = [sys.executable, "-c", _REFRESH, str(library.database.path), str(index.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        (builder,) = children(process.pid)
        descriptor = os.pidfd_open(builder)
        process.kill()
        process.wait()
    try:
        ended, _, _ = select.select([descriptor], [], [], 20)
    finally:
        os.close(descriptor)
    assert ended, "the builder outlived the process that waits for it"
    index.refresh(library.database)
    index.check()
    assert not beside.exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 6 * 1024) as made:
        yield made


def test_an_index_that_no_longer_fits_on_the_disk_is_told_of_and_the_old_one_serves(library, disk):
    photos = library.add_many([f"{n}.jpg" for n in range(MANY)], tags={"bulk": 1.0})
    index = TextIndex(disk / "text.db")
    try:
        index.refresh(library.database)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - 200_000))
        outdate(index.path)
        with pytest.raises(DiskFullError):
            index.refresh(library.database)
        assert not index.path.with_name("text.db.new").exists(), "it must not keep the room that it took"
        assert find(index, "bulk") == set(photos)
        ballast.unlink()
        assert index.refresh(library.database) == MANY
        assert index.covered_seq(library.database) > 0
        index.check()
    finally:
        index.close()


def test_changes_that_do_not_fit_on_the_disk_are_taken_in_once_there_is_room(library, disk):
    library.add("first.jpg")
    index = TextIndex(disk / "text.db")
    try:
        index.refresh(library.database)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - 400_000))
        photos = library.add_many([f"{n}.jpg" for n in range(MANY)], tags={"bulk": 1.0})
        with pytest.raises(DiskFullError):
            index.refresh(library.database)
        ballast.unlink()
        index.refresh(library.database)
        assert find(index, "bulk") == set(photos)
        index.check()
    finally:
        index.close()
