"""The pipeline's heart: claims owed photos, and sees to it that every stage is bounded: a photo is launched only
when a worker, a slot of shared memory and the committer have room."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from imgd.analyzers.preview import Preview
from imgd.config import Settings
from imgd.domain import Device, OwedPhoto, RunMode, StoredFinding
from imgd.pipeline.arena import MAX_PROCESSES, Arena
from imgd.pipeline.capacity import find_capacity
from imgd.pipeline.commit import AfterCommit
from imgd.pipeline.costs import CostMeter
from imgd.pipeline.devices import budget_bytes, find_devices, free_bytes
from imgd.pipeline.flights import Flights
from imgd.pipeline.idleness import Idleness
from imgd.pipeline.lanes import BATCHES_AHEAD, Lane
from imgd.pipeline.listener import PipelineListener
from imgd.pipeline.messages import LaneSetup, WorkerSetup
from imgd.pipeline.placement import place
from imgd.pipeline.plan import ActiveAnalyzer, model_edges, plan_photo
from imgd.pipeline.pool import WorkerPool
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.rates import RateMeter
from imgd.pipeline.tasks import start_task
from imgd.pipeline.twins import Takeover, copied_analyzers, find_takeovers
from imgd.store.costs import put_costs
from imgd.store.database import Database
from imgd.store.findings import read_findings
from imgd.store.jobs import OwedPage, QueuePosition, next_due, read_owed

_CLAIM_PHOTOS = 512
"""How many are put into the order of the disk together."""
_IDLE_STOP_S = 300.0
_MAX_IN_FLIGHT = 2048
_MAX_UNCOMMITTED = 1024
_MAX_UNCOMMITTED_BYTES = 128 << 20


class Pipeline:
    """Runs the analyzers of `active` over everything owed, until `stop`.

    What is owed to analyzers that wait for imgd to be idle is claimed once nothing else is owed or on its way and
    nobody has searched for a while, and no longer than until something else comes.
    """

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
        idleness: Idleness | None = None,
    ) -> None:
        """`formats`: (module, qualified name) of the image formats that plugins bring.
        `workers`: decode processes, 0 for as many as the machine has cores and memory for."""
        capacity = find_capacity(workers, len(os.sched_getaffinity(0)), free_bytes("cpu"))
        self._database = database
        self._arena = Arena(model_edges(active), settings.pipeline.pixel_memory_mb << 20)
        self._claimed: deque[OwedPhoto] = deque()
        self._position = QueuePosition()
        self._front_read_at = 0.0
        self._exhausted = False
        self._idleness = idleness or Idleness(settings.index.idle_s)
        self._costs = CostMeter()
        self._copied = copied_analyzers({each.id: each for each in active})  # also once one of them breaks
        self._idle = False  # whether it is those that wait for imgd to be idle whose queue is read
        self._was_busy = False
        self._wake = asyncio.Event()
        self._wakes = 0
        self._reads = 0  # from the front of the queue
        self._claimed_at = 0  # of `_wakes`
        self._paused = False
        self._task: asyncio.Task[None] | None = None
        self._flights = Flights(
            database,
            active,
            self._arena,
            listener,
            moved=self._wake.set,
            owed=self._read_again,
            after_commit=self._after(after_commit),
            commit_photos=settings.pipeline.commit_photos,
            commit_interval_s=settings.pipeline.commit_interval_s,
            previews=settings.previews,
        )
        self._pool = WorkerPool(
            starter,
            self._arena,
            _worker_setup(settings, active, formats, self._arena.size_bytes, capacity.share_bytes),
            self._flights,
            count=min(capacity.workers, MAX_PROCESSES // 2),
            timeout_s=settings.decode.timeout_s,
            idle_s=_IDLE_STOP_S,
            costs=self._costs,
        )
        self._homeless: dict[str, str] = {}
        self._lanes = self._make_lanes(starter, settings, active)
        self._flights.connect(self._pool, self._lanes)

    def start(self) -> None:
        self._flights.analyzers_unloadable(self._homeless)
        self._pool.start()
        for lane in self._lanes:
            lane.start()
        self._flights.committer.start()
        self._task = start_task(self._run(), "scheduler", self._flights.part_failed)

    async def stop(self) -> None:
        """Stop claiming, end the children, then commit what they had finished."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(self._pool.stop(), *(lane.stop() for lane in self._lanes))
        await self._flights.committer.stop()
        self._arena.close()

    def wake(self) -> None:
        """Jobs may be owed that were not, or not yet, and more urgent ones than those that were claimed."""
        self._wakes += 1
        self._flights.look_again()
        self._claimed.clear()
        self._idle = False
        self._read_again()

    def _read_again(self) -> None:
        """Read the queue from its front."""
        self._reads += 1
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
        return list(self._flights.ids.values())

    @property
    def _idle_ids(self) -> list[int]:
        return [each.id for each in self._flights.active.values() if each.run is RunMode.IDLE]

    @property
    def rates(self) -> RateMeter:
        return self._flights.rates

    @property
    def busy(self) -> bool:
        """Whether a photo is in flight, or the queue has not been read to its end."""
        return bool(self._flights or self._claimed) or not self._exhausted

    @property
    def faults(self) -> list[str]:
        """What keeps findings from being made or stored at present, in sentences."""
        return self._flights.faults

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while self._has_room() and not self._paused:
                if self._idle and self._idleness.left_s:  # somebody searches
                    self.wake()
                if not self._claimed and not await self._claim():
                    break
                if self._claimed:
                    await self._launch(self._claimed.popleft())
            self._tell_idleness()
            await self._wait()

    def _tell_idleness(self) -> None:
        is_busy = bool(self._flights or self._claimed)
        if (is_busy or self._was_busy) and not self._idle:
            self._idleness.disturb()
        self._was_busy = is_busy

    def _has_room(self) -> bool:
        slots = len(self._flights) < _MAX_IN_FLIGHT and (not self._arena.slot_bytes or self._arena.free_slots > 0)
        committer = self._flights.committer
        bounded = committer.backlog < _MAX_UNCOMMITTED and committer.backlog_bytes < _MAX_UNCOMMITTED_BYTES
        return slots and bounded and self._pool.room > 0

    async def _wait(self) -> None:
        """Until woken, until a postponed job is due, or until those may begin that wait for imgd to be idle."""
        rests = self._exhausted and not self._claimed and not self._paused
        due = self._flights.due
        delay_s = max(0.05, due - time.time()) if rests and due < float("inf") else None
        idle_s = max(0.05, self._idleness.left_s) if rests and self._may_idle else None
        delays = [each for each in (delay_s, idle_s) if each is not None]
        try:
            async with asyncio.timeout(min(delays, default=None)):
                await self._wake.wait()
        except TimeoutError:
            if time.time() >= due:
                self.wake()

    @property
    def _may_idle(self) -> bool:
        """Whether analyzers wait for imgd to be idle, and nothing is on its way that they would hold up."""
        return bool(not self._idle and not self._flights and self._idle_ids)

    async def _claim(self) -> bool:
        """Read the next stretch of the queue; False when there is nothing more."""
        if self._exhausted and self._may_idle and not self._idleness.left_s:
            self._idle = True
            self._read_again()
        if self._exhausted or not self._flights.active:
            self._exhausted = True
            return False
        reads, self._claimed_at = self._reads, self._wakes
        self._flights.due = float("inf")
        if self._position == QueuePosition():
            self._front_read_at = time.time()
        is_idle, waiting = self._idle, () if self._idle else self._idle_ids
        page, due = await asyncio.to_thread(self._read_page, self._position, self._flights.photo_ids, waiting)
        self._flights.due = min(self._flights.due, due)  # a commit may have postponed a job meanwhile
        if is_idle and not self._idle:  # something else has come meanwhile, and is not to wait for what was read
            return True
        if self._reads == reads:  # else what was read may be older than what is owed now
            self._exhausted = page.end is None
            self._position = page.end or QueuePosition()
        self._claimed.extend(photo for photo in page.photos if photo.photo_id not in self._flights)
        return bool(self._claimed) or not self._exhausted

    def _read_page(
        self, position: QueuePosition, skip: frozenset[int], waiting: Sequence[int]
    ) -> tuple[OwedPage, float]:
        """The next stretch, and behind the last one when the first postponed job is due. `waiting`: ids of
        analyzers of whose jobs only those count that a person asked for."""
        now, ids = time.time(), self.analyzer_ids
        with self._database.snapshot() as connection:
            page = read_owed(
                connection,
                [each for each in ids if each not in waiting],
                position,
                limit=_CLAIM_PHOTOS,
                now=now,
                skip=skip,
                previewer=Preview.name,
                asked=waiting,
                copied=self._copied,
            )
            # What came due since the front was read lies behind, and was not seen.
            due = next_due(connection, ids, self._front_read_at) if page.end is None else None
        return page, float("inf") if due is None else due

    async def _launch(self, photo: OwedPhoto) -> None:
        plan = plan_photo(photo, self._flights.active)
        if plan is None or photo.photo_id in self._flights:
            return
        findings: dict[str, StoredFinding] = {}
        if plan.reads:
            findings = await asyncio.to_thread(self._read_findings, photo.photo_id, plan.reads)
        takeovers = find_takeovers(plan, self._flights.active)
        if any(each.reads for each in takeovers):
            takeovers = await asyncio.to_thread(self._read_prior, takeovers)
        self._flights.launch(plan, findings, takeovers, look_again=self._claimed_at != self._wakes)

    def _after(self, after_commit: AfterCommit | None) -> AfterCommit:
        """What else belongs into a commit: how long its photos took, and what the caller wants."""

        def run(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> None:
            put_costs(connection, self._costs.take())
            if after_commit is not None:
                after_commit(connection, photo_ids)

        return run

    @property
    def workers(self) -> int:
        """How many decode workers there are."""
        return self._pool.count

    def devices_of(self, analyzer: str) -> list[str]:
        """The devices whose lanes host the model analyzer."""
        return [lane.device for lane in self._lanes if lane.hosts(analyzer)]

    def runtimes_of(self, analyzer: str) -> list[str]:
        """What runs the model analyzer, as it told when it was last loaded; each once."""
        told = (lane.runtimes.get(analyzer, "") for lane in self._lanes if lane.hosts(analyzer))
        return list(dict.fromkeys(filter(None, told)))

    def _read_findings(self, photo_id: int, names: Sequence[str]) -> dict[str, StoredFinding]:
        with self._database.read() as connection:
            return read_findings(connection, photo_id, names)

    def _read_prior(self, takeovers: Sequence[Takeover]) -> tuple[Takeover, ...]:
        return tuple(
            replace(each, prior=self._read_findings(each.twin.photo_id, sorted(each.reads)))
            if each.reads
            else each
            for each in takeovers
        )

    def _make_lanes(
        self, starter: ChildStarter, settings: Settings, active: Sequence[ActiveAnalyzer]
    ) -> list[Lane]:
        models = {each.name: each for each in active if each.declaration.device is Device.MODEL}
        limit_mb = settings.lanes.memory_mb
        rooms = {
            device: None if room is None else room / (1 << 20)
            for device in (find_devices(settings.lanes.devices) if models else ())
            for room in [budget_bytes(device, limit_mb)]
        }
        placement = place(
            {name: each.declaration.memory_mb + each.declaration.photo_mb for name, each in models.items()}, rooms
        )
        self._homeless.update(placement.homeless)
        hosts = {device: [models[name] for name in names] for device, names in placement.hosted.items() if names}
        nice, arena_bytes = settings.pipeline.nice, self._arena.size_bytes
        # What a lane has at hand and the batch that fills must not wait for each other's slots.
        most = max(1, self._arena.free_slots // ((BATCHES_AHEAD + 1) * max(1, len(hosts))))
        return [
            Lane(
                starter,
                self._arena,
                LaneSetup(
                    MAX_PROCESSES - 1 - index,
                    device,
                    tuple(each.spec for each in hosted),
                    arena_bytes,
                    nice,
                    limit_mb,
                ),
                {each.name: min(each.declaration.batch_size, most) for each in hosted},
                self._flights,
                batch_wait_s=settings.lanes.batch_wait_s,
                timeout_s=settings.lanes.timeout_s,
                idle_s=_IDLE_STOP_S,
                costs=self._costs,
            )
            for index, (device, hosted) in enumerate(hosts.items())
        ]


def _worker_setup(
    settings: Settings,
    active: Sequence[ActiveAnalyzer],
    formats: tuple[tuple[str, str], ...],
    arena_bytes: int,
    share_bytes: int,
) -> Callable[[int], WorkerSetup]:
    inline = tuple(each.spec for each in active if each.declaration.device is Device.CPU)
    pipeline = settings.pipeline

    def make(index: int) -> WorkerSetup:
        return WorkerSetup(
            index,
            inline,
            formats,
            settings.decode,
            arena_bytes,
            pipeline.nice,
            pipeline.recycle_after,
            share_bytes,
        )

    return make
