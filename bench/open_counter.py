"""How often files are opened, as the kernel counts it: inotify's IN_OPEN over a folder tree."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections import Counter
from pathlib import Path
from typing import Self

_IN_ACCESS, _IN_CLOSE, _IN_OPEN, _IN_ISDIR, _IN_Q_OVERFLOW = 0x1, 0x18, 0x20, 0x40000000, 0x4000
_EVENT = struct.Struct("iIII")


class OpenCounter:
    """Counts the opens of every file below `root` while it is entered; folders made later are not seen.

    The kernel merges equal events that follow each other in the queue. Reads and closes are therefore asked for
    as well: an open that follows a read or a close is never merged with the one before.
    """

    def __init__(self, root: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, bytes] = {}
        for folder, _, _ in os.walk(os.fsencode(root)):
            watch = self._libc.inotify_add_watch(self._fd, folder, _IN_OPEN | _IN_ACCESS | _IN_CLOSE)
            if watch < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
            self._folders[watch] = folder
        self._ended, self._end = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="open counter")
        self.opens: Counter[bytes] = Counter()
        """Path -> how often it was opened; complete once the counter is left."""
        self.overflowed = False
        """Whether the kernel dropped events: the counts are then too small."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._ended)
        os.close(self._fd)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd, self._ended], [], [])
            if self._fd in ready:
                self._count(os.read(self._fd, 1 << 16))
            else:
                return

    def _count(self, data: bytes) -> None:
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _EVENT.unpack_from(data, offset)
            name = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
            offset += _EVENT.size + length
            self.overflowed |= bool(mask & _IN_Q_OVERFLOW)
            if mask & _IN_OPEN and not mask & _IN_ISDIR:
                self.opens[os.path.join(self._folders[watch], name)] += 1
