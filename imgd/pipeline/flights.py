"""Photos between their claim and their last commit: what workers and lanes say of each becomes outcomes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from imgd.analyzers.preview import preview_path
from imgd.domain import Decoded, Outcome, StoredFinding
from imgd.pipeline.arena import Arena
from imgd.pipeline.commit import AfterCommit, Committer
from imgd.pipeline.flight import Flight
from imgd.pipeline.lanes import MAX_CONVICTIONS, Lane
from imgd.pipeline.listener import PipelineListener
from imgd.pipeline.messages import (
    DECODING,
    WAITING,
    AnalyzerOutcome,
    LaneItem,
    Level,
    PhotoResult,
    PhotoStatus,
    PhotoTask,
    StandIn,
)
from imgd.pipeline.plan import ActiveAnalyzer, Plan, of_sidecars
from imgd.pipeline.pool import Guilt, WorkerPool
from imgd.pipeline.rates import RateMeter
from imgd.pipeline.twins import Takeover, twin_files
from imgd.store.database import Database
from imgd.store.findings import Committed

_MAX_DEATHS = 2
"""How often workers may die at one photo before it fails: what an earlier photo left behind may be to blame."""
_MAX_KILLS = 5
"""The same for workers that were killed, perhaps from outside, before the photo is put off: whoever kills may
stop. Each time that it was put off, once is enough."""
_MAX_ATTEMPTS = 8
"""How often a photo whose file cannot be read now, or whose workers are killed, is put off, each time for twice
as long, before it fails."""
_PATIENCE = {Guilt.CERTAIN: 1, Guilt.LIKELY: _MAX_DEATHS, Guilt.UNKNOWN: _MAX_KILLS}
_FILE_RETRY_S = 5.0
_ANALYZER_RETRY_S = 60.0
_LONGEST_RETRY_S = 900.0
_FRESH_FILE_S = 60.0


class Flights:
    """All photos on their way. `moved` is called whenever one got on; `owed` when more of one may be owed."""

    def __init__(
        self,
        database: Database,
        active: Sequence[ActiveAnalyzer],
        arena: Arena,
        listener: PipelineListener,
        *,
        moved: Callable[[], None],
        owed: Callable[[], None],
        after_commit: AfterCommit | None,
        commit_photos: int,
        commit_interval_s: float,
        previews: Path,
    ) -> None:
        """`previews`: the directory of the cached previews."""
        self.active = {each.id: each for each in active}
        self.ids = {each.name: each.id for each in active}
        self._names = {each.id: each.name for each in active}  # of those that broke meanwhile, too
        self._of_sidecars = of_sidecars(active)
        self.rates = RateMeter()
        self.due = float("inf")
        """When the first postponed job is due, in seconds since the epoch."""
        self.committer = Committer(
            database,
            self.committed,
            after_commit,
            photos=commit_photos,
            interval_s=commit_interval_s,
            failed=listener.part_failed,
        )
        self._arena = arena
        self._previews = previews
        self._listener = listener
        self._moved = moved
        self._owed = owed
        self._flights: dict[int, Flight] = {}
        self._deaths: dict[int, int] = {}
        self._convictions: Counter[str] = Counter()  # photos in a row at which workers died of an analyzer
        self._faults: dict[str, str] = {}
        self._pool_fault = ""
        self._pool: WorkerPool | None = None
        self._lanes: Sequence[Lane] = ()

    def connect(self, pool: WorkerPool, lanes: Sequence[Lane]) -> None:
        """Where photos go: to workers first, then to lanes."""
        self._pool = pool
        self._lanes = lanes

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, photo_id: int) -> bool:
        return photo_id in self._flights

    def look_again(self) -> None:
        """More of the photos on their way may be owed now: whoever claims next did not see it."""
        for flight in self._flights.values():
            flight.look_again = True

    @property
    def photo_ids(self) -> frozenset[int]:
        return frozenset(self._flights)

    @property
    def faults(self) -> list[str]:
        """What keeps findings from being made or stored at present, in sentences."""
        leaks = [leak for lane in self._lanes for leak in lane.leaks.values()]
        return [*self._faults.values(), *leaks, *filter(None, [self._pool_fault, self.committer.fault])]

    def launch(
        self,
        plan: Plan,
        findings: dict[str, StoredFinding],
        takeovers: tuple[Takeover, ...] = (),
        *,
        look_again: bool,
    ) -> None:
        """Send a claimed photo to the workers; the caller has seen to it that there is room. `look_again`: more of
        it may have come to be owed while it was claimed."""
        slot = self._arena.lend() if plan.model_edges else -1
        flight = Flight(plan, slot, findings=findings, look_again=look_again, takeovers=takeovers)
        self._flights[plan.photo.photo_id] = flight
        if plan.needs_worker:
            self._submit(flight)
        else:
            self._go_to_lanes(flight)

    # ------------------------------------------------------------------ what workers and lanes say

    def photo_worked(self, task: PhotoTask, result: PhotoResult, size_bytes: int) -> None:
        flight = self._flights[task.photo_id]
        flight.at_worker = False
        self._deaths.pop(task.photo_id, None)
        if result.leaky:
            self._faults[f"leak {result.leaky}"] = f"analyzer {result.leaky}: {result.leak}"
        flight.report, flight.route = result.report, result.route
        reason = result.reason or (result.report.damage if result.report else "")
        if result.status is PhotoStatus.UNREADABLE and not result.transient:
            self._fail_all(flight, reason)
        elif result.status is not PhotoStatus.DONE:
            if result.status is not PhotoStatus.UNREADABLE:
                self._listener.file_changed(task.path)
            self._postpone_all(flight, reason)
        elif "truncated" in reason and _is_fresh(task):
            self._postpone_all(flight, reason)  # it may still be being written
        else:
            self._take_outcomes(flight, result, size_bytes)

    def photo_killed(self, task: PhotoTask, doing: str, reason: str, guilt: Guilt) -> None:
        flight = self._flights[task.photo_id]
        if flight.takeovers and doing in (DECODING, WAITING):  # the file of a twin may be to blame
            flight.takeovers = ()
            self._submit(flight)
            return
        deaths = self._deaths[task.photo_id] = self._deaths.get(task.photo_id, 0) + 1
        is_unsure = guilt is Guilt.UNKNOWN
        if deaths < _PATIENCE[guilt] and not (is_unsure and flight.attempts):
            self._submit(flight)
            return
        del self._deaths[task.photo_id]
        flight.at_worker = False
        if doing in flight.plan.inline:
            self._convict(flight, doing, reason, transient=is_unsure)
            return
        said = f"{'decoding it' if doing in (DECODING, WAITING) else f'analyzer {doing}'}: {reason}"
        if is_unsure:
            self._postpone_all(flight, said)
        else:
            self._fail_all(flight, said)

    def _convict(self, flight: Flight, name: str, reason: str, *, transient: bool) -> None:
        """Workers die of an inline analyzer at this photo: it fails, and the others go on without it. Where it
        does so at several photos in a row, it is the analyzer that does not work, and is set aside."""
        flight.left_out.add(name)
        self._convictions[name] += 1
        transient = transient and flight.attempts < _MAX_ATTEMPTS
        if not transient and self._convictions[name] >= MAX_CONVICTIONS and name in self.ids:
            said = f"{name}: {reason} at {self._convictions[name]} photos in a row"
            self.analyzers_unloadable({name: said})
        else:
            self._add_outcome(
                flight, AnalyzerOutcome(name, reason=f"analyzer {name}: {reason}", transient=transient)
            )
        self._submit(flight)

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        flight = self._flights[item.photo_id]
        flight.in_lanes.discard(outcome.analyzer)
        self._add_outcome(flight, outcome, size_bytes)
        self._fill_lanes(flight)
        self._land(flight)

    def item_returned(self, analyzer: str, item: LaneItem, reason: str) -> None:
        """A lane cannot analyze it: another one takes it, or it stays owed."""
        if not self._submit_to_lane(analyzer, item):
            self.item_analyzed(item, AnalyzerOutcome(analyzer, reason=reason, transient=True))

    def workers_unstartable(self, reason: str) -> None:
        self._pool_fault = reason

    def analyzers_unloadable(self, faults: Mapping[str, str]) -> None:
        for name, reason in faults.items():
            if any(lane.hosts(name) for lane in self._lanes):
                continue  # it does not work on one device, but on another
            self._listener.analyzer_broke(name, reason)
            if self._pool is not None:
                self._pool.bar([name])
            self.active.pop(self.ids.pop(name, -1), None)

    def worker_free(self) -> None:
        self._moved()

    def part_failed(self, name: str, error: BaseException) -> None:
        self._listener.part_failed(name, error)

    def committed(self, committed: Committed) -> None:
        """A batch is in the store: flights end with their last commit."""
        more = owes_more = bool(committed.dropped or committed.owed)
        for outcome in (*committed.counted, *committed.dropped):
            if outcome.retry_in_s is not None:
                self.due = min(self.due, time.time() + outcome.retry_in_s)
            flight = self._flights.get(outcome.photo_id)
            if flight is None:
                continue
            flight.uncommitted.discard(self._names[outcome.analyzer_id])
            flight.look_again = flight.look_again or owes_more  # claims pass over what is on its way
            if not flight.uncommitted and not flight.is_out and flight.slot < 0:
                del self._flights[outcome.photo_id]
                more = more or flight.look_again or not flight.plan.complete
        self.rates.count(self._names[each.analyzer_id] for each in committed.counted)
        self._listener.findings_committed(committed)
        if more:
            self._owed()
        self.committer.flush(len(self._flights))  # what came meanwhile may be all that is left
        self._moved()

    # ------------------------------------------------------------------ outcomes

    def _submit(self, flight: Flight) -> None:
        assert self._pool is not None
        photo, plan = flight.plan.photo, flight.plan
        flight.at_worker = True
        stand_in = None
        if plan.from_preview:
            preview = os.fsencode(preview_path(self._previews, photo.photo_id))
            stand_in = StandIn(preview, photo.format, photo.width, photo.height)
        inline = tuple(name for name in plan.inline if name in self.ids and name not in flight.left_out)
        models = [self.active[self.ids[name]] for name in plan.models if name in self.ids]
        self._pool.submit(
            PhotoTask(
                photo.photo_id,
                photo.path,
                photo.stat,
                photo.sidecars,
                inline,
                plan.model_edges,
                flight.slot,
                flight.findings,
                stand_in,
                twin_files(flight.takeovers, inline, models),
            )
        )

    def _take_outcomes(self, flight: Flight, result: PhotoResult, size_bytes: int) -> None:
        flight.levels = {level.edge: level for level in result.levels}
        flight.no_pixels = result.reason
        if copies := flight.take_over(result, self.ids):
            self.committer.add(self._take_report(flight), copies)
        for outcome in result.outcomes:
            self._add_outcome(flight, outcome, size_bytes // len(result.outcomes))
        self._go_to_lanes(flight)

    def _go_to_lanes(self, flight: Flight) -> None:
        flight.to_lanes = [name for name in flight.plan.models if name not in flight.copied]
        self._fill_lanes(flight)
        self._land(flight)

    def _fill_lanes(self, flight: Flight) -> None:
        """Send on what waits for nobody (any more)."""
        for name in tuple(flight.to_lanes):  # each stands behind those it reads
            if name not in self.ids:  # it broke meanwhile; its job stays owed
                flight.to_lanes.remove(name)
                continue
            declaration = self.active[self.ids[name]].declaration
            if any(other in flight.in_lanes or other in flight.to_lanes for other in declaration.after):
                continue
            flight.to_lanes.remove(name)
            edge = declaration.needs.edge
            # One that broke is not waited for: whoever reads it goes on without, and again should it ever work.
            waited_for = flight.put_off & self.ids.keys()
            put_off = next((other for other in declaration.after if other in waited_for), None)
            if put_off is not None:
                self._add_outcome(flight, AnalyzerOutcome(name, reason=f"waits for {put_off}", transient=True))
            elif edge and edge not in flight.levels:
                self._add_outcome(flight, AnalyzerOutcome(name, reason=flight.no_pixels))
            else:
                self._to_lane(flight, name, flight.levels.get(edge))

    def _to_lane(self, flight: Flight, name: str, level: Level | None) -> None:
        photo = flight.plan.photo
        decoded = flight.report or photo  # a preview that stood in says nothing new of the photo
        after = self.active[self.ids[name]].declaration.after
        item = LaneItem(
            photo.photo_id,
            photo.path,
            decoded.format,
            decoded.width,
            decoded.height,
            level,
            {each: flight.findings[each] for each in after if each in flight.findings},
        )
        flight.in_lanes.add(name)
        self._submit_to_lane(name, item)

    def _submit_to_lane(self, name: str, item: LaneItem) -> bool:
        """Whether a lane hosts the analyzer: the one with the least to do gets the item."""
        hosts = [lane for lane in self._lanes if lane.hosts(name)]
        if hosts:
            min(hosts, key=lambda lane: lane.backlog).submit(name, item)
        return bool(hosts)

    def _add_outcome(self, flight: Flight, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        if outcome.finding is not None:
            flight.findings[outcome.analyzer] = outcome.finding
            self._faults.pop(outcome.analyzer, None)
            self._convictions.pop(outcome.analyzer, None)
        elif outcome.transient:
            flight.put_off.add(outcome.analyzer)
            self._faults[outcome.analyzer] = f"{outcome.analyzer}: {outcome.reason}"
        analyzer_id = self.ids.get(outcome.analyzer)
        if analyzer_id is None:  # it broke meanwhile; its jobs stay owed
            return
        retry_in_s = _wait_s(_ANALYZER_RETRY_S, flight.attempts) if outcome.transient else None
        flight.uncommitted.add(outcome.analyzer)
        route = flight.route if self.active[analyzer_id].declaration.needs.edge else ""
        ended = self._ended(flight, outcome, retry_in_s, route)
        self.committer.add(self._take_report(flight), [ended], size_bytes)

    def _postpone_all(self, flight: Flight, reason: str) -> None:
        """Try the photo again later, but not for ever."""
        attempts = flight.attempts
        self._fail_all(flight, reason, None if attempts >= _MAX_ATTEMPTS else _wait_s(_FILE_RETRY_S, attempts))

    def _fail_all(self, flight: Flight, reason: str, retry_in_s: float | None = None) -> None:
        names = [name for name in (*flight.plan.inline, *flight.plan.models) if name in self.ids]
        names = [name for name in names if name not in flight.left_out]
        flight.uncommitted.update(names)
        ended = [self._ended(flight, AnalyzerOutcome(name, reason=reason), retry_in_s) for name in names]
        self.committer.add(self._take_report(flight), ended)
        self._land(flight)

    def _ended(self, flight: Flight, said: AnalyzerOutcome, retry_in_s: float | None, route: str = "") -> Outcome:
        photo, of_file_alone = flight.plan.photo, said.analyzer not in self._of_sidecars
        about = (photo.photo_id, self.ids[said.analyzer], photo.revision)
        return Outcome(*about, said.finding, said.reason, retry_in_s, route, of_file_alone)

    def _take_report(self, flight: Flight) -> Decoded | None:
        """The photo's report, once: with its first outcomes."""
        if flight.report is None or flight.reported:
            return None
        flight.reported = True
        return Decoded(flight.plan.photo.photo_id, flight.plan.photo.revision, flight.report, flight.same)

    def _land(self, flight: Flight) -> None:
        """Give the slot back once no lane needs it; the flight itself ends with its last commit."""
        if flight.is_out:
            return
        if flight.slot >= 0:
            self._arena.take_back(flight.slot)
            flight.slot = -1
        if not flight.uncommitted:
            self._flights.pop(flight.plan.photo.photo_id, None)
            if flight.look_again or not flight.plan.complete:  # what it waited for may have broken
                self._owed()
        self.committer.flush(len(self._flights))
        self._moved()


def _wait_s(first_s: float, attempts: int) -> float:
    return min(_LONGEST_RETRY_S, first_s * 2.0 ** min(attempts, 10))


def _is_fresh(task: PhotoTask) -> bool:
    return 0 <= time.time() - task.stat.mtime_ns / 1e9 < _FRESH_FILE_S
