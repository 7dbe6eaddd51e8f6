"""The directories of a TIFF, which most RAW formats are too: read for their structure alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_CODES = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 13: "I"}
_MAX_DIRECTORIES = 64
_MAX_ENTRIES = 1024
_MAX_VALUES = 65536
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
    """One image file directory. `end`: the last byte, plus one, that its entries and their values take."""

    offset: int
    end: int = 0
    tags: dict[int, tuple[int, ...] | bytes] = field(default_factory=dict)
    """Tag -> its integers, or its bytes for text and opaque types; fractions and floats are left out."""

    def number(self, tag: int) -> int | None:
        value = self.tags.get(tag)
        return value[0] if value else None

    def spans(self) -> Iterator[tuple[int, int]]:
        """(offset, size) of each piece of image data."""
        for offset_tag, size_tag in _SPANS:
            offsets, sizes = self.tags.get(offset_tag, ()), self.tags.get(size_tag, ())
            if isinstance(offsets, tuple) and isinstance(sizes, tuple):
                yield from zip(offsets, sizes, strict=False)


def is_tiff_like(data: bytes) -> bool:
    """Whether `data` has a TIFF header, or one of the few that RAW makers put in its place."""
    return data[:4] in _MAGICS


def directories(data: bytes) -> Iterator[Directory]:
    """All directories that lie within `data`: the chain from the header, and sub-directories."""
    if not is_tiff_like(data) or len(data) < 8:
        return
    order = "<" if data[:2] == b"II" else ">"
    waiting = [struct.unpack_from(order + "I", data, 4)[0]]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        offset = waiting.pop(0)
        if offset in seen or not 8 <= offset <= len(data) - 2:
            continue
        seen.add(offset)
        directory, following = _directory(data, offset, order)
        yield directory
        below = directory.tags.get(SUB_IFDS, ())
        waiting += [*(below if isinstance(below, tuple) else ()), *following]


def last_byte(data: bytes) -> int:
    """The size that a whole file must have for all its image data, as its directories tell; 0 for no TIFF.

    Offsets of all ones (Panasonic's way to say `elsewhere`) say nothing.
    """
    end = 0
    for directory in directories(data):
        end = max(end, directory.end)
        for offset, size in directory.spans():
            if 0 < offset < 0xFFFFFFFF and 0 < size < 0xFFFFFFFF:
                end = max(end, offset + size)
    return end


def _directory(data: bytes, offset: int, order: str) -> tuple[Directory, list[int]]:
    """The directory at `offset`, and the offset of the next one in its chain."""
    count = struct.unpack_from(order + "H", data, offset)[0]
    directory = Directory(offset, offset + 2 + 12 * count)
    for index in range(min(count, _MAX_ENTRIES)):
        at = offset + 2 + 12 * index
        if at + 12 > len(data):
            return directory, []
        tag, kind, values = struct.unpack_from(order + "HHI", data, at)
        if kind not in _TYPE_SIZES or values > _MAX_VALUES:
            continue
        size = _TYPE_SIZES[kind] * values
        place = at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]
        if place + size > len(data):
            continue
        if code := _TYPE_CODES.get(kind):
            directory.tags[tag] = struct.unpack_from(f"{order}{values}{code}", data, place)
        elif kind in (2, 7):
            directory.tags[tag] = data[place : place + size]
    link = offset + 2 + 12 * count
    if count > _MAX_ENTRIES or link + 4 > len(data):
        return directory, []
    return directory, [struct.unpack_from(order + "I", data, link)[0]]
