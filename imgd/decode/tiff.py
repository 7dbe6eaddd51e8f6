"""The directories of a TIFF, which most RAW formats are too: read for their structure alone."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from imgd.domain import ByteRange

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_CODES = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 13: "I"}
_RATIONAL, _OPAQUE = 5, (2, 7)
_MAX_DIRECTORIES = 64
_MAX_ENTRIES = 1024
_MAX_VALUES = 65536
_MAX_ALL_VALUES = 1 << 20
"""Of all directories of a file together: 36 MiB where each is held, a tenth of a second to read."""
_APART_COUNTS = 256
"""As so many values counts at least what lies apart from its directory, for it takes a read of its own."""
# II*, MM*, Panasonic RW2 (IIU), Olympus ORF (IIRO, IIRS, MMOR)
_MAGICS = (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")

SUB_IFDS = 330
STRIP_OFFSETS, STRIP_BYTE_COUNTS = 273, 279
TILE_OFFSETS, TILE_BYTE_COUNTS = 324, 325
PREVIEW_OFFSET, PREVIEW_BYTE_COUNT = 513, 514
_SPANS = (
    (STRIP_OFFSETS, STRIP_BYTE_COUNTS),
    (TILE_OFFSETS, TILE_BYTE_COUNTS),
    (PREVIEW_OFFSET, PREVIEW_BYTE_COUNT),
)


@dataclass(slots=True)
class Directory:
    """One image file directory.

    `end`: the last byte, plus one, that its entries take; 0 where it names more entries than any writer makes, as
    garbage does. `cost`: what reading it took of the bound on all values.
    """

    offset: int
    end: int = 0
    cost: int = 0
    tags: dict[int, tuple[int, ...] | bytes] = field(default_factory=dict)
    """Tag -> its integers (of fractions, those that are whole), or its bytes for text and opaque types."""
    blobs: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Tag -> (offset, size) of an opaque value that is too long to be held."""

    def number(self, tag: int) -> int | None:
        value = self.tags.get(tag)
        return value[0] if value else None

    def pair(self, tag: int) -> tuple[int, int] | None:
        """The value, where it is two positive integers."""
        value = self.tags.get(tag)
        if not isinstance(value, tuple) or len(value) != 2 or min(value) <= 0:
            return None
        return value[0], value[1]

    def spans(self) -> Iterator[tuple[int, int]]:
        """(offset, size) of each piece of image data."""
        for offset_tag, size_tag in _SPANS:
            offsets, sizes = self.tags.get(offset_tag, ()), self.tags.get(size_tag, ())
            if isinstance(offsets, tuple) and isinstance(sizes, tuple):
                yield from zip(offsets, sizes, strict=False)


def is_tiff_like(data: ByteRange) -> bool:
    """Whether `data` has a TIFF header, or one of the few that RAW makers put in its place."""
    return data[:4] in _MAGICS


def directories(data: ByteRange) -> Iterator[Directory]:
    """All directories that lie within `data`: the chain from the header, and sub-directories.

    However hostile the file: 64 of them, 1,024 entries each, and about a million values altogether.
    """
    if not is_tiff_like(data) or len(data) < 8:
        return
    order = _order(data)
    waiting = deque([struct.unpack(order + "I", data[4:8])[0]])
    seen: set[int] = set()
    left = _MAX_ALL_VALUES
    while waiting and len(seen) < _MAX_DIRECTORIES:
        offset = waiting.popleft()
        if offset in seen or not 8 <= offset <= len(data) - 2:
            continue
        seen.add(offset)
        directory, following = _directory(data, offset, order, left)
        left -= directory.cost
        yield directory
        below = directory.tags.get(SUB_IFDS, ())
        waiting += [*(below[:_MAX_DIRECTORIES] if isinstance(below, tuple) else ()), *following]


def directory_at(data: ByteRange, offset: int) -> Directory | None:
    """The one directory at `offset`, which a tag points to; None where it lies outside `data`."""
    if not 8 <= offset <= len(data) - 2:
        return None
    return _directory(data, offset, _order(data), _MAX_ALL_VALUES)[0]


def last_byte(data: ByteRange) -> int:
    """The size that a whole file must have for all its image data, as its directories tell; 0 for no TIFF."""
    return end_of(directories(data))


def end_of(found: Iterable[Directory]) -> int:
    """The last byte, plus one, of all image data of `found`.

    Offsets of all ones (Panasonic's way to say `elsewhere`) say nothing.
    """
    end = 0
    for directory in found:
        end = max(end, directory.end)
        for offset, size in directory.spans():
            if 0 < offset < 0xFFFFFFFF and 0 < size < 0xFFFFFFFF:
                end = max(end, offset + size)
    return end


def _order(data: ByteRange) -> str:
    return "<" if data[:2] == b"II" else ">"


def _directory(data: ByteRange, offset: int, order: str, most: int) -> tuple[Directory, list[int]]:
    """The directory at `offset`, with values that cost `most` altogether, and the offset of the next one in its
    chain."""
    count = struct.unpack(order + "H", data[offset : offset + 2])[0]
    directory = Directory(offset, offset + 2 + 12 * count if count <= _MAX_ENTRIES else 0)
    held = min(count, _MAX_ENTRIES, (len(data) - offset - 2) // 12)
    entries = data[offset + 2 : offset + 2 + 12 * held]
    for index, (tag, kind, values, value) in enumerate(struct.iter_unpack(order + "HHII", entries)):
        if kind not in _TYPE_SIZES:
            continue
        size = _TYPE_SIZES[kind] * values
        place = offset + 2 + 12 * index + 8 if size <= 4 else value
        if values > _MAX_VALUES:
            if kind in _OPAQUE:
                directory.blobs[tag] = (place, size)
            continue
        cost = max(values, _APART_COUNTS if size > 4 else 0)
        if place + size > len(data) or directory.cost + cost > most:
            continue
        directory.cost += cost
        if (read := _value(data, order, kind, values, place)) is not None:
            directory.tags[tag] = read
    link = offset + 2 + 12 * count
    if count > held or link + 4 > len(data):
        return directory, []
    return directory, [struct.unpack(order + "I", data[link : link + 4])[0]]


def _value(data: ByteRange, order: str, kind: int, count: int, place: int) -> tuple[int, ...] | bytes | None:
    raw = data[place : place + _TYPE_SIZES[kind] * count]
    if code := _TYPE_CODES.get(kind):
        return struct.unpack(f"{order}{count}{code}", raw)
    if kind in _OPAQUE:
        return raw
    if kind == _RATIONAL:
        parts = struct.unpack(f"{order}{2 * count}I", raw)
        fractions = list(zip(parts[::2], parts[1::2], strict=True))
        if all(below and above % below == 0 for above, below in fractions):
            return tuple(above // below for above, below in fractions)
    return None
