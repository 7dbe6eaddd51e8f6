"""Content hashes of files that may be bit-identical, made in the background when duplicates are asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from imgd.domain import FileStat
from imgd.duplicates.child import FileToHash, HashAnswer, HashedFile, HashRequest
from imgd.errors import ImgdError
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.process import Child, ChildStarter
from imgd.store.database import Database
from imgd.store.staging import Row, batches
from imgd.store.statements import load_statements

log = logging.getLogger(__name__)

_SQL = load_statements("imgd.duplicates", "duplicates")
_PAGE_GROUPS = 256
_BATCH_BYTES = 64 << 20
_BATCH_FILES = 64
_WRITE_FILES = 512
_WRITE_AFTER_S = 5.0


@dataclass(slots=True)
class HashProgress:
    """How far hashing is. `faults`: files that could not be compared, by reason."""

    files: int = 0
    size_bytes: int = 0
    done_files: int = 0
    done_bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class ContentHasher:
    """Hashes the files that share their fingerprint with another one, once each.

    Only files that are as registered are hashed; what is hashed is kept in the library until the file changes.
    One run at a time; it ends with the daemon, and the next run goes on where it ended.
    """

    def __init__(self, database: Database, starter: ChildStarter) -> None:
        self._database = database
        self._starter = starter
        self._task: asyncio.Task[None] | None = None
        self.progress = HashProgress()
        self.written = 0
        """How many hashes were stored since the start: lists made before are out of date."""

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    async def begin(self, patience_s: float) -> None:
        """Start a run where none goes on, and return once it ended, or after `patience_s`."""
        if not self.busy:
            self._task = asyncio.create_task(self._run())
        assert self._task is not None
        await asyncio.wait([self._task], timeout=patience_s)

    async def stop(self) -> None:
        """End the run; hashes that were not stored yet are made again by the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        self.progress = progress = HashProgress()
        progress.files, progress.size_bytes = await asyncio.to_thread(self._count)
        if not progress.files:
            return
        hands = Hands(self._starter)
        try:
            await self._hash_all(hands, progress)
        except (ImgdError, OSError) as error:
            log.warning("content hashes were not made: %s", error)
            progress.faults[str(error)] += progress.files - progress.done_files
        finally:
            await hands.leave()

    async def _hash_all(self, hands: Hands, progress: HashProgress) -> None:
        after = b""
        found: list[Row] = []
        written_at = time.monotonic()
        while last := await asyncio.to_thread(self._last_shared, after):
            for batch in _batches(await asyncio.to_thread(self._page, after, last)):
                revisions = {file.photo_id: revision for file, revision in batch}
                for each in await hands.hash([file for file, _ in batch]):
                    progress.done_files += 1
                    if each.digest:
                        found.append((each.photo_id, revisions[each.photo_id], each.digest))
                    else:
                        progress.faults[each.fault] += 1
                progress.done_bytes += sum(file.stat.size_bytes for file, _ in batch)
                if len(found) >= _WRITE_FILES or time.monotonic() - written_at > _WRITE_AFTER_S:
                    await self._write(found)
                    found, written_at = [], time.monotonic()
            after = last
        await self._write(found)

    async def _write(self, rows: Sequence[Row]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for statement, parameters in batches(_SQL["put_hashes"], rows, 3):
                connection.execute(statement, parameters)

        if rows:
            await asyncio.wrap_future(self._database.write(work))
            self.written += len(rows)

    def _count(self) -> tuple[int, int]:
        with self._database.read() as connection:
            count, size_bytes = connection.execute(_SQL["count_to_hash"]).fetchone()
        return count, size_bytes

    def _last_shared(self, after: bytes) -> bytes | None:
        with self._database.read() as connection:
            row = connection.execute(_SQL["last_shared"], {"after": after, "groups": _PAGE_GROUPS}).fetchone()
        last: bytes | None = row[0]
        return last

    def _page(self, after: bytes, last: bytes) -> list[tuple[FileToHash, int]]:
        """Files to hash of the fingerprints behind `after` up to `last`, with their revisions."""
        with self._database.read() as connection:
            rows = connection.execute(_SQL["to_hash"], {"after": after, "last": last}).fetchall()
        return [
            (FileToHash(photo_id, os.path.join(*path), FileStat(size, mtime_ns, device, inode)), revision)
            for photo_id, revision, size, mtime_ns, device, inode, *path in rows
        ]


def _batches(page: Sequence[tuple[FileToHash, int]]) -> Iterator[list[tuple[FileToHash, int]]]:
    """Parts of a page that take a moment each, so that progress shows and a stop loses little."""
    batch: list[tuple[FileToHash, int]] = []
    size_bytes = 0
    for each in page:
        batch.append(each)
        size_bytes += each[0].stat.size_bytes
        if len(batch) == _BATCH_FILES or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


class Hands:
    """The child that reads the files. Where it dies, the files it had in hand are given up, and another starts."""

    def __init__(self, starter: ChildStarter) -> None:
        self._starter = starter
        self._child: Child | None = None
        self._channel: AsyncChannel[HashRequest, HashAnswer] | None = None

    async def hash(self, files: list[FileToHash]) -> Sequence[HashedFile]:
        if self._channel is None:
            self._child = await self._starter.start("imgd.duplicates.child:run", "imgd-hasher", None)
            self._channel = await AsyncChannel.open(self._child.connection, HashAnswer)
        self._channel.send(HashRequest(files))
        try:
            return (await self._channel.receive()).files
        except (ChannelClosedError, UnreadableMessageError):
            await self.leave()
            return [HashedFile(file.photo_id, fault="the process that read it was killed") for file in files]

    async def leave(self) -> None:
        child, channel = self._child, self._channel
        self._child = self._channel = None
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.close()
        if child is not None:
            await child.destroy()
