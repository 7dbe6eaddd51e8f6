"""How often files are opened, as the kernel counts."""

from __future__ import annotations

import ctypes
import os
import struct
from collections import Counter
from pathlib import Path

_IN_ACCESS, _IN_CLOSE, _IN_OPEN, _IN_ISDIR, _IN_Q_OVERFLOW = 0x1, 0x18, 0x20, 0x40000000, 0x4000
_EVENT = struct.Struct("iIII")


class OpenCounter:
    """Counts IN_OPEN of every file below `root`, folders left out.

    The kernel merges equal events that follow each other, so reads and closes are asked for too: two opens of one
    file are then never next to each other.
    """

    def __init__(self, root: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0
        self._folders: dict[int, bytes] = {}
        for folder, _, _ in os.walk(os.fsencode(root)):
            watch = libc.inotify_add_watch(self._fd, folder, _IN_OPEN | _IN_ACCESS | _IN_CLOSE)
            assert watch >= 0, os.strerror(ctypes.get_errno())
            self._folders[watch] = folder

    def take(self) -> Counter[str]:
        """Path -> how often it was opened so far; ends the counting."""
        opens: Counter[str] = Counter()
        while data := self._read():
            offset = 0
            while offset < len(data):
                watch, mask, _cookie, length = _EVENT.unpack_from(data, offset)
                name = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
                offset += _EVENT.size + length
                assert not mask & _IN_Q_OVERFLOW
                if mask & _IN_OPEN and not mask & _IN_ISDIR:
                    opens[os.fsdecode(os.path.join(self._folders[watch], name))] += 1
        os.close(self._fd)
        return opens

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return b""
