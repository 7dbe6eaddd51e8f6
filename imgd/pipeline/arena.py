"""Shared memory for pixels: one anonymous file, cut into equal slots that are used again and again.

It begins with a line of text a process, where each writes what it is doing: when one dies, the line says which
analyzer it died of.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection

MAX_PROCESSES = 256
_LINE_BYTES = 256
_HEAD_BYTES = MAX_PROCESSES * _LINE_BYTES
_PAGE = mmap.PAGESIZE
_MIN_SLOTS = 8


class Arena:
    """The main process's side: owns the memory, lends slots. Pages that were never written take no memory."""

    def __init__(self, edges: Collection[int], budget_bytes: int) -> None:
        """Slots for pixels of every one of `edges`; as many as `budget_bytes` allow, but a few in any case."""
        self.slot_bytes = -(-sum(edge * edge * 3 for edge in set(edges)) // _PAGE) * _PAGE
        slots = max(_MIN_SLOTS, budget_bytes // self.slot_bytes) if self.slot_bytes else 0
        self.size_bytes = _HEAD_BYTES + slots * self.slot_bytes
        self.fd = os.memfd_create("imgd-pixels", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, self.size_bytes)
        self._memory = mmap.mmap(self.fd, _HEAD_BYTES)
        self._free = [_HEAD_BYTES + slot * self.slot_bytes for slot in reversed(range(slots))]

    @property
    def free_slots(self) -> int:
        return len(self._free)

    def lend(self) -> int:
        """The offset of a free slot; the caller has looked at `free_slots`."""
        return self._free.pop()

    def take_back(self, offset: int) -> None:
        self._free.append(offset)

    def read_line(self, index: int) -> str:
        """What process `index` last said it was doing."""
        line = self._memory[index * _LINE_BYTES : (index + 1) * _LINE_BYTES]
        return line.split(b"\0", 1)[0].decode(errors="replace")

    def clear_line(self, index: int) -> None:
        self._memory[index * _LINE_BYTES] = 0

    def close(self) -> None:
        """Give the memory back; may be called again."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self.fd)


class ArenaView:
    """A child's side: all of the arena mapped, its own line to write, and the file `fd` to hold locks on."""

    def __init__(self, fd: int, size_bytes: int, index: int, *, read_only: bool = False) -> None:
        """`read_only`: whoever writes into the pixels, by whatever means, ends this process and nothing else."""
        self.memory = mmap.mmap(fd, size_bytes, prot=mmap.PROT_READ) if read_only else mmap.mmap(fd, size_bytes)
        self._lines = mmap.mmap(fd, _HEAD_BYTES)
        self.fd = fd
        self._line = index * _LINE_BYTES

    def write_line(self, text: str) -> None:
        data = text.encode(errors="replace")[: _LINE_BYTES - 1] + b"\0"
        self._lines[self._line : self._line + len(data)] = data
