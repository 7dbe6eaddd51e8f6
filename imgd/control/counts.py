"""Counts over the whole library, for `status`: kept for a while, since counting millions of jobs takes seconds."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from imgd.domain import Priority, RunMode
from imgd.store.analyzers import read_analyzers
from imgd.store.database import Database
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.control", "queries")
_SHORTEST_AGE_S = 1.0
_AGE_PER_COST = 20.0  # counting takes at most a twentieth of one core, however large the library
_PATIENCE_S = 0.1


@dataclass(frozen=True, slots=True)
class RootCount:
    path: bytes
    state: str
    reason: str
    photos: int
    missing: int


@dataclass(frozen=True, slots=True)
class JobCount:
    """The jobs of one analyzer, of photos that are present; what is neither owed nor failed is done. Of one that
    runs on request, what it has a finding of is.

    `owed` leaves out photos of offline roots, which are `out_of_reach`: nobody can work on them. `reanalyzed` ones
    of the owed have an older finding. `done` is None for an analyzer that is not active: nothing is owed to it, so
    what it has done cannot be told from that.
    """

    analyzer: str
    active: bool
    owed: int
    failed: int
    done: int | None
    reanalyzed: int = 0
    out_of_reach: int = 0


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    roots: tuple[RootCount, ...]
    jobs: tuple[JobCount, ...]
    photos: int
    missing: int


def count_library(connection: sqlite3.Connection) -> LibraryCounts:
    """Count now. Owed and failed jobs are counted from their partial indexes: nothing to read when all is done.

    Jobs of missing photos are nobody's concern until the photos are back.
    """
    missing = dict(connection.execute(_SQL["missing_counts"]).fetchall())
    roots = tuple(
        RootCount(path, state, reason, photos, missing.get(path, 0))
        for path, state, reason, photos in connection.execute(_SQL["root_counts"])
    )
    photos = sum(root.photos for root in roots)
    present = photos - sum(missing.values())
    owed = Counter(dict(connection.execute(_SQL["owed_counts"])))
    owed.subtract(dict(connection.execute(_SQL["owed_of_missing"])))
    out_of_reach = dict(connection.execute(_SQL["owed_out_of_reach"]))
    reanalyzed = dict(connection.execute(_SQL["reanalyzed_counts"], (int(Priority.REANALYSIS),)).fetchall())
    failed = dict(connection.execute(_SQL["failed_counts"]).fetchall())
    jobs = []
    for row in read_analyzers(connection):
        if not row.active:
            done = None
        elif row.run is RunMode.REQUEST:
            looked_at = {"analyzer": row.id, "generation": row.generation}
            done = int(connection.execute(_SQL["looked_at"], looked_at).fetchone()[0])
        else:
            done = max(0, present - owed[row.id] - failed.get(row.id, 0))
        owed_now = owed[row.id] - out_of_reach.get(row.id, 0)
        again = min(owed_now, reanalyzed[row.id])
        jobs.append(
            JobCount(
                row.name, row.active, owed_now, failed.get(row.id, 0), done, again, out_of_reach.get(row.id, 0)
            )
        )
    return LibraryCounts(roots, tuple(jobs), photos, sum(missing.values()))


class CachedCounts:
    """The library's counts, at most a second old, or twenty times as long as counting takes.

    A reader never waits long for a count: where one takes its time, it gets the one before.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._counts: LibraryCounts | None = None
        self._fresh_until = 0.0
        self._counting: asyncio.Task[LibraryCounts] | None = None

    async def read(self) -> LibraryCounts:
        if self._counts is not None and self._clock() < self._fresh_until:
            return self._counts
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count())
        if self._counts is None:
            return await asyncio.shield(self._counting)
        await asyncio.wait({self._counting}, timeout=_PATIENCE_S)
        if self._counting.done():
            return self._counting.result()
        return self._counts

    async def settled(self) -> None:
        """Wait for the count that is under way, if there is one."""
        if self._counting is not None:
            await asyncio.wait({self._counting})

    async def _count(self) -> LibraryCounts:
        began = self._clock()
        self._counts = await asyncio.to_thread(self._count_blocking)
        ended = self._clock()
        self._fresh_until = ended + max(_SHORTEST_AGE_S, _AGE_PER_COST * (ended - began))
        return self._counts

    def _count_blocking(self) -> LibraryCounts:
        with self._database.read() as connection:
            return count_library(connection)
