"""The daemon's services over a real library database, without a pipeline: for tests of the control socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from imgd.control.counts import CachedCounts
from imgd.control.duplicates import duplicates_kind
from imgd.control.memory import measure_processes
from imgd.control.paths import path_exact, path_text
from imgd.control.plans import (
    AnalyzeAnswer,
    AnalyzeRequest,
    ReanalysisAnswer,
    ReanalysisEntry,
    ReanalyzeRequest,
)
from imgd.control.protocol import (
    AnalyzerAnswer,
    AnalyzersAnswer,
    CompleteAnswer,
    ConfirmRequest,
    CountAnswer,
    DuplicateFile,
    DuplicateGroup,
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
from imgd.control.server import ControlServer
from imgd.control.services import PhotoName
from imgd.duplicates.listing import Kind
from imgd.errors import IndexBuildingError, PhotoUnknownError, PreviewMissingError, QueryError, RequestError
from imgd.search.options import SearchOptions
from imgd.store.database import Database
from imgd.store.migrate import migrations

ODD_NAME = b"caf\xe9\n\x1b[31mred.jpg"

_LIBRARY = Path(__file__).with_name("library.sql")


class LibraryServices:
    """What daemon.py does for the routes, done with the library alone.

    `search` finds photo 1 by the word cat, and photos 101 to 145 by the word many; cursors are their numbers, and
    the even ones have a preview. `asked`: each search, as it came. `warmed` is set by a warming.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.queries = LibraryQueries(database)
        self.counts = CachedCounts(database)
        self.work_done = asyncio.Event()
        self.state = "running"
        self.analyzed: list[AnalyzeRequest] = []
        self.reanalyzed: list[ReanalyzeRequest] = []
        self.rescans: list[str | None] = []
        self.confirmed: list[str] = []
        self.refreshes = 0
        self.asked: list[tuple[str, SearchOptions]] = []
        self.watched: list[RootStatus] = []
        self.warmed = threading.Event()
        self.known = ("camera:", "camera:sony", 'person:"Anna K"', "cat")

    def watch(self, root: Path) -> None:
        """Let the status name one more root."""
        self.watched.append(RootStatus(str(root), "online", 0))

    async def status(self) -> StatusAnswer:
        counts = await self.counts.read()
        return StatusAnswer(
            version="0.1.0",
            pid=os.getpid(),
            uptime_s=12.0,
            state=self.state,
            photos=counts.photos,
            missing=counts.missing,
            roots=(
                *(
                    RootStatus(os.fsdecode(each.path), each.state, each.photos, each.missing)
                    for each in counts.roots
                ),
                *self.watched,
            ),
            queue=tuple(QueueStatus(job.analyzer, "ready", job.owed, job.failed, job.done) for job in counts.jobs),
            indexes=(IndexStatus("text", clean=True), IndexStatus("concept:test", False, 4, 2.5)),
            faults=(Fault("the disk is nearly full", "Free some space."),),
            processes=measure_processes({os.getpid(): "main"}),
        )

    async def search(self, query: str, options: SearchOptions) -> SearchAnswer:
        if query.count('"') % 2:
            raise QueryError(
                "a quote is not closed", column=query.rindex('"'), hint='Write "words" in pairs of quotes.'
            )
        if query == "soon":
            raise IndexBuildingError("the text index is being built")
        if query == "crash":
            raise ValueError("an error nobody thought of")
        self.asked.append((query, options))
        if "many" in query.split():
            return _page_of_many(query, options)
        reasons = ("cat: tag cat 0.90, rank 1",) if options.explain else ()
        hit = Hit(1, "/photos/2023/may/cat.jpg", 0.87, "tag cat 0.90", reasons=reasons)
        hits = (hit,) if "cat" in query.split() else ()
        return SearchAnswer(query, hits[: options.limit], 4.2, found=len(hits))

    async def warm_search(self) -> CountAnswer:
        self.warmed.set()
        return CountAnswer(1)

    async def complete(self, query: str, limit: int) -> CompleteAnswer:
        typed = query.replace('"', "")
        return CompleteAnswer(
            tuple(each for each in self.known if each.replace('"', "").startswith(typed))[:limit]
        )

    async def preview(self, photo_id: int) -> bytes:
        if not 101 <= photo_id <= 145:
            raise PhotoUnknownError(f"no photo has the id {photo_id}")
        if photo_id % 2:
            raise PreviewMissingError
        return preview_jpeg(photo_id)

    async def show(self, photo: PhotoName) -> PhotoAnswer:
        return await asyncio.to_thread(self.queries.show, photo)

    async def failed(self, after: str, limit: int) -> FailedAnswer:
        return await asyncio.to_thread(self.queries.failed, after, limit)

    async def duplicates(self, kind: str, after: str, limit: int) -> DuplicatesAnswer:
        """Of `identical` two groups, of `near` none, of the others one that is called as they are."""
        wanted = duplicates_kind(kind)
        names = {Kind.IDENTICAL: ("cat", "dog"), Kind.NEAR: ()}.get(wanted, (wanted,))
        groups = tuple(map(_pair, names))
        first = int(after or 0)
        end = min(first + limit, len(groups))
        return DuplicatesAnswer(
            wanted, groups[first:end], len(groups), str(end) if end < len(groups) else "", notes=("all were read",)
        )

    async def retry(self, request: RetryRequest) -> CountAnswer:
        if request.analyzer not in (None, "technical", "labels"):
            raise RequestError(f"no analyzer is named {request.analyzer}")
        marks = ", ".join("?" * len(request.photo_ids))
        sql = "UPDATE jobs SET state = 'owed' WHERE state = 'failed'"
        sql += f" AND photo_id IN ({marks})" if request.photo_ids else ""
        sql += " AND analyzer_id = (SELECT id FROM analyzers WHERE name = ?)" if request.analyzer else ""
        parameters = (*request.photo_ids, *([request.analyzer] if request.analyzer else []))
        changed = self.database.write(lambda connection: connection.execute(sql, parameters).rowcount)
        return CountAnswer(await asyncio.wrap_future(changed))

    async def analyze(self, request: AnalyzeRequest) -> AnalyzeAnswer:
        if request.analyzer not in ("technical", "labels"):
            raise RequestError(f"no analyzer is called {request.analyzer}")
        self.analyzed.append(request)
        if request.query == "unicorn":
            return AnalyzeAnswer(0, 0)
        return AnalyzeAnswer(3, 1, 2, ("the index is behind",))

    async def reanalyze(self, request: ReanalyzeRequest) -> ReanalysisAnswer:
        """Of `technical`, all is known; of `labels`, what it takes was never measured."""
        self.reanalyzed.append(request)
        technical = ReanalysisEntry(
            "technical",
            "ready",
            "always",
            61_234,
            61_234,
            {"older version": 61_000, "never analyzed": 234},
            failed=3,
            out_of_reach=34,
            edge_px=512,
            from_previews=61_000,
            per_photo_s=0.1,
            outdated_cost=True,
            alone_s=3060.0,
        )
        labels = ReanalysisEntry("labels", "waiting for model", "idle", 7, 0, {"asked for": 7}, edge_px=280)
        if request.analyzers == ("technical",):
            return ReanalysisAnswer((technical,), 3100.0, 6100.0, 3100.0)
        queued = 0 if request.plan else 7
        return ReanalysisAnswer((technical, labels), None, None, 3100.0, ("labels",), queued)

    async def rescan(self, request: RescanRequest) -> CountAnswer:
        if request.root not in (None, "/photos"):
            raise RequestError(f"{request.root} is no root")
        self.rescans.append(request.root)
        return CountAnswer(1)

    async def confirm(self, request: ConfirmRequest) -> CountAnswer:
        if request.root != "/photos":
            raise RequestError(f"{request.root} is no root")
        self.confirmed.append(request.root)
        return CountAnswer(1)

    async def analyzers(self) -> AnalyzersAnswer:
        return AnalyzersAnswer(
            (
                AnalyzerAnswer("technical", "2", "ready", "imgd", "cpu", 1200, facts={"sharpness": "float"}),
                AnalyzerAnswer(
                    "labels", "1", "waiting for model", "concepts", "model", 280, "imgctl models pull labels"
                ),
            ),
            (PluginAnswer("concepts", "imgd-concepts", "0.1"), PluginAnswer("bad", "bad", "1", "ImportError: no")),
        )

    async def wait(self, timeout_s: float) -> WaitAnswer:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.work_done.wait(), timeout_s)
        blocked = ("labels: waiting for model",)
        return WaitAnswer(self.work_done.is_set(), self.progress(), blocked)

    def progress(self) -> Progress:
        if self.work_done.is_set():
            return Progress(done=2, owed=0, failed=3, photos=3, idle=True)
        return Progress(done=1, owed=1, failed=3, photos=3, idle=False, waiting=("technical owes 1 photo",))

    async def pause(self) -> StateAnswer:
        self.state = "paused"
        return StateAnswer(self.state)

    async def resume(self) -> StateAnswer:
        self.state = "running"
        return StateAnswer(self.state)

    async def refresh_models(self) -> CountAnswer:
        self.refreshes += 1
        return CountAnswer(1)


def preview_jpeg(photo_id: int) -> bytes:
    """A picture of one colour, which its id decides: upright, square or lying."""
    from PIL import Image

    size = ((300, 512), (512, 512), (512, 300))[photo_id % 3]
    buffer = io.BytesIO()
    Image.new("RGB", size, (photo_id, 255 - photo_id, 128)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _page_of_many(query: str, options: SearchOptions) -> SearchAnswer:
    first = int(options.after or 101)
    last = min(first + (options.limit or 20), 146)
    names = {103: ODD_NAME}
    hits = []
    for photo_id in range(first, last):
        path = b"/photos/many/" + names.get(photo_id, b"IMG_%d.jpg" % photo_id)
        score = round(1 - (photo_id - 101) / 50, 2)
        reasons = ("many: tag many 0.9, rank 1", "looks like: 0.93") if options.explain else ()
        hits.append(Hit(photo_id, path_text(path), score, "tag many", path_exact(path), reasons))
    after = str(last) if last < 146 else ""
    notes = ("the words of 3 changed photos are not in the index yet",)
    return SearchAnswer(
        query, tuple(hits), 12.3, notes, found=1234, found_exact=options.sort != "path", after=after
    )


def _pair(name: str) -> DuplicateGroup:
    files = (
        DuplicateFile(1, f"/photos/{name}.jpg", 70_000, 640, 480),
        DuplicateFile(2, f"/photos/copy of {name}.jpg", 70_000),
    )
    return DuplicateGroup(files, 2, 140_000, 70_000)


def make_library(directory: Path) -> Database:
    """A small library: an analyzed photo (1), one with an odd name that failed (2), one that is missing (3)."""
    database = Database(directory / "library.db", migrations())

    def fill(connection: object) -> None:
        for statement in _LIBRARY.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                connection.execute(statement)  # type: ignore[attr-defined]

    database.write(fill).result()
    return database


class RunningServer:
    """A control server in a thread with an event loop of its own, as the daemon's main thread has."""

    def __init__(self, socket: Path, database: Database) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="control test")
        self.thread.start()
        try:
            self.services, self.server = self._await(self._start(socket, database))
        except BaseException:
            self._end_loop()
            raise

    def call(self, function: object, *arguments: object) -> None:
        """Run a plain function in the loop's thread and wait until it did."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (function(*arguments), done.set()))  # type: ignore[operator]
        assert done.wait(120)

    def stop(self) -> float:
        """Returns how long it took, in seconds."""
        began = time.monotonic()
        if self.thread.is_alive():
            self._await(self.server.stop())
            self._end_loop()
        return time.monotonic() - began

    async def _start(self, socket: Path, database: Database) -> tuple[LibraryServices, ControlServer]:
        services = LibraryServices(database)
        server = ControlServer(socket)
        await server.start(services, "0.1.0")
        return services, server

    def _await(self, work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)  # type: ignore[arg-type]

    def _end_loop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(120)
        self.loop.close()


@contextlib.contextmanager
def running_server(directory: Path) -> Iterator[RunningServer]:
    database = make_library(directory)
    server = RunningServer(directory / "run" / "imgd.sock", database)
    try:
        yield server
    finally:
        server.stop()
        database.close()
