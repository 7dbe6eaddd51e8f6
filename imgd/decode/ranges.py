"""An open file as bytes that are read when they are asked for, and formats that make use of it."""

from __future__ import annotations

import abc
import os
from typing import SupportsIndex, overload

from imgd.analyzer import ImageFormat
from imgd.domain import ByteRange, Picture

_BLOCK_BYTES = 16 * 1024
_MAX_BLOCKS = 256
_DIRECT_BYTES = 4 * _BLOCK_BYTES


class RangedFile:
    """The bytes of an open file by `len`, index, slice and `startswith`, as of `bytes`.

    Small parts come from blocks of 16 KiB that are kept (4 MiB at most); a large part is read by itself. `fault`
    is the error of a read that failed.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._blocks: dict[int, bytes] = {}
        self.fault: OSError | None = None

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, part: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, part: slice) -> bytes: ...

    def __getitem__(self, part: SupportsIndex | slice) -> int | bytes:
        if not isinstance(part, slice):
            place = part.__index__()
            place += self._size if place < 0 else 0
            if not 0 <= place < self._size:
                raise IndexError("index out of range")
            return self._part(place, place + 1)[0]
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("a file is read in steps of 1")
        return self._part(start, stop)

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0) -> bool:
        """As of `bytes`."""
        prefixes = (prefix,) if isinstance(prefix, bytes) else prefix
        head = self[start : start + max(map(len, prefixes), default=0)]
        return head.startswith(prefixes)

    def _part(self, start: int, stop: int) -> bytes:
        if stop <= start:
            return b""
        first, last = start // _BLOCK_BYTES, (stop - 1) // _BLOCK_BYTES
        if first == last:
            place = first * _BLOCK_BYTES
            return self._block(first)[start - place : stop - place]
        if stop - start > _DIRECT_BYTES:
            return self._read(start, stop - start)
        joined = b"".join(self._block(number) for number in range(first, last + 1))
        return joined[start - first * _BLOCK_BYTES : stop - first * _BLOCK_BYTES]

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= _MAX_BLOCKS:
                self._blocks.clear()
            place = number * _BLOCK_BYTES
            block = self._blocks[number] = self._read(place, min(_BLOCK_BYTES, self._size - place))
        return block

    def _read(self, place: int, size: int) -> bytes:
        """`size` bytes; zeros where the file has lost them since it was opened, which then counts as changed."""
        parts = []
        while size:
            try:
                part = os.pread(self._descriptor, size, place)
            except OSError as error:
                self.fault = error
                raise
            if not part:
                parts.append(bytes(size))
                break
            parts.append(part)
            place += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class RangedFormat(ImageFormat):
    """A format that reads no more of a file than it needs."""

    @abc.abstractmethod
    def matches(self, data: ByteRange, name: str) -> bool: ...

    @abc.abstractmethod
    def decode(self, data: ByteRange, edge_px: int, max_pixels: int) -> Picture: ...
