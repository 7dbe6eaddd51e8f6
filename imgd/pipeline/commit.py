"""Batches for the store: outcomes are kept until enough photos or enough time have come together, then committed
in one transaction. Nothing counts as done before its commit."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence

from imgd.domain import Decoded, Outcome
from imgd.errors import ImgdError
from imgd.pipeline.tasks import Failed, log_failure, start_task
from imgd.store.database import Database
from imgd.store.findings import Committed, commit

log = logging.getLogger(__name__)

_RETRY_S = 5.0
_FULL_BYTES = 32 << 20
_PASSING = (ImgdError, sqlite3.OperationalError)
"""What may pass by itself: a full disk, or another program that keeps the database locked."""
AfterCommit = Callable[[sqlite3.Connection, Sequence[int]], None]
"""Runs in the commit's own transaction with the ids of its photos. One whose outcomes come in several commits is
in each of them: what is known of it now may not have been known before."""


class Committer:
    """Collects outcomes and commits them; `committed` is called in the event loop after each commit."""

    def __init__(
        self,
        database: Database,
        committed: Callable[[Committed], None],
        after: AfterCommit | None = None,
        *,
        photos: int,
        interval_s: float,
        failed: Failed = log_failure,
    ) -> None:
        self._database = database
        self._committed = committed
        self._after = after
        self._photos = photos
        self._interval_s = interval_s
        self._failed = failed
        self._decoded: list[Decoded] = []
        self._outcomes: list[Outcome] = []
        self._waiting: set[int] = set()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.fault = ""

    def start(self) -> None:
        self._task = start_task(self._run(), "committer", self._failed)

    async def stop(self) -> None:
        """Commit what is there, once; what cannot be committed stays owed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._outcomes or self._decoded:
            try:
                await self._commit()
            except _PASSING as error:
                log.warning("the last batch was not committed and stays owed: %s", error)

    @property
    def backlog(self) -> int:
        """Photos whose outcomes wait for a commit."""
        return len(self._waiting)

    @property
    def backlog_bytes(self) -> int:
        """About how much memory those outcomes take."""
        return self._bytes

    def add(self, decoded: Decoded | None, outcomes: Sequence[Outcome], size_bytes: int = 0) -> None:
        self._bytes += size_bytes
        if decoded is not None:
            self._decoded.append(decoded)
            self._waiting.add(decoded.photo_id)
        self._outcomes.extend(outcomes)
        self._waiting.update(outcome.photo_id for outcome in outcomes)
        self._changed.set()
        if len(self._waiting) >= self._photos or self._bytes >= _FULL_BYTES:
            self._full.set()

    def flush(self, on_their_way: int = 0) -> None:
        """Commit without waiting for more where no more photos are on their way than those that wait."""
        if self._waiting and len(self._waiting) >= on_their_way:
            self._full.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._full.wait()
            except TimeoutError:
                pass
            try:
                await self._commit()
                self.fault = ""
            except _PASSING as error:
                self.fault = f"{error}. {error.advice}" if isinstance(error, ImgdError) else str(error)
                log.error("%s; the batch is kept and tried again", error)
                await asyncio.sleep(_RETRY_S)

    async def _commit(self) -> None:
        """Commit everything collected so far; it is kept where that fails."""
        decoded, outcomes, waiting = self._decoded, self._outcomes, self._waiting
        self._decoded, self._outcomes, self._waiting = [], [], set()
        size_bytes, self._bytes = self._bytes, 0
        self._changed.clear()
        self._full.clear()

        def work(connection: sqlite3.Connection) -> Committed:
            committed = commit(connection, decoded, outcomes, time.time())
            if self._after is not None:
                self._after(connection, sorted(waiting))
            return committed

        writing = asyncio.wrap_future(self._database.write(work))
        cancelled = await _outlast(writing)
        try:
            committed = writing.result()
        except BaseException as error:
            self._decoded = decoded + self._decoded
            self._outcomes = outcomes + self._outcomes
            self._waiting |= waiting
            self._bytes += size_bytes
            self._changed.set()
            self._full.set()  # it has waited long enough
            if cancelled:
                raise asyncio.CancelledError from error
            raise
        self._committed(committed)
        if cancelled:
            raise asyncio.CancelledError


async def _outlast(writing: asyncio.Future[Committed]) -> bool:
    """Wait for a write to end, and say whether the waiting was cancelled meanwhile: what the write thread has
    begun ends by itself, and giving it up would commit the batch twice."""
    cancelled = False
    while not writing.done():
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
