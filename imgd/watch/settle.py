"""Waiting until a file is whole: its writer closed it, or its size and time stayed the same for `settle_s`."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from imgd.domain import SeenFile

FilePath: TypeAlias = tuple[bytes, bytes]
"""(folder, name), the folder relative to its root."""

See: TypeAlias = Callable[[bytes, bytes], SeenFile | None]
"""Looks at a file as it is now; None where it is gone."""

CLOSED_DELAY_S = 0.2
"""A closed file waits this long, so that what programs do right after (setting times) comes with it."""


@dataclass(slots=True)
class _Unsettled:
    due: float
    closed: bool
    last_seen: tuple[int, int] | None = None


@dataclass(slots=True)
class Settled:
    """Files that count now, and paths where none is (any more)."""

    files: list[SeenFile] = field(default_factory=list)
    gone: list[FilePath] = field(default_factory=list)


class Settling:
    """The files of one root that are not whole yet. Many events of one file cost one entry. One thread uses it."""

    def __init__(self, settle_s: float, see: See) -> None:
        self._settle_s = settle_s
        self._closed_delay_s = min(CLOSED_DELAY_S, settle_s)
        self._see = see
        self._files: dict[FilePath, _Unsettled] = {}
        # May name a file twice or one that has left: `_files` is what counts.
        self._order: list[tuple[float, FilePath]] = []

    def __len__(self) -> int:
        return len(self._files)

    def touch(self, path: FilePath) -> None:
        """The file appeared or changes, and may change more."""
        if path not in self._files:
            self._schedule(path, _Unsettled(time.monotonic() + self._settle_s, closed=False))

    def close(self, path: FilePath) -> None:
        """The file's writer closed it."""
        self._schedule(path, _Unsettled(time.monotonic() + self._closed_delay_s, closed=True))

    def move(self, source: FilePath, target: FilePath) -> bool:
        """The file has another path now; returns whether it was one that is waited for."""
        entry = self._files.pop(source, None)
        if entry is not None:
            self._schedule(target, entry)
        return entry is not None

    def move_folder(self, source: bytes, target: bytes) -> None:
        """A folder has another path now."""
        for folder, name in [path for path in self._files if _is_below(path[0], source)]:
            self.move((folder, name), (target + folder[len(source) :], name))

    def drop(self, path: FilePath) -> None:
        self._files.pop(path, None)

    def clear(self) -> None:
        self._files.clear()
        self._order.clear()

    @property
    def next_due(self) -> float | None:
        """When (monotonic) the next file is to be looked at."""
        while self._order:
            due, path = self._order[0]
            entry = self._files.get(path)
            if entry is not None and entry.due == due:
                return due
            heapq.heappop(self._order)
        return None

    def take(self, limit: int) -> Settled:
        """Up to `limit` files whose time has come: looked at, and settled or waited for again."""
        settled = Settled()
        now = time.monotonic()
        while len(settled.files) < limit and (due := self.next_due) is not None and due <= now:
            _, path = heapq.heappop(self._order)
            entry = self._files[path]
            file = self._see(*path)
            if file is None:
                settled.gone.append(path)
            elif entry.closed or self._is_still(entry, file):
                settled.files.append(file)
            else:
                entry.last_seen = (file.size_bytes, file.mtime_ns)
                entry.due = now + self._settle_s
                heapq.heappush(self._order, (entry.due, path))
                continue
            del self._files[path]
        return settled

    def _is_still(self, entry: _Unsettled, file: SeenFile) -> bool:
        if file.mtime_ns > unsettled_since_ns(self._settle_s):
            return entry.last_seen == (file.size_bytes, file.mtime_ns)
        return True

    def _schedule(self, path: FilePath, entry: _Unsettled) -> None:
        self._files[path] = entry
        heapq.heappush(self._order, (entry.due, path))


def unsettled_since_ns(settle_s: float) -> int:
    """A file that was written to after this moment, within the last `settle_s`, may still be growing."""
    return time.time_ns() - int(settle_s * 1e9)


def _is_below(folder: bytes, parent: bytes) -> bool:
    return folder == parent or folder.startswith(parent + b"/")
