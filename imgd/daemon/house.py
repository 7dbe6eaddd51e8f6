"""The daemon's parts: built here, wired here, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import sqlite3
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import imgd
from imgd.config import Settings
from imgd.control.notify import Notifier
from imgd.control.server import ControlServer
from imgd.daemon.changes import describe_changes
from imgd.daemon.listeners import Listeners
from imgd.daemon.roster import Roster
from imgd.daemon.services import DaemonServices
from imgd.daemon.upkeep import sweep_previews
from imgd.decode import FormatRegistry
from imgd.duplicates.finder import DuplicateFinder
from imgd.errors import DiskFullError, ImgdError, StoreError
from imgd.index.refresh import IndexRefresher
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.pipeline.idleness import Idleness
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.plugins import PluginRegistry
from imgd.search.encoder import EncoderProcess
from imgd.search.engine import SearchEngine
from imgd.search.onefile import FileReader
from imgd.store.analyzers import AnalyzerRow, read_analyzers, synchronise
from imgd.store.database import Database, T, Work
from imgd.store.findings import Committed
from imgd.store.lock import StateLock
from imgd.store.migrate import migrations
from imgd.store.photos import adopt_missing
from imgd.store.spaces import read_filled
from imgd.watch.watcher import Watcher
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStore

log = logging.getLogger(__name__)

_HEARTBEAT_S = 5.0
_LONG_START_S = 300.0
_UPKEEP_S = 4 * 3600.0


class House:
    """Everything that runs while the daemon does."""

    def __init__(self, settings: Settings, registry: PluginRegistry) -> None:
        self.settings = settings
        self.registry = registry
        self.notifier = Notifier()
        self.started_at = time.time()
        self.stopping = False
        self.crashed = False
        self.ended = asyncio.Event()
        """Set when the daemon is to stop."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stops = contextlib.AsyncExitStack()
        self._background: list[asyncio.Task[None]] = []
        self._reopening = asyncio.Lock()
        self._rows: dict[str, AnalyzerRow] = {}
        self.idleness = Idleness(settings.index.idle_s)

    async def start(self) -> None:
        """Bring everything up; what was started before an error is stopped by `stop`.

        Raises:
            ImgdError: what keeps the daemon from running, with what to do about it.
        """
        self._loop = asyncio.get_running_loop()
        self.notifier.extend_start(_LONG_START_S)
        self._stops.callback(StateLock(self.settings.paths.state_dir).release)
        _make_private(self.settings.paths.state_dir, self.settings.paths.cache_dir)
        server = ControlServer(self.settings.paths.socket)
        self._stops.push_async_callback(server.stop)
        await self._open_store()
        self._open_indexes()
        self._open_analysis()
        self.services = DaemonServices(self)
        await server.start(self.services, imgd.__version__)
        self.watcher.start()
        self.refresher.wake()  # roots came and went with the configuration, and their photos with them
        self._stops.push_async_callback(asyncio.to_thread, self.watcher.stop)
        self._background = [asyncio.create_task(self._beat()), asyncio.create_task(self._keep_up())]
        if self.settings.search.warm:
            self._background.append(asyncio.create_task(self._warm()))
        self._stops.push_async_callback(self._stop_background)
        for plugin in self.registry.statuses.values():
            if plugin.error:
                log.error("the plugin %s does not work: %s", plugin.name, plugin.error)
        self.notifier.ready(f"watching {len(self.settings.roots)} roots")
        log.info("imgd %s answers on %s", imgd.__version__, self.settings.paths.socket)

    async def stop(self) -> None:
        """Stop in the reverse order of the start: nothing new comes in, what is in hand is kept, then the store
        closes. The socket goes last, so that `imgctl` can say that imgd is stopping."""
        self.stopping = True
        self.notifier.stopping("stopping")
        await self._stops.aclose()

    async def _open_store(self) -> None:
        self.database = await asyncio.to_thread(Database, self.settings.database, migrations())
        self._stops.push_async_callback(asyncio.to_thread, self.database.close)
        self.models = ModelStore(self.settings.paths.models_dir, Catalogue(self.registry.models()))
        self.roster = Roster(self.registry, self.settings, self.models)
        await self._declare_analyzers()
        self.roster.keep_serving(await self._in_store(read_filled))

    def _open_indexes(self) -> None:
        state_dir = self.settings.paths.state_dir
        text_index = TextIndex(state_dir / "text.db")
        self._stops.push_async_callback(asyncio.to_thread, text_index.close)
        spaces = SpaceIndexes(
            self.database,
            state_dir / "vectors",
            meaning=self.settings.search.meaning,
            suffice=self._suffice,
        )
        self.refresher = IndexRefresher(
            self.database, text_index, spaces, self.settings.index, is_idle=lambda: not self.pipeline.busy
        )
        self.listeners = Listeners(self.registry, self.database)
        self._stops.push_async_callback(asyncio.to_thread, self.listeners.stop)
        self.starter = ChildStarter()
        self._stops.push_async_callback(self.starter.stop)
        self.duplicates = DuplicateFinder(self.database, self.starter)
        self._stops.push_async_callback(self.duplicates.stop)
        self.encoders = EncoderProcess(self.starter, self.roster.encoders)
        self.encoders.offer(*self.roster.encoder_specs())
        self._stops.push_async_callback(self.encoders.stop)
        files = FileReader(
            self.starter,
            self.settings.decode,
            [each.needs.edge for each in self.roster.declared.values()],
            self._formats,
        )
        self.engine = SearchEngine(
            self.database,
            text_index,
            spaces,
            self.encoders,
            files=files,
            settings=self.settings.search,
            cache=state_dir / "vectors",
            facts={name: each.facts for name, each in self.roster.declared.items()},
        )

    def _open_analysis(self) -> None:
        self.watcher = Watcher(
            self.database,
            self.settings,
            FormatRegistry(self.registry.formats()).extensions(),
            self._library_changed,
            sidecar_analyzers=lambda: self.roster.sidecar_readers(self._rows),
        )
        self.pipeline = self._make_pipeline()
        self.refresher.start()
        self._stops.push_async_callback(asyncio.to_thread, self.refresher.stop)
        self.pipeline.start()
        self._stops.push_async_callback(self._stop_pipeline)

    async def _stop_background(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def reopen(self) -> None:
        """Begin again with the analyzers that can run now: models came or went, or broken ones are forgiven."""
        async with self._reopening:
            if self.stopping:
                return
            self.roster.forgive()
            paused = self.pipeline.paused
            await self.pipeline.stop()
            try:
                await self._declare_analyzers()
            finally:  # whatever went wrong, what could run before goes on
                self.pipeline = self._make_pipeline()
                self.pipeline.pause(paused=paused)
                self.pipeline.start()
            await self.encoders.stop()
            self.encoders.offer(*self.roster.encoder_specs())
            self.refresher.wake()  # which spaces answer depends on the encoders that can

    async def _declare_analyzers(self) -> None:
        """Tell the library which analyzers there are now, and the log what that changes."""
        declared = self.roster.declarations()
        before = await self._in_store(read_analyzers)
        self._rows = await self._in_store(lambda c: synchronise(c, declared))
        for change in describe_changes({row.name: row for row in before}, declared):
            log.info("%s", change)

    async def _stop_pipeline(self) -> None:
        async with self._reopening:
            await self.pipeline.stop()

    # ------------------------------------------------------------------ what parts tell one another

    def findings_committed(self, committed: Committed) -> None:
        """The pipeline has committed a batch."""
        self.refresher.wake()
        self.listeners.tell(committed)

    def file_changed(self, path: bytes) -> None:
        """A worker found a file that is not as registered."""
        self.watcher.look_at(path)

    def part_failed(self, name: str, error: BaseException) -> None:
        """imgd's own code raised: end, so that the service manager starts a fresh daemon; nothing owed is lost."""
        log.critical("%s ended by an error; imgd stops", name, exc_info=error)
        self.crashed = True
        self.ended.set()

    def analyzer_broke(self, name: str, reason: str) -> None:
        log.error("analyzer %s does not work: %s", name, reason)
        self.roster.mark_broken(name, reason)

    def _library_changed(self) -> None:
        """The watcher has committed something; called from its threads."""
        self.refresher.wake()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_pipeline)

    def _wake_pipeline(self) -> None:
        self.pipeline.wake()

    # ------------------------------------------------------------------ parts

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(
            self.database,
            self.starter,
            self.settings,
            self.roster.active(self._rows),
            formats=self._formats,
            listener=self,
            after_commit=_adopt,
            workers=self.settings.pipeline.workers,
            idleness=self.idleness,
        )

    def _suffice(self, spaces: Collection[str]) -> bool:
        """Whether words and photos can be brought into `spaces`."""
        return self.encoders.suffice(spaces)

    @property
    def _formats(self) -> tuple[tuple[str, str], ...]:
        return tuple((each.__module__, each.__qualname__) for each in self.registry.formats())

    async def _in_store(self, work: Work[T]) -> T:
        return await asyncio.wrap_future(self.database.write(work))

    async def _beat(self) -> None:
        """Tell systemd that the event loop is alive, and what it does."""
        every_s = min(_HEARTBEAT_S, (self.notifier.watchdog_s or _HEARTBEAT_S * 2) / 2)
        while True:
            self.notifier.alive(self.services.one_line())
            await asyncio.sleep(every_s)

    async def _keep_up(self) -> None:
        """From time to time, remove what the cache no longer needs."""
        while True:
            await asyncio.sleep(_UPKEEP_S)
            try:
                await asyncio.to_thread(sweep_previews, self.settings.previews, self.database)
            except (ImgdError, OSError) as error:
                log.warning("the preview cache was not swept: %s", error)

    async def _warm(self) -> None:
        """Load the query encoders and calibrate before the first search."""
        try:
            await self.engine.warm()
        except ImgdError as error:
            log.info("searches are not warm: %s", error)


def _adopt(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> None:
    adopt_missing(connection, photo_ids)


def _make_private(*directories: Path) -> None:
    for directory in directories:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"{directory} cannot be made") from error
            raise StoreError(
                f"{directory}: {error.strerror}", hint="Check its permissions, or name another one in `paths`."
            ) from error
