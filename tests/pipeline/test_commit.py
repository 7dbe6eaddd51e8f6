"""The committer over a real database: when it commits, and that a commit that fails loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pipeline_library import Library, write_photo
from small_disk import small_disk

from imgd.domain import Decoded, DecodeReport, FileStat, Outcome, StoredFinding, Text
from imgd.pipeline import commit
from imgd.pipeline.commit import Committer
from imgd.store.database import Database
from imgd.store.findings import Committed
from imgd.store.migrate import migrations

NEVER_S = 3600.0


class Bench:
    """A committer, and what it told of its commits."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.commits: list[Committed] = []
        self.failed: list[BaseException] = []
        self._heard = asyncio.Event()
        self.committer = Committer(
            database, self._committed, failed=lambda _name, error: self.failed.append(error), **settings
        )

    def _committed(self, committed: Committed) -> None:
        self.commits.append(committed)
        self._heard.set()

    async def commits_reach(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.commits) < count:
                self._heard.clear()
                await self._heard.wait()

    def photos(self) -> list[list[int]]:
        return [[each.photo_id for each in committed.counted] for committed in self.commits]


def found(photo_id: int, words: str = "") -> Outcome:
    return Outcome(photo_id, 1, 1, StoredFinding(texts=[Text("caption", words)] if words else []))


@asynccontextmanager
async def running(database: Database, **settings: Any) -> AsyncIterator[Bench]:
    bench = Bench(database, **{"photos": 50, "interval_s": NEVER_S} | settings)
    bench.committer.start()
    try:
        yield bench
    finally:
        await bench.committer.stop()
    assert bench.failed == []


@pytest.fixture
def photos(library: Library) -> Library:
    from toy_analyzers import Header

    library.activate(Header)
    library.register(*(write_photo(library.root / f"{number}.png", (4, 4)) for number in range(8)))
    return library


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "_RETRY_S", 0.02)


def run(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def analyzed(library: Library) -> list[int]:
    return [row[0] for row in library.rows("SELECT photo_id FROM findings ORDER BY photo_id")]


def test_enough_photos_are_committed_in_one_transaction(photos: Library) -> None:
    async def work() -> None:
        async with running(photos.database, photos=3) as bench:
            bench.committer.add(None, [found(1)])
            bench.committer.add(None, [found(1), found(2)])
            assert bench.committer.backlog == 2
            bench.committer.add(None, [found(3)])
            await bench.commits_reach(1)
            assert bench.photos() == [[1, 1, 2, 3]]
            assert bench.committer.backlog == 0
            assert analyzed(photos) == [1, 2, 3]

    run(work)


def test_fewer_are_committed_when_their_time_has_come(photos: Library) -> None:
    async def work() -> None:
        async with running(photos.database, interval_s=0.02) as bench:
            bench.committer.add(None, [found(1)])
            await bench.commits_reach(1)
            bench.committer.add(None, [found(2)])
            await bench.commits_reach(2)
            assert bench.photos() == [[1], [2]]

    run(work)


def test_nothing_waits_when_nothing_more_is_on_its_way(photos: Library) -> None:
    async def work() -> None:
        async with running(photos.database) as bench:
            bench.committer.flush()
            bench.committer.add(None, [found(1)])
            bench.committer.flush()
            await bench.commits_reach(1)

    run(work)


def test_what_is_there_is_committed_at_the_stop(photos: Library) -> None:
    async def work() -> None:
        async with running(photos.database) as bench:
            bench.committer.add(Decoded(1, 1, report()), [])
            bench.committer.add(None, [found(2)])
        assert bench.photos() == [[2]]

    run(work)
    assert analyzed(photos) == [2]
    assert photos.rows("SELECT format FROM photos WHERE id = 1") == [("png",)]


def report() -> DecodeReport:
    return DecodeReport(FileStat(1, 1, 1, 1), b"\1", "png", 4, 4, "full")


def test_whoever_asked_for_it_works_in_the_commits_own_transaction(photos: Library) -> None:
    seen: list[tuple[bool, list[int]]] = []

    def after(connection: sqlite3.Connection, photo_ids: Any) -> None:
        seen.append((connection.in_transaction, list(photo_ids)))

    async def work() -> None:
        async with running(photos.database, after=after, photos=2) as bench:
            bench.committer.add(Decoded(1, 1, report()), [found(1)])
            bench.committer.add(None, [found(2)])
            await bench.commits_reach(1)

    run(work)
    assert seen == [(True, [1, 2])]


def test_a_commit_that_fails_is_kept_and_made_later_with_what_came_meanwhile(photos: Library) -> None:
    def limit(pages: int) -> None:
        photos.database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone()).result()

    async def work() -> None:
        async with running(photos.database, photos=2) as bench:
            limit(photos.rows("PRAGMA page_count")[0][0])
            for number in (1, 2):
                bench.committer.add(None, [found(number, "x" * 100_000)])
            async with asyncio.timeout(120):
                while not bench.committer.fault:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert "The disk is full" in bench.committer.fault
            assert "Free some space" in bench.committer.fault
            assert bench.committer.backlog == 2
            assert photos.rows("SELECT * FROM findings") == []
            limit(1_000_000)
            bench.committer.add(None, [found(3)])
            bench.committer.flush()
            await bench.commits_reach(1)
            async with asyncio.timeout(120):
                while bench.committer.fault:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert bench.photos() == [[1, 2, 3]]

    run(work)
    assert analyzed(photos) == [1, 2, 3]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 3 * 1024) as made:
        yield made


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_disk_that_is_really_full_costs_nothing_but_time(disk: Path, library: Library) -> None:
    from toy_analyzers import Header

    database = Database(disk / "library.db", migrations())
    full = Library(database, library.root, library.settings)
    full.activate(Header)
    full.register(*(write_photo(library.root / f"{number}.png", (4, 4)) for number in range(3)))
    ballast = disk / "ballast"

    async def work() -> None:
        async with running(database, photos=1) as bench:
            fill(ballast)
            bench.committer.add(None, [found(1, "x" * 200_000)])
            async with asyncio.timeout(120):
                while not bench.committer.fault:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            ballast.unlink()
            await bench.commits_reach(1)
            assert bench.photos() == [[1]]

    run(work)
    assert analyzed(full) == [1]
    assert full.rows("PRAGMA integrity_check") == [("ok",)]
    database.close()


def test_a_stop_while_the_disk_is_full_leaves_the_jobs_owed(photos: Library) -> None:
    pages = photos.rows("PRAGMA page_count")[0][0]
    photos.database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone()).result()

    async def work() -> None:
        async with running(photos.database) as bench:
            bench.committer.add(None, [found(1, "x" * 100_000)])
        assert bench.commits == []

    run(work)
    assert analyzed(photos) == []
    assert photos.owed() == 8


def test_a_database_that_another_program_keeps_locked_is_waited_for(
    photos: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.database.write(lambda c: c.execute("PRAGMA user_version")).result()
    photos.database._writer.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(photos.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def work() -> None:
        async with running(photos.database, photos=1) as bench:
            bench.committer.add(None, [found(1)])
            async with asyncio.timeout(120):
                while not bench.committer.fault:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert "locked" in bench.committer.fault
            other.execute("ROLLBACK")
            await bench.commits_reach(1)

    run(work)
    other.close()
    assert analyzed(photos) == [1]


def test_a_stop_during_a_commit_waits_for_it_and_commits_nothing_twice(photos: Library) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls = []

    def after(connection: sqlite3.Connection, photo_ids: Any) -> None:
        calls.append(list(photo_ids))
        begun.set()
        assert go_on.wait(120)

    async def work() -> None:
        async with running(photos.database, after=after, photos=1) as bench:
            bench.committer.add(Decoded(1, 1, report()), [Outcome(1, 1, 1, reason="full", retry_in_s=60.0)])
            await asyncio.to_thread(begun.wait, 120)
            stopping = asyncio.create_task(bench.committer.stop())
            await asyncio.sleep(0)
            go_on.set()
            await stopping
        assert bench.photos() == [[1]]

    run(work)
    assert calls == [[1]]
    assert photos.rows("SELECT attempts FROM jobs WHERE photo_id = 1") == [(1,)]
