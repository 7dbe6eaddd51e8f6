"""What the control socket can ask of the daemon, answered by its parts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from typing import Protocol

import imgd
from imgd.analyzers.preview import preview_path
from imgd.config import Settings
from imgd.control.counts import CachedCounts, JobCount, LibraryCounts
from imgd.control.duplicates import duplicates_answer, duplicates_kind
from imgd.control.memory import measure_processes
from imgd.control.paths import path_bytes, path_exact, path_text
from imgd.control.plans import AnalyzeAnswer, AnalyzeRequest, ReanalysisAnswer, ReanalyzeRequest
from imgd.control.protocol import (
    AnalyzersAnswer,
    CompleteAnswer,
    ConfirmRequest,
    CountAnswer,
    DuplicatesAnswer,
    FailedAnswer,
    Fault,
    Hit,
    IndexStatus,
    PhotoAnswer,
    PluginAnswer,
    Progress,
    QueueStatus,
    RescanRequest,
    RetryRequest,
    RootStatus,
    SearchAnswer,
    StateAnswer,
    StatusAnswer,
    WaitAnswer,
)
from imgd.control.queries import LibraryQueries
from imgd.control.services import PhotoName
from imgd.daemon.described import describe_analyzers
from imgd.daemon.reanalysis import Reanalysis
from imgd.daemon.roster import AnalyzerState, Roster
from imgd.domain import RunMode
from imgd.duplicates.finder import DuplicateFinder
from imgd.errors import ImgdError, PreviewMissingError, RequestError
from imgd.index.refresh import IndexRefresher
from imgd.index.refresh import IndexStatus as Freshness
from imgd.pipeline.idleness import Idleness
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.plugins import PluginRegistry
from imgd.search.encoder import EncoderProcess
from imgd.search.engine import SearchEngine
from imgd.search.options import SearchOptions
from imgd.store.database import Database
from imgd.store.jobs import any_owed, retry
from imgd.watch.watcher import Watcher
from imgd.weights.store import ModelStore

_WAIT_STEP_S = 0.1
_PROGRESS_AGE_S = 0.5


class Parts(Protocol):
    """The parts of the daemon that requests concern; `House` has them."""

    settings: Settings
    registry: PluginRegistry
    models: ModelStore
    database: Database
    starter: ChildStarter
    roster: Roster
    pipeline: Pipeline
    encoders: EncoderProcess
    idleness: Idleness
    refresher: IndexRefresher
    engine: SearchEngine
    duplicates: DuplicateFinder
    watcher: Watcher
    started_at: float
    stopping: bool

    async def reopen(self) -> None: ...


class DaemonServices:
    """Implements `control.services.Services`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counts = CachedCounts(parts.database)
        self._queries = LibraryQueries(parts.database)
        self._reanalysis = Reanalysis(parts)
        self._progress: LibraryCounts | None = None
        self._progress_at = 0.0
        self._progress_task: asyncio.Task[None] | None = None

    async def status(self) -> StatusAnswer:
        parts = self._parts
        counts = await self._counts.read()
        freshness = await asyncio.to_thread(parts.refresher.freshness)
        names = {os.getpid(): "imgd", **parts.starter.names()}
        return StatusAnswer(
            version=imgd.__version__,
            pid=os.getpid(),
            uptime_s=time.time() - parts.started_at,
            state=self._state(),
            photos=counts.photos,
            missing=counts.missing,
            roots=self._roots(counts),
            queue=tuple(self._queue(job) for job in counts.jobs if job.analyzer in parts.roster.standings),
            indexes=_indexes(freshness),
            faults=tuple(self._faults(freshness)),
            processes=await asyncio.to_thread(measure_processes, names),
        )

    async def search(self, query: str, options: SearchOptions) -> SearchAnswer:
        began = time.perf_counter()
        self._parts.idleness.disturb()
        answer = await self._parts.engine.search(query, options)
        self._parts.idleness.disturb()
        return SearchAnswer(
            query=query,
            hits=tuple(
                Hit(
                    hit.photo_id,
                    path_text(hit.path),
                    hit.score,
                    "; ".join(hit.why),
                    path_exact(hit.path),
                    hit.reasons,
                )
                for hit in answer.hits
            ),
            took_ms=round((time.perf_counter() - began) * 1000, 1),
            notes=answer.notes if answer.hits else (*answer.notes, *self._what_is_to_come()),
            found=answer.found,
            found_exact=answer.found_exact,
            after=answer.after,
            encoder_ms=round(answer.encoder_ms, 1),
        )

    def _what_is_to_come(self) -> list[str]:
        """Why something that is there may not be found yet."""
        waiting = self._unfinished(0) or (["analysis is paused"] if self._parts.pipeline.paused else [])
        return [f"more may be found later: {' and '.join(waiting)}"] if waiting else []

    async def warm_search(self) -> CountAnswer:
        return CountAnswer(self._parts.engine.begin_warming())

    async def complete(self, query: str, limit: int) -> CompleteAnswer:
        self._parts.idleness.disturb()  # somebody types a query
        return CompleteAnswer(tuple(await self._parts.engine.complete(query, limit)))

    async def show(self, photo: PhotoName) -> PhotoAnswer:
        return await asyncio.to_thread(self._queries.show, photo)

    async def preview(self, photo_id: int) -> bytes:
        return await asyncio.to_thread(self._read_preview, photo_id)

    async def failed(self, after: str, limit: int) -> FailedAnswer:
        return await asyncio.to_thread(self._queries.failed, after, limit)

    async def duplicates(self, kind: str, after: str, limit: int) -> DuplicatesAnswer:
        wanted = duplicates_kind(kind)
        return duplicates_answer(wanted, await self._parts.duplicates.page(wanted, after, limit))

    async def retry(self, request: RetryRequest) -> CountAnswer:
        parts = self._parts
        if request.analyzer is not None:
            parts.roster.find(request.analyzer)
        photo_ids = list(request.photo_ids) or None

        def work(connection: sqlite3.Connection) -> int:
            return retry(connection, photo_ids, request.analyzer)

        count = await asyncio.wrap_future(parts.database.write(work))
        if any(each.state is AnalyzerState.BROKEN for each in parts.roster.standings.values()):
            await parts.reopen()
        parts.pipeline.wake()
        return CountAnswer(count)

    async def analyze(self, request: AnalyzeRequest) -> AnalyzeAnswer:
        return await self._reanalysis.analyze(request)

    async def reanalyze(self, request: ReanalyzeRequest) -> ReanalysisAnswer:
        return await self._reanalysis.reanalyze(request, self._out_of_reach)

    async def _out_of_reach(self) -> Mapping[str, int]:
        counts = await self._counts.read()
        return {job.analyzer: job.out_of_reach for job in counts.jobs}

    async def rescan(self, request: RescanRequest) -> CountAnswer:
        root = None if request.root is None else self._root(request.root)
        await asyncio.to_thread(self._parts.watcher.rescan, root)
        return CountAnswer(len(self._parts.watcher.roots()) if root is None else 1)

    async def confirm(self, request: ConfirmRequest) -> CountAnswer:
        await asyncio.to_thread(self._parts.watcher.confirm, self._root(request.root))
        return CountAnswer(1)

    def _root(self, named: str) -> bytes:
        root = path_bytes(named, "")
        known = [each.path for each in self._parts.watcher.roots()]
        if root not in known:
            listed = ", ".join(path_text(each) for each in known) or "none"
            raise RequestError(f"{named} is not a root", hint=f"The roots are: {listed}.")
        return root

    async def analyzers(self) -> AnalyzersAnswer:
        parts = self._parts
        counts = {job.analyzer: job for job in (await self._counts.read()).jobs}
        return AnalyzersAnswer(
            await asyncio.to_thread(describe_analyzers, parts, counts),
            tuple(
                PluginAnswer(each.name, each.distribution, each.version, each.error)
                for each in parts.registry.statuses.values()
            ),
        )

    async def wait(self, timeout_s: float) -> WaitAnswer:
        deadline = time.monotonic() + timeout_s
        while not (finished := await self._is_finished()) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(min(_WAIT_STEP_S, max(0.0, deadline - time.monotonic())))
        await self._read_progress()
        blocked = tuple(
            f"{name}: {each.state}; {each.advice}"
            for name, each in self._parts.roster.standings.items()
            if each.state in (AnalyzerState.WAITING, AnalyzerState.MISSING, AnalyzerState.BROKEN)
        )
        return WaitAnswer(finished, self.progress(), blocked)

    def progress(self) -> Progress:
        now = time.monotonic()
        if now - self._progress_at > _PROGRESS_AGE_S and (
            self._progress_task is None or self._progress_task.done()
        ):
            self._progress_task = asyncio.get_running_loop().create_task(self._refresh_progress())
        counts = self._progress
        if counts is None:
            return Progress(0, 0, 0, 0, idle=False, waiting=("the library is being counted",))
        jobs = [job for job in counts.jobs if self._runs(job.analyzer)]
        idling = sum(job.owed for job in jobs if self._idles(job))
        waiting = self._unfinished(sum(job.owed for job in jobs), idling)
        return Progress(
            done=sum(job.done or 0 for job in jobs),
            owed=sum(job.owed for job in jobs),
            failed=sum(job.failed for job in jobs),
            photos=counts.photos,
            idle=not waiting,
            waiting=tuple(waiting),
        )

    async def pause(self) -> StateAnswer:
        self._parts.pipeline.pause(paused=True)
        return StateAnswer(self._state())

    async def resume(self) -> StateAnswer:
        self._parts.pipeline.pause(paused=False)
        self._parts.pipeline.wake()
        return StateAnswer(self._state())

    async def refresh_models(self) -> CountAnswer:
        await self._parts.reopen()
        ready = [each for each in self._parts.roster.standings.values() if each.state is AnalyzerState.READY]
        return CountAnswer(len(ready))

    def one_line(self) -> str:
        """For `systemctl status`."""
        progress = self.progress()
        if self._progress is None:
            return self._state()
        return f"{self._state()}: {progress.photos} photos, {progress.owed} findings owed"

    # ------------------------------------------------------------------

    def _read_preview(self, photo_id: int) -> bytes:
        try:
            return preview_path(self._parts.settings.previews, photo_id).read_bytes()
        except OSError as error:
            self._queries.show(PhotoName(photo_id=photo_id))  # an unknown photo is told as such
            detail = "" if isinstance(error, FileNotFoundError) else error.strerror or ""
            raise PreviewMissingError(detail) from error

    async def _is_finished(self) -> bool:
        """Nothing owed by what can run, nothing unregistered, every index clean. An idle daemon's indexes are
        brought up to date at once for whoever waits."""
        parts = self._parts
        if parts.watcher.busy or parts.pipeline.busy or await asyncio.to_thread(self._owes):
            return False
        if not (await asyncio.to_thread(parts.refresher.freshness)).clean:
            await asyncio.to_thread(parts.refresher.refresh_now)
            return False
        return not parts.watcher.busy

    def _owes(self) -> bool:
        with self._parts.database.read() as connection:
            return any_owed(connection, self._parts.pipeline.analyzer_ids)

    async def _read_progress(self) -> None:
        self._progress = await self._counts.read()
        self._progress_at = time.monotonic()

    async def _refresh_progress(self) -> None:
        with contextlib.suppress(ImgdError):  # whoever asks for the status is told; the last counts stand
            await self._read_progress()

    def _unfinished(self, owed: int, waits_for_idleness: int = 0) -> list[str]:
        """`waits_for_idleness`: how many of the jobs that are `owed` do."""
        parts = self._parts
        waiting = []
        if parts.watcher.busy:
            waiting.append("files are being registered")
        if owed or parts.pipeline.busy:
            rests = 0 < owed == waits_for_idleness and not parts.pipeline.busy
            doing = "photos wait until imgd is idle" if rests else "photos are being analyzed"
            waiting.append("analysis is paused" if parts.pipeline.paused else doing)
        return waiting

    def _state(self) -> str:
        if self._parts.stopping:
            return "stopping"
        return "paused" if self._parts.pipeline.paused else "running"

    def _runs(self, analyzer: str) -> bool:
        standing = self._parts.roster.standings.get(analyzer)
        return standing is not None and standing.state is AnalyzerState.READY

    def _idles(self, job: JobCount) -> bool:
        return self._parts.roster.standings[job.analyzer].run is RunMode.IDLE

    def _roots(self, counts: LibraryCounts) -> tuple[RootStatus, ...]:
        watched = {each.path: each for each in self._parts.watcher.roots()}
        return tuple(
            RootStatus(
                path_text(root.path),
                root.state,
                root.photos,
                root.missing,
                root.reason,
                scanning=root.path in watched and watched[root.path].scanning,
            )
            for root in counts.roots
        )

    def _queue(self, job: JobCount) -> QueueStatus:
        standing = self._parts.roster.standings[job.analyzer]
        rate = self._parts.pipeline.rates.per_second(job.analyzer)
        return QueueStatus(
            job.analyzer,
            standing.state,
            job.owed,
            job.failed,
            job.done,
            round(rate, 2),
            round(job.owed / rate, 1) if rate > 0 and job.owed else None,
            standing.advice,
            standing.run,
            job.reanalyzed,
        )

    def _faults(self, freshness: Freshness) -> list[Fault]:
        parts = self._parts
        found = [Fault(sentence) for sentence in (*parts.pipeline.faults, *freshness.faults)]
        for root in parts.watcher.roots():
            for fault in root.faults:
                path = os.path.join(root.path, fault.path) if fault.path else root.path
                found.append(Fault(f"{path_text(path)}: {fault.reason}"))
        broken = parts.encoders.faults.items()
        found += [Fault(f"no words for {space}: {reason}", "imgctl models verify") for space, reason in broken]
        found += [
            Fault(f"plugin {each.name}: {each.error}", "imgctl analyzers")
            for each in parts.registry.statuses.values()
            if each.error
        ]
        return found


def _indexes(freshness: Freshness) -> tuple[IndexStatus, ...]:
    since = freshness.dirty_since
    staleness_s = round(max(0.0, time.time() - since), 1) if since is not None and freshness.dirty else 0.0
    text = IndexStatus("text", freshness.covered_seq >= freshness.newest_seq, freshness.dirty, staleness_s)
    spaces = (IndexStatus(each.name, not each.waiting, each.waiting) for each in freshness.spaces)
    return (text, *spaces)
