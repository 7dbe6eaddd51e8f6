"""Lists by page, with the real process that reads the files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from collections.abc import AsyncIterator

import pytest

from imgd.duplicates.finder import DuplicateFinder
from imgd.duplicates.listing import Kind, Stopped
from imgd.errors import RequestError
from imgd.pipeline.process import ChildStarter


@contextlib.asynccontextmanager
async def finder(shelf, **options) -> AsyncIterator[DuplicateFinder]:
    starter = ChildStarter()
    made = DuplicateFinder(shelf.database, starter, **{"patience_s": 120.0} | options)
    try:
        yield made
    finally:
        await made.stop()
        await starter.stop()


def ask(shelf, kind: Kind = Kind.IDENTICAL, after: str = "", limit: int = 100):
    async def work():
        async with finder(shelf) as duplicates:
            return await duplicates.page(kind, after, limit)

    return asyncio.run(work())


def names(group) -> list[str]:
    return [os.path.basename(file.path).decode() for file in group.files]


def hashes(shelf) -> dict[int, bytes | None]:
    return dict(shelf.ask("SELECT id, content_hash FROM photos"))


def test_identical_files_are_found_and_only_files_with_equal_fingerprints_are_read(shelf):
    first = shelf.add("b/IMG_1.jpg", b"the same")
    second = shelf.add("a/Copy of IMG_1.jpg", b"the same")
    other = shelf.add("other.jpg", b"another")
    page = ask(shelf)
    (group,) = page.groups
    assert names(group) == ["IMG_1.jpg", "Copy of IMG_1.jpg"]
    assert (group.count, group.size_bytes, group.saved_bytes) == (2, 16, 8)
    assert (page.found, page.after, page.pending) == (1, "", False)
    digest = hashlib.sha256(b"the same").digest()
    assert hashes(shelf) == {first: digest, second: digest, other: None}


def test_files_that_differ_in_the_middle_are_not_identical(shelf):
    edge = os.urandom(1 << 16)
    for name, middle in (("a.jpg", b"1" * 5000), ("b.jpg", b"2" * 5000), ("c.jpg", b"1" * 5000)):
        shelf.add(name, edge + middle + edge)
    assert len(set(shelf.ask("SELECT fingerprint FROM photos"))) == 1
    (group,) = ask(shelf).groups
    assert names(group) == ["a.jpg", "c.jpg"]


def test_a_file_that_is_not_as_registered_is_not_hashed(shelf):
    shelf.add("a.jpg", b"the same")
    changed = shelf.add("b.jpg", b"the same")
    (shelf.root / "b.jpg").write_bytes(b"not same")
    page = ask(shelf)
    assert page.groups == ()
    assert hashes(shelf)[changed] is None
    assert "not compared: 1 file (is not as it was registered)" in page.notes


def test_a_file_that_is_gone_is_told_of(shelf):
    shelf.add("a.jpg", b"the same")
    shelf.add("b.jpg", b"the same")
    (shelf.root / "b.jpg").unlink()
    assert "not compared: 1 file (No such file or directory)" in ask(shelf).notes


def test_a_hash_of_an_older_revision_is_not_stored(shelf):
    first, second = (shelf.add(name, b"the same") for name in ("a.jpg", "b.jpg"))

    async def work() -> None:
        async with finder(shelf) as duplicates:
            page = duplicates.hasher._page

            def changes_meanwhile(after: bytes, last: bytes):
                found = page(after, last)
                shelf.do("UPDATE photos SET revision = revision + 1 WHERE id = ?", second)
                return found

            duplicates.hasher._page = changes_meanwhile
            await duplicates.page(Kind.IDENTICAL, "", 10)

    asyncio.run(work())
    assert hashes(shelf)[first] is not None
    assert hashes(shelf)[second] is None


def test_the_access_time_of_a_file_stays(shelf):
    for name in ("a.jpg", "b.jpg"):
        shelf.add(name, b"the same")
        # Older than its modification: the next read would set it, also where the disk is mounted with relatime.
        os.utime(shelf.root / name, ns=(1_000_000_000, (shelf.root / name).stat().st_mtime_ns))
    assert ask(shelf).found == 1
    assert {(shelf.root / name).stat().st_atime_ns for name in ("a.jpg", "b.jpg")} == {1_000_000_000}


def test_hard_links_save_nothing(shelf):
    shelf.add("a.jpg", b"the same")
    os.link(shelf.root / "a.jpg", shelf.root / "b.jpg")
    shelf.add("b.jpg", b"the same", write=False)
    (group,) = ask(shelf).groups
    assert (group.count, group.saved_bytes) == (2, 0)


def test_missing_and_offline_photos_are_neither_hashed_nor_listed_and_told_of(shelf):
    shelf.add("a.jpg", b"the same")
    shelf.lose(shelf.add("b.jpg", b"the same"))
    page = ask(shelf)
    assert page.groups == ()
    assert set(hashes(shelf).values()) == {None}
    assert page.notes == ("left out: 1 photo whose file is missing",)
    shelf.unplug()
    assert "left out: 2 photos of roots that are offline or removed" in ask(shelf).notes


def test_pages_follow_each_other_from_the_largest_saving_to_the_smallest(shelf):
    for size in (30, 10, 20, 40):
        for copy in range(2):
            shelf.add(f"{size}_{copy}.jpg", bytes([size]) * size)

    async def work() -> list[int]:
        saved = []
        async with finder(shelf) as duplicates:
            after = ""
            while True:
                page = await duplicates.page(Kind.IDENTICAL, after, 1)
                assert page.found == 4
                saved += [group.saved_bytes for group in page.groups]
                after = page.after
                if not after:
                    return saved

    assert asyncio.run(work()) == [40, 30, 20, 10]


def test_a_cursor_serves_another_daemon(shelf):
    for size in (30, 20):
        for copy in range(2):
            shelf.add(f"{size}_{copy}.jpg", bytes([size]) * size)
    first = ask(shelf, limit=1)
    assert [group.saved_bytes for group in ask(shelf, after=first.after).groups] == [20]


def test_a_cursor_of_nowhere_is_refused(shelf):
    with pytest.raises(RequestError):
        ask(shelf, after="nonsense")


def test_a_file_that_went_since_the_list_was_made_is_not_shown(shelf):
    ids = [shelf.add(f"{n}.jpg", b"the same") for n in range(2)]
    assert ask(shelf).found == 1
    shelf.lose(ids[0])
    assert ask(shelf).groups == ()


def test_new_copies_are_found_by_the_next_request(shelf):
    async def work() -> list[int]:
        counts = []
        async with finder(shelf) as duplicates:
            for n in range(3):
                shelf.add(f"{n}.jpg", b"the same")
                page = await duplicates.page(Kind.IDENTICAL, "", 10)
                counts.append(sum(group.count for group in page.groups))
        return counts

    assert asyncio.run(work()) == [0, 2, 3]


def test_a_request_does_not_wait_for_long_hashing(shelf):
    for name in ("a.jpg", "b.jpg"):
        shelf.add(name, b"the same")

    async def work() -> None:
        async with finder(shelf, patience_s=0.0) as duplicates:
            page = await duplicates.page(Kind.IDENTICAL, "", 10)
            assert page.pending
            while duplicates.hasher.busy:
                await duplicates.hasher.begin(1.0)
            assert (await duplicates.page(Kind.NEAR, "", 10)).pending
            await asyncio.gather(*duplicates._making.values())
            assert not (await duplicates.page(Kind.NEAR, "", 10)).pending

    asyncio.run(work())


def test_stopping_ends_what_is_being_compared(shelf, monkeypatch):
    entered = threading.Event()

    def endless(_database, stopped):
        entered.set()
        while not stopped():
            pass
        raise Stopped

    monkeypatch.setattr("imgd.duplicates.finder._MAKERS", {Kind.NEAR: endless})

    async def work() -> None:
        async with finder(shelf, patience_s=0.0) as duplicates:
            assert (await duplicates.page(Kind.NEAR, "", 10)).pending
            await asyncio.to_thread(entered.wait)

    asyncio.run(work())
    assert entered.is_set()


def test_a_killed_reader_costs_only_the_files_in_hand(shelf):
    for n in range(4):
        shelf.add(f"{n}.jpg", bytes([n // 2]) * 9)

    async def work() -> None:
        async with finder(shelf) as duplicates:
            start = duplicates.hasher._starter.start

            async def dead(*asked):
                child = await start(*asked)
                child.kill()
                await child.wait()
                duplicates.hasher._starter.start = start
                return child

            duplicates.hasher._starter.start = dead
            page = await duplicates.page(Kind.IDENTICAL, "", 10)
            assert page.found == 0
            assert any("was killed" in note for note in page.notes)
            assert (await duplicates.page(Kind.IDENTICAL, "", 10)).found == 2

    asyncio.run(work())
