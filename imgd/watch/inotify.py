"""What the kernel says of a root, through watchdog's inotify classes, as a few plain events.

watchdog's own observer tells of every file below a folder that moved, does not say when events were lost or
when a folder could not be watched, and keeps watching a folder that left. The classes here change just that.
"""

from __future__ import annotations

import array
import enum
import errno
import fcntl
import os
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.inotify import InotifyEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import GroupedInotifyEvent, PathedInotifyEvent

# Not IN_MODIFY: a long copy would send one for every block written, and its end is announced anyway. Not IN_OPEN
# and IN_CLOSE_NOWRITE: imgd's own reading of the photos would send them.
_MASK: Final = Mask(
    InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)


class EventKind(enum.Enum):
    """What happened."""

    APPEARED = enum.auto()
    """Created, moved in from outside, or given other times or permissions."""
    CLOSED = enum.auto()
    """A writer closed the file."""
    GONE = enum.auto()
    """Deleted, or moved out."""
    MOVED = enum.auto()
    """Renamed within the root: `path` is now `target`."""
    LOST = enum.auto()
    """Events were lost: anything may have happened."""
    ROOT_CHANGED = enum.auto()
    """The root itself was deleted, moved or unmounted."""
    UNWATCHED = enum.auto()
    """The folder could not be watched; `reason` says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Paths are relative to the root."""

    kind: EventKind
    path: bytes = b""
    target: bytes = b""
    is_folder: bool = False
    reason: str = ""


Report: TypeAlias = Callable[[Event], None]
Enters: TypeAlias = Callable[[bytes], bool]
"""Whether a folder (relative to the root) is watched, given that its parent is."""


class Inotify(InotifyFD):
    """One inotify instance, for all roots; runs as a thread.

    Raises:
        OSError: when the user has too many of them.
    """

    @property
    def busy(self) -> bool:
        """Whether events wait in the kernel or are being handed on."""
        waiting = array.array("i", [0])
        try:
            fcntl.ioctl(self._inotify_fd, termios.FIONREAD, waiting)
        except OSError:
            return False
        return waiting[0] > 0 or not self._is_reading

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        # watchdog warns where the folder is watched already; here that is how a subtree's watches are renewed.
        watch = self._get_or_create_watch(path, mask)
        watch.callbacks[id_] = callback
        return watch.wd


def _ignore_event(_event: Event) -> None:
    """Until a root is connected nobody listens."""


@dataclass(eq=False)
class _RootWatches(InotifyWatchGroup):
    """The watches of one root: only folders that imgd enters, and no silence about what goes wrong."""

    report: Report = field(default=_ignore_event)
    enters: Enters = field(default=bool)

    def on_queue_overflow(self) -> None:
        # watchdog would remove all watches and set them anew, here and now. Each removal is an event itself: with
        # more folders than the queue is long it would overflow for ever. Who hears of the loss calls `extend`.
        with self._lock:
            self._move_event_grouper.discard_pending_events()
        self.report(Event(EventKind.LOST))

    def extend(self, folder: bytes) -> None:
        """Watch what is not watched yet at and below `folder` (absolute).

        Raises:
            OSError: when that is the root, and it cannot be watched.
        """
        with self._lock:
            if self.is_active:
                self._add_all_callbacks(folder)

    def renew(self, folder: bytes) -> None:
        """Forget the watches at and below `folder` (absolute); set them again where there is such a folder."""
        with self._lock:
            if not self.is_active:
                return
            below = folder + b"/"
            self._remove_callbacks(
                [
                    wd
                    for path, wd in list(self._active_callbacks_by_path.items())
                    if path == folder or path.startswith(below)
                ]
            )
            if os.path.isdir(folder):  # noqa: PTH112 - bytes
                self._add_all_callbacks(folder)

    @property
    def busy(self) -> bool:
        """Whether events wait for the other half of a move."""
        return bool(self._move_event_grouper._queue._queue)

    def _add_all_callbacks(self, path: bytes) -> None:
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            relative = folder[len(self.path) :].lstrip(b"/")
            if relative and not self.enters(relative):
                continue
            self._add_callback(folder)
            try:
                with os.scandir(folder) as entries:
                    waiting.extend(e.path for e in entries if e.is_dir(follow_symlinks=self.follow_symlink))
            except OSError:
                continue  # the scan that follows says which folder cannot be read, and why

    def _add_callback(self, path: bytes) -> None:
        # For an unreadable folder watchdog would keep a watch numbered -1.
        if not os.access(path, os.R_OK) and path != self.path:
            return
        try:
            # A root may be a link to the folder it stands for.
            mask = (
                Mask(self.event_mask & ~InotifyConstants.IN_DONT_FOLLOW) if path == self.path else self.event_mask
            )
            wd = self._inotify_fd.add_callback(path, mask, self._callback, self._id)
        except OSError as error:
            if path == self.path:
                raise
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self.report(Event(EventKind.UNWATCHED, path[len(self.path) + 1 :], reason=limit_reason(error)))
            return
        former = self._active_callbacks_by_watch.get(wd)
        if former is not None and self._active_callbacks_by_path.get(former) == wd:
            del self._active_callbacks_by_path[former]
        self._active_callbacks_by_path[path] = wd
        self._active_callbacks_by_watch[wd] = path

    def _remove_watch_internally(self, wd: WatchDescriptor) -> None:
        path = self._active_callbacks_by_watch.pop(wd, None)
        if path is not None and self._active_callbacks_by_path.get(path) == wd:
            del self._active_callbacks_by_path[path]


class RootEmitter(InotifyEmitter):
    """A thread that turns the kernel's events of one root into `Event`s and hands them to `report`.

    Starting it sets all watches before it returns.

    Raises:
        OSError: from `start`, when the root itself cannot be watched.
    """

    def __init__(
        self, root: bytes, inotify: Inotify, report: Report, enters: Enters, *, follow_symlinks: bool
    ) -> None:
        watch = ObservedWatch(os.fsdecode(root), recursive=True, follow_symlink=follow_symlinks)
        super().__init__(EventQueue(), watch, inotify_fd=inotify)
        self.name = f"inotify {os.fsdecode(root)}"
        self._root = root
        self._report = report
        self._enters = enters
        self._watches: _RootWatches | None = None

    @property
    def busy(self) -> bool:
        watches = self._watches
        return watches is not None and watches.busy

    def extend(self, folder: bytes) -> None:
        """Watch what is not watched yet at and below `folder` (relative to the root).

        Raises:
            OSError: when that is the root, and it cannot be watched.
        """
        if self._watches is not None:
            self._watches.extend(os.path.join(self._root, folder) if folder else self._root)

    def on_thread_start(self) -> None:
        self._watches = self._inotify = _RootWatches(
            self._inotify_fd,
            self._root,
            is_recursive=True,
            event_mask=_MASK,
            follow_symlink=self.watch.follow_symlink,
            report=self._report,
            enters=self._enters,
        )

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self._watches = None

    def build_and_queue_event(self, event: GroupedInotifyEvent, *, full_events: bool = False) -> None:
        del full_events
        if isinstance(event, PathedInotifyEvent):
            self._report_single(event)
        else:
            source, target = event
            self._report(
                Event(
                    EventKind.MOVED,
                    self._relative(source.path),
                    self._relative(target.path),
                    is_folder=source.ev.is_directory,
                )
            )

    def _report_single(self, event: PathedInotifyEvent) -> None:
        kernel = event.ev
        path = self._relative(event.path)
        if kernel.is_delete_self or kernel.is_move_self or kernel.mask & InotifyConstants.IN_UNMOUNT:
            if not path:
                self._report(Event(EventKind.ROOT_CHANGED))
        elif kernel.is_delete or kernel.is_moved_from:
            if kernel.is_moved_from and kernel.is_directory:
                # It left the root, and its watches went with it: they would report what happens elsewhere.
                self._renew(path)
            self._report(Event(EventKind.GONE, path, is_folder=kernel.is_directory))
        elif kernel.is_close_write:
            self._report(Event(EventKind.CLOSED, path))
        elif kernel.is_create or kernel.is_moved_to or not kernel.is_directory:
            self._report(Event(EventKind.APPEARED, path, is_folder=kernel.is_directory))

    def _renew(self, folder: bytes) -> None:
        if self._watches is not None:
            self._watches.renew(os.path.join(self._root, folder))

    def _relative(self, path: bytes) -> bytes:
        return path[len(self._root) :].lstrip(b"/")


def limit_reason(error: OSError) -> str:
    """Why a folder could not be watched, and what to do."""
    return (
        f"cannot be watched ({error.strerror}): raise fs.inotify.max_user_watches; "
        "until then imgd looks at the root from time to time"
    )
