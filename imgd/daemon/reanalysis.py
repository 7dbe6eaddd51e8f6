"""What a person asks analyzers to do: photos that were never analyzed, or all anew; and what that would take."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from imgd.analyzers.preview import Preview
from imgd.control.plans import (
    AnalyzeAnswer,
    AnalyzeRequest,
    ReanalysisAnswer,
    ReanalysisEntry,
    ReanalyzeRequest,
)
from imgd.daemon.duration import Task, estimate
from imgd.daemon.roster import AnalyzerState, Roster, Standing
from imgd.domain import Device, Priority, RunMode
from imgd.errors import RequestError
from imgd.pipeline.plan import is_covered
from imgd.pipeline.scheduler import Pipeline
from imgd.search.engine import SearchEngine
from imgd.search.options import SearchOptions
from imgd.store.analyzers import AnalyzerRow, read_analyzers
from imgd.store.costs import Measured, read_costs
from imgd.store.database import Database, T, Work
from imgd.store.reanalysis import (
    Stale,
    count_present,
    count_stale,
    count_stale_of,
    owe_again,
    owe_earlier,
    owe_lacking,
    owe_photos,
    share_with_preview,
    stretches,
)

_PAGE = 10_000

OutOfReach = Callable[[], Awaitable[Mapping[str, int]]]
"""How many owed jobs of each analyzer are of photos in roots that are offline."""


class Parts(Protocol):
    """The parts of the daemon that it concerns: the pipeline may be another one each time."""

    database: Database
    roster: Roster
    engine: SearchEngine
    pipeline: Pipeline


class Reanalysis:
    """Plans, and puts photos into the queue."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def analyze(self, request: AnalyzeRequest) -> AnalyzeAnswer:
        """Put the photos into the queue that the analyzer, and those that it reads, have no current finding of.

        Raises:
            RequestError: no analyzer has the name, it is switched off, or no photos are named.
            QueryError: the query cannot be understood.
        """
        rows = await self._rows()
        self._parts.roster.find(request.analyzer)
        names = [*self._read_by(request.analyzer), request.analyzer]
        if request.everything:
            # Photos that are owed anyway are as urgent as they are; of the others, nobody waits for the last one.
            ranges = await asyncio.to_thread(self._stretches)
            works: list[list[Work[int]]] = [
                [partial(_owe_lacking, row=rows[name], stretch=stretch) for stretch in ranges] for name in names
            ]
            photos = await asyncio.to_thread(self._present)
            notes: tuple[str, ...] = ()
        else:
            if not request.photo_ids and not request.query:
                raise RequestError("no photos are named", hint="Name photos, a query, or all.")
            found, notes = await self._photos(request.photo_ids, request.query)
            photos = len(found)
            works = [[partial(_owe, row=rows[name], photos=found)] for name in names]
        queued = [sum([await self._write(work) for work in each]) for each in works]
        self._parts.pipeline.wake()
        return AnalyzeAnswer(photos, queued[-1], sum(queued[:-1]), (*notes, *self._waits(request.analyzer)))

    async def reanalyze(self, request: ReanalyzeRequest, out_of_reach: OutOfReach) -> ReanalysisAnswer:
        """The plan; without `request.plan` it is put into the queue, too.

        Raises:
            RequestError: no analyzer has such a name, or it is switched off.
            QueryError: the query cannot be understood.
        """
        for name in request.analyzers:
            self._parts.roster.find(name)
        rows = await self._rows()
        is_part = bool(request.photo_ids or request.query)
        photos, notes = await self._photos(request.photo_ids, request.query) if is_part else (None, ())
        chosen = request.analyzers or tuple(rows)
        again = bool(request.analyzers)
        unreachable = {} if is_part else await out_of_reach()
        readers = [rows[each] for each in self._readers_of(request.analyzers)]
        read = partial(self._read, [rows[each] for each in chosen], readers, photos, again)
        stale, shares, costs = await asyncio.to_thread(read)
        answer = self._plan(stale, shares, costs, unreachable)
        queued = 0
        if not request.plan:
            for name in chosen:
                queued += await self._owe(rows[name], photos, again=again)
            self._parts.pipeline.wake()
        return msgspec.structs.replace(
            answer, put_in_queue=queued, photos=None if photos is None else len(photos), notes=notes
        )

    # ------------------------------------------------------------------ what is meant

    def _waits(self, name: str) -> list[str]:
        """What keeps the analyzer from looking at photos, if anything does."""
        standing = self._parts.roster.standings[name]
        if standing.state in (AnalyzerState.WAITING, AnalyzerState.MISSING, AnalyzerState.BROKEN):
            return [f"{name} is {standing.state}: {standing.advice}"]
        return []

    def _read_by(self, name: str) -> list[str]:
        """Analyzers whose findings `name` reads, each behind those that it reads itself."""
        found: dict[str, None] = {}
        for other in self._parts.roster.standings[name].declaration.after:
            standing = self._parts.roster.standings.get(other)
            if standing is not None and standing.state is not AnalyzerState.OFF:
                found |= dict.fromkeys([*self._read_by(other), other])
        return list(found)

    def _readers_of(self, names: Sequence[str]) -> list[str]:
        """Analyzers that read what those of `names` find, and those that read what these find, and so on: what
        they read being newer, photos owe them by themselves."""
        found = list(names)
        for name in found:
            found += [
                reader
                for reader, each in self._parts.roster.standings.items()
                if name in each.declaration.after
                and reader not in found
                and each.run not in (RunMode.OFF, RunMode.REQUEST)
            ]
        return found[len(names) :]

    async def _photos(self, photo_ids: Iterable[int], query: str) -> tuple[list[int], tuple[str, ...]]:
        """Ids of the photos that are named or found, and what the search had to tell."""
        found = dict.fromkeys(photo_ids)
        notes: dict[str, None] = {}
        after = ""
        while query:
            options = SearchOptions(limit=_PAGE, sort="path", after=after)
            answer = await self._parts.engine.search(query, options)
            found |= dict.fromkeys(hit.photo_id for hit in answer.hits)
            notes |= dict.fromkeys(answer.notes)
            after = answer.after
            if not after:
                break
        return list(found), tuple(notes)

    async def _rows(self) -> dict[str, AnalyzerRow]:
        return await asyncio.to_thread(self._read_rows)

    # ------------------------------------------------------------------ blocking: in threads

    def _read_rows(self) -> dict[str, AnalyzerRow]:
        with self._parts.database.read() as connection:
            return {
                row.name: row
                for row in read_analyzers(connection)
                if row.active and row.name in self._parts.roster.standings
            }

    def _present(self) -> int:
        with self._parts.database.read() as connection:
            return count_present(connection)

    def _stretches(self) -> list[tuple[int, int]]:
        with self._parts.database.read() as connection:
            return stretches(connection)

    def _read(
        self,
        rows: Sequence[AnalyzerRow],
        readers: Sequence[AnalyzerRow],
        photos: Sequence[int] | None,
        again: bool,
    ) -> tuple[dict[str, Stale], dict[str, float], dict[str, Measured]]:
        """What is stale of `rows`, and of the `readers` that follow them; of each, the share with a preview; and
        all costs."""
        now = time.time()
        with self._parts.database.snapshot() as connection:

            def count(row: AnalyzerRow) -> Stale:
                if photos is None:
                    return count_stale(connection, row, again=again)
                return count_stale_of(connection, row, photos, again=again)

            stale = {row.name: count(row) for row in rows}
            anew = sum(found.photos for found in stale.values())
            stale |= {row.name: count(row).behind(anew) for row in readers}
            shares = {}
            for name, found in stale.items():
                declaration = self._parts.roster.standings[name].declaration
                may = declaration.needs.edge > 0 and is_covered(declaration) and found.photos
                shares[name] = share_with_preview(connection, found.sample, Preview.name, now) if may else 0.0
            return stale, shares, read_costs(connection)

    # ------------------------------------------------------------------ into the queue

    async def _owe(self, row: AnalyzerRow, photos: Sequence[int] | None, *, again: bool) -> int:
        priority = int(Priority.REANALYSIS)
        if photos is not None:
            return await self._write(partial(owe_photos, row=row, photos=photos, priority=priority, again=again))
        if not again:  # what is not current is owed already, but for what runs on request
            if row.run is not RunMode.REQUEST:
                return 0
            return await self._write(partial(owe_earlier, row=row, priority=priority))
        owed = 0
        for stretch in await asyncio.to_thread(self._stretches):
            owed += await self._write(partial(owe_again, row=row, stretch=stretch, priority=priority))
        return owed

    async def _write(self, work: Work[T]) -> T:
        return await asyncio.wrap_future(self._parts.database.write(work))

    # ------------------------------------------------------------------ the plan

    def _plan(
        self,
        stale: Mapping[str, Stale],
        shares: Mapping[str, float],
        costs: Mapping[str, Measured],
        out_of_reach: Mapping[str, int],
    ) -> ReanalysisAnswer:
        entries, tasks = [], []
        for name, found in stale.items():
            if not found.photos:
                continue
            standing = self._parts.roster.standings[name]
            away = min(out_of_reach.get(name, 0), found.photos)
            task = self._task(standing, found.photos - away, shares[name])
            tasks.append(task)
            entries.append(self._entry(standing, found, task, costs, away))
        workers = self._parts.pipeline.workers
        all_of_it = estimate(tasks, costs, workers)
        from_files = [Task(t.analyzer, t.photos, 0, t.edge_px, t.lanes, t.needs_file) for t in tasks]
        is_known = not all_of_it.unmeasured
        uses_previews = any(task.from_previews for task in tasks)
        return ReanalysisAnswer(
            tuple(entries),
            all_of_it.seconds if is_known else None,
            estimate(from_files, costs, workers).seconds if is_known and uses_previews else None,
            all_of_it.seconds,
            all_of_it.unmeasured,
        )

    def _task(self, standing: Standing, photos: int, share: float) -> Task:
        declaration = standing.declaration
        is_model = declaration.device is Device.MODEL
        return Task(
            declaration.name,
            photos,
            round(photos * share),
            declaration.needs.edge,
            tuple(self._parts.pipeline.devices_of(declaration.name)) or ("cpu",) if is_model else (),
            needs_file=not is_model and declaration.needs.edge == 0,
        )

    def _entry(
        self, standing: Standing, found: Stale, task: Task, costs: Mapping[str, Measured], away: int
    ) -> ReanalysisEntry:
        cost = costs.get(task.analyzer)
        side_by_side = len(task.lanes) or self._parts.pipeline.workers
        return ReanalysisEntry(
            task.analyzer,
            standing.state,
            standing.run,
            found.photos,
            found.queued,
            {str(reason): count for reason, count in found.reasons.items()},
            found.failed,
            away,
            task.edge_px,
            task.from_previews,
            None if cost is None else cost.per_photo_s,
            cost is not None and cost.outdated,
            None if cost is None else task.photos * cost.per_photo_s / side_by_side,
            found.estimated,
        )


def _owe(connection: sqlite3.Connection, row: AnalyzerRow, photos: Sequence[int]) -> int:
    return owe_photos(connection, row, photos, int(Priority.REQUEST), again=False)


def _owe_lacking(connection: sqlite3.Connection, row: AnalyzerRow, stretch: tuple[int, int]) -> int:
    return owe_lacking(connection, row, stretch, int(Priority.SCAN))
