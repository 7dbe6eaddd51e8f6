"""The pipeline's heart: claims owed photos, sends them through workers and lanes, and hands outcomes to the
committer. Every stage is bounded: a photo is claimed only when a worker, a slot and the committer have room.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imgd.config import Settings
from imgd.domain import Decoded, DecodeReport, Outcome, OwedPhoto, StoredFinding
from imgd.pipeline.arena import MAX_PROCESSES, Arena
from imgd.pipeline.commit import AfterCommit, Committer
from imgd.pipeline.lanes import Lane, find_devices
from imgd.pipeline.messages import (
    AnalyzerOutcome,
    LaneItem,
    LaneSetup,
    Level,
    PhotoResult,
    PhotoStatus,
    PhotoTask,
    WorkerSetup,
)
from imgd.pipeline.plan import ActiveAnalyzer, Plan, model_edges, plan_photo
from imgd.pipeline.pool import WorkerPool
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.rates import RateMeter
from imgd.store.database import Database
from imgd.store.findings import Committed, read_findings
from imgd.store.jobs import OwedPage, QueuePosition, next_due, read_owed

log = logging.getLogger(__name__)

_CLAIM_PHOTOS = 128
_MAX_DEATHS = 3
"""How often workers may die at one photo before it fails: a kill from outside is not the photo's fault."""
_TRANSIENT_RETRY_S = 60.0
_FRESH_FILE_S = 60.0
_FRESH_RETRY_S = 5.0
_IDLE_STOP_S = 300.0
_MAX_UNCOMMITTED = 1024


class PipelineListener(Protocol):
    """Whoever wants to know what the pipeline did; called in the event loop."""

    def findings_committed(self, committed: Committed) -> None: ...

    def file_changed(self, path: bytes) -> None:
        """The file at `path` is not as registered, or not there."""

    def analyzer_broke(self, name: str, reason: str) -> None: ...


@dataclass(slots=True)
class _Flight:
    """A photo between its claim and its last commit."""

    plan: Plan
    slot: int = -1
    report: DecodeReport | None = None
    reported: bool = False
    findings: dict[str, StoredFinding] = field(default_factory=dict)
    uncommitted: set[str] = field(default_factory=set)  # analyzers
    in_lanes: set[str] = field(default_factory=set)


class Pipeline:
    """Runs the analyzers of `active` over everything owed, until `stop`."""

    def __init__(
        self,
        database: Database,
        starter: ChildStarter,
        settings: Settings,
        active: Sequence[ActiveAnalyzer],
        *,
        formats: tuple[tuple[str, str], ...],
        listener: PipelineListener,
        after_commit: AfterCommit | None = None,
        workers: int = 1,
    ) -> None:
        self._database = database
        self._listener = listener
        self._active = {each.id: each for each in active}
        self._ids = {each.name: each.id for each in active}
        self._settings = settings
        self._arena = Arena(model_edges(active), settings.pipeline.pixel_memory_mb << 20)
        self._flights: dict[int, _Flight] = {}
        self._claimed: deque[OwedPhoto] = deque()
        self._position = QueuePosition()
        self._exhausted = False
        self._deaths: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._paused = False
        self._task: asyncio.Task[None] | None = None
        self.rates = RateMeter()
        self.last_busy = time.monotonic()
        self._due = float("inf")  # when the first postponed job is due
        self._faults: dict[str, str] = {}
        inline = tuple(each.spec for each in active if each.declaration.device == "cpu")
        pipeline = settings.pipeline

        def worker_setup(index: int) -> WorkerSetup:
            return WorkerSetup(
                index,
                inline,
                formats,
                settings.decode,
                self._arena.size_bytes,
                pipeline.nice,
                pipeline.recycle_after,
            )

        self._pool = WorkerPool(
            starter,
            self._arena,
            worker_setup,
            self,
            count=workers,
            timeout_s=settings.decode.timeout_s,
            idle_s=_IDLE_STOP_S,
        )
        self._lanes = self._make_lanes(starter, active)
        self._committer = Committer(
            database,
            self._after_commit,
            after_commit,
            photos=pipeline.commit_photos,
            interval_s=pipeline.commit_interval_s,
        )

    def start(self) -> None:
        self._pool.start()
        for lane in self._lanes:
            lane.start()
        self._committer.start()
        self._task = asyncio.create_task(self._run(), name="scheduler")

    async def stop(self) -> None:
        """Stop claiming, end the children, then commit what they had finished."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(self._pool.stop(), *(lane.stop() for lane in self._lanes))
        await self._committer.stop()
        self._arena.close()

    def wake(self) -> None:
        """Jobs may be owed that were not, or not yet."""
        self._exhausted = False
        self._position = QueuePosition()
        self._wake.set()

    def pause(self, *, paused: bool) -> None:
        """Claim nothing more until resumed; what is in flight is finished."""
        self._paused = paused
        self._wake.set()

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def analyzer_ids(self) -> list[int]:
        """Ids of the analyzers that run here."""
        return list(self._ids.values())

    @property
    def busy(self) -> bool:
        """Whether a photo is in flight, or the queue has not been read to its end."""
        return bool(self._flights or self._claimed) or not self._exhausted

    @property
    def faults(self) -> list[str]:
        """What keeps findings from being made or stored at present, in sentences."""
        return [*self._faults.values(), *filter(None, [self._committer.fault])]

    # ------------------------------------------------------------------ claiming

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while self._has_room() and not self._paused:
                if not self._claimed and not await self._claim():
                    break
                if self._claimed:
                    await self._launch(self._claimed.popleft())
            if self._flights or self._claimed:
                self.last_busy = time.monotonic()
            await self._wait()

    def _has_room(self) -> bool:
        slots = not self._arena.slot_bytes or self._arena.free_slots > 0
        return slots and self._pool.room > 0 and self._committer.backlog < _MAX_UNCOMMITTED

    async def _wait(self) -> None:
        """Until woken, or until a postponed job is due."""
        waits = self._exhausted and not self._claimed and not self._paused
        delay_s = max(0.05, self._due - time.time()) if waits and self._due < float("inf") else None
        try:
            async with asyncio.timeout(delay_s):
                await self._wake.wait()
        except TimeoutError:
            self.wake()

    async def _claim(self) -> bool:
        """Read the next stretch of the queue; False when there is nothing more."""
        if self._exhausted or not self._active:
            self._exhausted = True
            return False
        position = self._position
        page, due = await asyncio.to_thread(self._read_page, position, frozenset(self._flights))
        if self._position == position:  # else `wake` has sent it back to the front meanwhile
            self._exhausted = page.end is None
            self._position = page.end or QueuePosition()
            self._due = due
        self._claimed.extend(photo for photo in page.photos if photo.photo_id not in self._flights)
        return bool(self._claimed) or not self._exhausted

    def _read_page(self, position: QueuePosition, skip: frozenset[int]) -> tuple[OwedPage, float]:
        """The next stretch, and behind the last one when the first postponed job is due."""
        now = time.time()
        with self._database.snapshot() as connection:
            page = read_owed(connection, self._ids.values(), position, limit=_CLAIM_PHOTOS, now=now, skip=skip)
            due = next_due(connection, self._ids.values(), now) if page.end is None else None
        return page, float("inf") if due is None else due

    async def _launch(self, photo: OwedPhoto) -> None:
        plan = plan_photo(photo, self._active)
        if plan is None or photo.photo_id in self._flights:
            return
        flight = _Flight(plan)
        self._flights[photo.photo_id] = flight
        if plan.reads:
            flight.findings = await asyncio.to_thread(self._read_findings, photo.photo_id, plan.reads)
        if plan.model_edges:
            flight.slot = self._arena.lend()
        self._submit(flight)

    def _read_findings(self, photo_id: int, names: Sequence[str]) -> dict[str, StoredFinding]:
        with self._database.read() as connection:
            return read_findings(connection, photo_id, names)

    def _submit(self, flight: _Flight) -> None:
        photo, plan = flight.plan.photo, flight.plan
        self._pool.submit(
            PhotoTask(
                photo.photo_id,
                photo.path,
                photo.stat,
                photo.sidecars,
                plan.inline,
                plan.model_edges,
                flight.slot,
                flight.findings,
            )
        )

    # ------------------------------------------------------------------ what workers and lanes say

    def photo_worked(self, task: PhotoTask, result: PhotoResult) -> None:
        flight = self._flights[task.photo_id]
        self._deaths.pop(task.photo_id, None)
        if result.status is not PhotoStatus.DONE:
            if result.status is not PhotoStatus.UNREADABLE:
                self._listener.file_changed(task.path)
            retry_in_s = (
                None if result.status is PhotoStatus.UNREADABLE and not result.transient else _FRESH_RETRY_S
            )
            self._fail_all(flight, result.reason, retry_in_s)
            return
        flight.report = result.report
        if self._is_fresh_and_cut(flight, result):
            self._fail_all(
                flight, result.reason or (result.report.damage if result.report else ""), _FRESH_RETRY_S
            )
            return
        levels = {level.edge: level for level in result.levels}
        for outcome in result.outcomes:
            self._add_outcome(flight, outcome)
        for name in flight.plan.models:
            edge = self._active[self._ids[name]].declaration.needs.edge
            if edge in levels:
                self._to_lane(flight, name, levels[edge])
            else:
                self._add_outcome(flight, AnalyzerOutcome(name, reason=result.reason))
        self._land(flight)

    def photo_killed(self, task: PhotoTask, doing: str, reason: str, *, hung: bool) -> None:
        flight = self._flights[task.photo_id]
        deaths = self._deaths[task.photo_id] = self._deaths.get(task.photo_id, 0) + 1
        if not hung and deaths < _MAX_DEATHS:
            self._submit(flight)
            return
        del self._deaths[task.photo_id]
        what = "decoding it" if doing == "decode" else f"analyzer {doing}"
        self._fail_all(flight, f"{what} {reason}" if hung else f"{what}: the worker {reason}", None)

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome) -> None:
        flight = self._flights[item.photo_id]
        flight.in_lanes.discard(outcome.analyzer)
        self._add_outcome(flight, outcome)
        self._land(flight)

    def analyzers_unloadable(self, faults: Mapping[str, str]) -> None:
        for name, reason in faults.items():
            self._listener.analyzer_broke(name, reason)
            self._active.pop(self._ids.pop(name, -1), None)

    def worker_free(self) -> None:
        self._wake.set()

    # ------------------------------------------------------------------ outcomes

    def _to_lane(self, flight: _Flight, name: str, level: Level) -> None:
        photo, report = flight.plan.photo, flight.report
        assert report is not None
        after = self._active[self._ids[name]].declaration.after
        item = LaneItem(
            photo.photo_id,
            photo.path,
            report.format,
            report.width,
            report.height,
            level,
            {each: flight.findings[each] for each in after if each in flight.findings},
        )
        flight.in_lanes.add(name)
        min(self._lanes, key=lambda lane: lane.backlog).submit(name, item)

    def _add_outcome(self, flight: _Flight, outcome: AnalyzerOutcome) -> None:
        photo = flight.plan.photo
        if outcome.finding is not None:
            flight.findings[outcome.analyzer] = outcome.finding
        if outcome.transient:
            self._faults[outcome.analyzer] = f"{outcome.analyzer}: {outcome.reason}"
        elif outcome.finding is not None:
            self._faults.pop(outcome.analyzer, None)
        analyzer_id = self._ids.get(outcome.analyzer)
        if analyzer_id is None:  # it broke meanwhile; its jobs stay owed
            return
        retry_in_s = _TRANSIENT_RETRY_S if outcome.transient else None
        committed = Outcome(
            photo.photo_id, analyzer_id, photo.revision, outcome.finding, outcome.reason, retry_in_s
        )
        flight.uncommitted.add(outcome.analyzer)
        self._committer.add(self._take_report(flight), [committed])

    def _fail_all(self, flight: _Flight, reason: str, retry_in_s: float | None) -> None:
        photo = flight.plan.photo
        names = [name for name in (*flight.plan.inline, *flight.plan.models) if name in self._ids]
        flight.uncommitted.update(names)
        self._committer.add(
            self._take_report(flight),
            [Outcome(photo.photo_id, self._ids[name], photo.revision, None, reason, retry_in_s) for name in names],
        )
        self._land(flight)

    def _take_report(self, flight: _Flight) -> Decoded | None:
        """The photo's report, once: with its first outcomes."""
        report, photo = flight.report, flight.plan.photo
        if report is None or flight.reported:
            return None
        flight.reported = True
        return Decoded(photo.photo_id, photo.revision, report)

    def _is_fresh_and_cut(self, flight: _Flight, result: PhotoResult) -> bool:
        """Whether a truncated file may still be being written: it is tried again, a few times."""
        damage = result.reason or (result.report.damage if result.report else "")
        age_s = time.time() - flight.plan.photo.stat.mtime_ns / 1e9
        return "truncated" in damage and 0 <= age_s < _FRESH_FILE_S

    def _land(self, flight: _Flight) -> None:
        """Give the slot back once no lane needs it; the flight itself ends with its last commit."""
        if flight.in_lanes:
            return
        if flight.slot >= 0:
            self._arena.take_back(flight.slot)
            flight.slot = -1
        if not flight.uncommitted:
            self._flights.pop(flight.plan.photo.photo_id, None)
        if not self._claimed and self._committer.backlog >= len(self._flights):
            self._committer.flush()
        self._wake.set()

    def _after_commit(self, committed: Committed) -> None:
        names = {each.id: each.name for each in self._active.values()}
        partial = False
        for outcome in (*committed.counted, *committed.dropped):
            if outcome.retry_in_s is not None:
                self._due = min(self._due, time.time() + outcome.retry_in_s)
            flight = self._flights.get(outcome.photo_id)
            if flight is None:
                continue
            flight.uncommitted.discard(names.get(outcome.analyzer_id, ""))
            if not flight.uncommitted and not flight.in_lanes and flight.slot < 0:
                del self._flights[outcome.photo_id]
                partial = partial or not flight.plan.complete
        self.rates.count([names[each.analyzer_id] for each in committed.counted if each.analyzer_id in names])
        self._listener.findings_committed(committed)
        if committed.dropped or partial:
            self.wake()
        self._wake.set()

    def _make_lanes(self, starter: ChildStarter, active: Sequence[ActiveAnalyzer]) -> list[Lane]:
        models = [each for each in active if each.declaration.device == "model"]
        if not models:
            return []
        lanes = self._settings.lanes
        return [
            Lane(
                starter,
                self._arena,
                LaneSetup(
                    MAX_PROCESSES - 1 - index,
                    device,
                    tuple(each.spec for each in models),
                    self._arena.size_bytes,
                    self._settings.pipeline.nice,
                ),
                {each.name: each.declaration.batch_size for each in models},
                self,
                batch_wait_s=lanes.batch_wait_s,
                timeout_s=lanes.timeout_s,
                idle_s=_IDLE_STOP_S,
            )
            for index, device in enumerate(find_devices(lanes.devices))
        ]
