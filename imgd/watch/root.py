"""Watching one root, in a thread of its own: a disk that hangs must not hold up the others."""

from __future__ import annotations

import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from imgd.config import WatchSettings
from imgd.domain import Priority, RootState
from imgd.errors import ImgdError
from imgd.store.database import Database
from imgd.store.purge import purge
from imgd.store.roots import Root, set_scanned, set_state
from imgd.store.sidecars import SIDECAR_EXTENSION
from imgd.watch.availability import Filesystem, Look, look_at_root
from imgd.watch.filters import FileKind, Filter
from imgd.watch.ignores import IGNORE_FILE
from imgd.watch.inbox import Inbox
from imgd.watch.inotify import Event, EventKind, Inotify, RootEmitter, limit_reason
from imgd.watch.reconcile import Reconciled, Reconciler
from imgd.watch.registrar import Registrar
from imgd.watch.scan import BATCH_FILES, Fault
from imgd.watch.settle import FilePath, Settled, Settling
from imgd.watch.status import RootStatus

_CHECK_S: Final = 5.0
_UNWATCHED_RESCAN_S: Final = 300.0
_RETRY_S: Final = 5.0
_DAY_S: Final = 86_400.0
_NO_INOTIFY: Final = (
    "cannot be watched: raise fs.inotify.max_user_instances; until then imgd looks at the root from time to time"
)
_HELD: Final = (
    "more than half of its photos went missing; nothing is forgotten until they are back, "
    "or `imgctl confirm {root}` says that they are meant to be gone"
)


class RootWatch:
    """One root: its events, its scans, and what of them is still to be registered."""

    def __init__(
        self,
        root: Root,
        database: Database,
        filter_: Filter,
        settings: WatchSettings,
        inotify: Inotify | None,
        *,
        sidecar_analyzers: Callable[[], Sequence[int]],
        on_change: Callable[[], None],
    ) -> None:
        self._root = root
        self._database = database
        self._filter = filter_
        self._settings = settings
        self._inotify = inotify
        self._on_change = on_change
        self._registrar = Registrar(
            database,
            root.id,
            filter_,
            follow_symlinks=settings.follow_symlinks,
            sidecar_analyzers=sidecar_analyzers,
            on_change=on_change,
        )
        self._registrar.recorded = Filesystem.parse(root.filesystem_id)
        self._losses = self._registrar.losses
        self._losses.held = root.purge_held
        self._inbox = Inbox()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {os.fsdecode(root.path)}", daemon=True)
        self._settling = Settling(settings.settle_s, self._registrar.see)
        self._emitter: RootEmitter | None = None
        self._watches_lost = False
        self._look = Look(RootState.OFFLINE)
        self._moves: list[tuple[FilePath, FilePath]] = []
        self._gone: set[FilePath] = set()
        self._sidecar_folders: set[bytes] = set()
        self._reconciler = Reconciler(
            self._registrar,
            filter_,
            self._settling,
            settle_s=settings.settle_s,
            follow_symlinks=settings.follow_symlinks,
            is_there=self._is_there,
        )
        self._faults: tuple[Fault, ...] = ()
        self._watch_faults: dict[bytes, Fault] = {}
        self._scanned_at = root.scanned_at
        self._next_check = 0.0
        self._next_rescan = float("inf")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; what was not registered yet is found by the scan of the next start."""
        self._stopping.set()
        self._inbox.put(Event(EventKind.ROOT_CHANGED))
        self._thread.join(timeout=10)

    def rescan(self) -> None:
        """Scan all of the root soon."""
        self._inbox.put(Event(EventKind.LOST))

    def look_at(self, path: bytes) -> None:
        """See what the file at `path`, relative to the root, is now: it was not as registered."""
        self._inbox.put(Event(EventKind.GONE, path))

    def confirm(self) -> None:
        """A person says that what is missing is meant to be gone."""
        self._losses.confirm()

    @property
    def busy(self) -> bool:
        """Whether anything that has happened so far may not be registered yet."""
        emitter = self._emitter
        return (emitter is not None and emitter.busy) or self._inbox.busy

    @property
    def status(self) -> RootStatus:
        look, files_seen = self._look, self._reconciler.files_seen
        faults = [*self._faults, *list(self._watch_faults.values())]
        if self._losses.held:
            root = shlex.quote(self._root.path.decode("utf-8", "replace"))
            faults.append(Fault(b"", _HELD.format(root=root)))
        return RootStatus(
            path=self._root.path,
            state=look.state,
            reason=look.reason,
            scanning=files_seen is not None,
            files_seen=files_seen or 0,
            scanned_at=self._scanned_at,
            faults=tuple(faults),
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - whatever it was, the other roots and a later scan go on
                if self._stopping.is_set():
                    break
                self._recover(error)
        self._leave()

    def _step(self) -> None:
        for event in self._inbox.take(self._wait_s(), at_rest=self._is_at_rest()):
            self._note(event)
        if time.monotonic() >= self._next_check:
            self._check_root()
        if self._look.state is RootState.OFFLINE or self._stopping.is_set():
            return
        self._commit_paths()
        self._commit_settled()
        self._sync_sidecars()
        if time.monotonic() >= self._next_rescan:
            self._reconciler.plan(b"")
        self._scan_on()
        self._losses.look()

    def _is_at_rest(self) -> bool:
        if self._next_check == 0.0:
            return False
        waiting = self._reconciler.active or self._moves or self._gone or self._sidecar_folders
        return not waiting and not self._settling

    def _wait_s(self) -> float:
        if self._reconciler.active or self._moves or self._gone or self._sidecar_folders:
            return 0.0
        due = min(
            self._next_check, self._next_rescan, self._losses.next_due, self._settling.next_due or float("inf")
        )
        return max(0.0, due - time.monotonic())

    def _recover(self, error: Exception) -> None:
        """Events may be lost with what failed: a scan finds what they told of."""
        detail = f"{error}. {error.advice}" if isinstance(error, ImgdError) else f"{type(error).__name__}: {error}"
        self._faults = (Fault(b"", f"cannot be registered: {detail}".strip()),)
        self._reconciler.clear()
        self._stopping.wait(_RETRY_S)
        self._reconciler.plan(b"")

    # What events say

    def _note(self, event: Event) -> None:
        if event.kind in (EventKind.LOST, EventKind.ROOT_CHANGED):
            self._next_check = min(self._next_check, time.monotonic())
            if event.kind is EventKind.LOST:
                self._watches_lost = True
                self._reconciler.plan(b"")
        elif event.kind is EventKind.UNWATCHED:
            self._watch_faults[event.path] = Fault(event.path, event.reason)
            self._plan_rescan()
        elif event.is_folder:
            self._note_folder(event)
        else:
            self._note_file(event)

    def _note_folder(self, event: Event) -> None:
        if event.kind is EventKind.MOVED:
            self._commit_paths()
            self._settling.move_folder(event.path, event.target)
            if self._filter.reaches(event.path) and self._filter.reaches(event.target):
                self._registrar.move_folder(event.path, event.target)
            self._reconciler.plan(event.target)
        self._reconciler.plan(event.path)

    def _note_file(self, event: Event) -> None:
        for changed in {event.path, event.target}:
            if changed.rpartition(b"/")[2] == IGNORE_FILE:
                self._reread_ignores(changed.rpartition(b"/")[0])
        path, kind = self._judge(event.path)
        if event.kind is EventKind.MOVED:
            self._note_move(path, kind, event.target)
        elif event.kind is EventKind.GONE:
            self._settling.drop(path)
            self._gone.add(path)
        elif kind is not None:
            self._gone.discard(path)
            if event.kind is EventKind.CLOSED:
                self._settling.close(path)
            else:
                self._settling.touch(path)

    def _note_move(self, source: FilePath, source_kind: FileKind | None, target_path: bytes) -> None:
        target, kind = self._judge(target_path)
        if source in self._gone or target in self._gone:
            self._commit_paths()
        was_unsettled = self._settling.move(source, target)
        if kind is FileKind.PHOTO and source_kind is FileKind.PHOTO:
            self._moves.append((source, target))
            self._sidecar_folders.update((source[0], target[0]))
        else:
            self._gone.add(source)
        if kind is None:
            self._settling.drop(target)
        elif not was_unsettled:
            self._settling.close(target)

    def _judge(self, path: bytes) -> tuple[FilePath, FileKind | None]:
        folder, _, name = path.rpartition(b"/")
        kind = self._filter.kind(folder, name)
        return (folder, name), kind if kind is not None and self._filter.reaches(folder) else None

    def _reread_ignores(self, folder: bytes) -> None:
        self._filter.ignores.load(self._root.path, folder)
        self._extend_watches(folder)
        self._reconciler.plan(folder)

    # What is known into the store

    def _commit_paths(self) -> None:
        """Moves first, for they say which photo it is; then what is gone."""
        if self._moves:
            moves, self._moves = self._moves, []
            self._gone.update(self._registrar.move(moves))
        if self._gone:
            gone, self._gone = self._gone, set()
            missing = []
            for path in gone:
                if path[1].lower().endswith(SIDECAR_EXTENSION):
                    self._sidecar_folders.add(path[0])
                elif self._registrar.see(*path) is None or self._judge(b"/".join(filter(None, path)))[1] is None:
                    missing.append(path)
                else:
                    self._settling.touch(path)
            self._registrar.miss(missing)

    def _commit_settled(self) -> None:
        settled = self._settling.take(BATCH_FILES)
        if settled.files or settled.gone:
            self._register_settled(settled)

    def _register_settled(self, settled: Settled) -> None:
        self._registrar.miss(settled.gone)
        photos = [file for file in settled.files if self._filter.kind(file.folder, file.name) is FileKind.PHOTO]
        sidecars = {
            folder: self._registrar.list_sidecars(folder) for folder in {file.folder for file in settled.files}
        }
        self._registrar.register(photos, Priority.EVENT, None, sidecars)
        self._registrar.retry_unreadable(photos)
        self._registrar.sync_sidecars(sidecars, Priority.EVENT)

    def _sync_sidecars(self) -> None:
        if not self._sidecar_folders:
            return
        folders, self._sidecar_folders = self._sidecar_folders, set()
        self._registrar.sync_sidecars(
            {folder: self._registrar.list_sidecars(folder) for folder in folders}, Priority.EVENT
        )

    # Scans

    def _scan_on(self) -> None:
        if self._watches_lost and self._reconciler.is_starting:
            self._watches_lost = False
            self._extend_watches(b"")
        ended = self._reconciler.step()
        if ended is not None and not ended.start:
            self._note_scanned(ended)

    def _is_there(self) -> bool:
        look = look_at_root(self._root.path, self._registrar.recorded)
        if look.state is RootState.ONLINE and look.identity == self._look.identity:
            return True
        self._next_check = time.monotonic()
        return False

    def _note_scanned(self, ended: Reconciled) -> None:
        filesystem = self._look.filesystem
        assert filesystem is not None, "the root was there a moment ago"
        now = time.time()

        def work(connection: sqlite3.Connection) -> None:
            set_scanned(connection, self._root.id, now, str(filesystem))
            self._losses.look_after_scan(connection, now)

        self._database.write(work).result()
        self._registrar.recorded = filesystem
        self._faults = ended.faults
        self._scanned_at = now
        self._plan_rescan()
        self._purge()

    def _purge(self) -> None:
        grace_s = self._settings.grace_days * _DAY_S
        removed = 0
        while count := self._database.write(lambda c: purge(c, time.time(), grace_s)).result():
            removed += count
        if removed:
            self._on_change()

    def _plan_rescan(self) -> None:
        interval_s = self._settings.rescan_interval_s or float("inf")
        if self._watch_faults or self._emitter is None:
            interval_s = min(interval_s, _UNWATCHED_RESCAN_S)
        self._next_rescan = time.monotonic() + interval_s

    # Whether the root is there

    def _check_root(self) -> None:
        look = look_at_root(self._root.path, self._registrar.recorded)
        before, self._look = self._look, look
        if look.state is RootState.OFFLINE:
            self._leave()
        elif look.identity != before.identity:
            self._leave()
            self._enter()
        if (look.state, look.reason) != (before.state, before.reason) or self._next_check == 0.0:
            write = self._database.write(lambda c: set_state(c, self._root.id, look.state, look.reason))
            if write.result():
                self._on_change()
        self._next_check = time.monotonic() + _CHECK_S

    def _enter(self) -> None:
        """The watches come before the scan, so that nothing falls between them."""
        self._watch_faults = {}
        if self._inotify is None:
            self._watch_faults[b""] = Fault(b"", _NO_INOTIFY)
        else:
            emitter = RootEmitter(
                self._root.path,
                self._inotify,
                self._inbox.put,
                self._filter.enters,
                follow_symlinks=self._settings.follow_symlinks,
            )
            try:
                emitter.start()
                self._emitter = emitter
            except OSError as error:
                self._watch_faults[b""] = Fault(b"", limit_reason(error))
        self._reconciler.plan(b"")

    def _extend_watches(self, folder: bytes) -> None:
        if self._emitter is None:
            return
        if not folder:
            self._watch_faults = {}
        try:
            self._emitter.extend(folder)
        except OSError as error:
            self._watch_faults[folder] = Fault(folder, limit_reason(error))

    def _leave(self) -> None:
        if self._emitter is not None:
            self._emitter.stop()
            self._emitter = None
        self._settling.clear()
        self._moves.clear()
        self._gone.clear()
        self._sidecar_folders.clear()
        self._reconciler.clear()
