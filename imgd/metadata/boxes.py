"""Metadata of files made of ISO boxes: HEIC, AVIF, Canon CR3, JPEG XL and JPEG 2000 (ISO 14496-12, 23008-12)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from imgd.metadata.blocks import Blocks, Part

_MAX_ITEMS = 2_000
_MAX_WANTED = 8
_MAX_EXTENTS = 64
_MAX_DEPTH = 6
_MAX_CONTENT_BYTES = 8 * 1024 * 1024

_UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_UUID_JP2_EXIF = b"JpgTiffExif->JP2"
_UUID_JP2_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_UUID_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_CANON_PARTS = {b"CMT1": Part.IMAGE, b"CMT2": Part.CAMERA, b"CMT3": Part.CANON, b"CMT4": Part.GPS}


@dataclass(frozen=True, slots=True)
class Box:
    kind: bytes
    start: int  # of the content
    end: int


def locate(data: bytes, blocks: Blocks) -> None:
    """Add what the boxes of a file carry."""
    _walk(data, 0, len(data), blocks, 0)


def boxes(data: bytes, start: int, end: int, blocks: Blocks) -> Iterator[Box]:
    """The boxes side by side in data[start:end]; the last may be cut off by the end of the data."""
    position, end = start, min(end, len(data))
    while position + 8 <= end and blocks.take_box():
        (size,) = struct.unpack_from(">I", data, position)
        kind, head = data[position + 4 : position + 8], 8
        if size == 1 and position + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        elif size == 0:
            size = end - position
        if size < head:
            return
        yield Box(kind, position + head, min(position + size, end))
        position += size


def _walk(data: bytes, start: int, end: int, blocks: Blocks, depth: int) -> None:
    for box in boxes(data, start, end, blocks):
        if box.kind == b"moov" and depth < _MAX_DEPTH:
            _walk(data, box.start, box.end, blocks, depth + 1)
        elif box.kind == b"uuid":
            _uuid(data, box, blocks, depth)
        elif box.kind in _CANON_PARTS:
            blocks.add_exif(data, box.start, box.end, _CANON_PARTS[box.kind])
        elif box.kind in _READERS:
            _READERS[box.kind](data, box, blocks)


def _exif_box(data: bytes, box: Box, blocks: Blocks) -> None:
    _headed_exif(data, box.start, box.end, blocks)


def _xml_box(data: bytes, box: Box, blocks: Blocks) -> None:
    """XMP in JPEG XL; JPEG 2000 has other XML in the same kind of box."""
    head = data[box.start : min(box.end, box.start + 4096)]
    if b"<x:xmpmeta" in head or b"<rdf:RDF" in head:
        blocks.add_xmp(data[box.start : box.end])


def _packed_box(data: bytes, box: Box, blocks: Blocks) -> None:
    if data[box.start : box.start + 4] in {b"Exif", b"xml "}:
        blocks.note("metadata compressed with Brotli is not read")


def _jp2_size(data: bytes, box: Box, blocks: Blocks) -> None:
    for inner in boxes(data, box.start, box.end, blocks):
        if inner.kind == b"ihdr" and inner.end - inner.start >= 8:
            blocks.height, blocks.width = struct.unpack_from(">II", data, inner.start)


def _uuid(data: bytes, box: Box, blocks: Blocks, depth: int) -> None:
    identifier, start = data[box.start : box.start + 16], box.start + 16
    if identifier == _UUID_XMP:
        blocks.add_xmp(data[start : box.end])
    elif identifier == _UUID_JP2_EXIF:
        blocks.add_exif(data, start, box.end)
    elif identifier == _UUID_JP2_IPTC:
        blocks.add_iptc(data[start : box.end])
    elif identifier == _UUID_CANON and depth < _MAX_DEPTH:
        _walk(data, start, box.end, blocks, depth + 1)


def _headed_exif(data: bytes, start: int, end: int, blocks: Blocks) -> None:
    """An EXIF item: a 32-bit offset from its own end to the TIFF header (ISO 23008-12, A.2.1)."""
    if start + 12 > end:
        blocks.note("EXIF item is empty")
        return
    (offset,) = struct.unpack_from(">I", data, start)
    at = start + 4 + offset
    if data[at : at + 2] not in {b"II", b"MM"}:
        # Some writers leave the offset at 0 before `Exif\0\0`, and pillow-jxl-plugin leaves it out.
        at = start if data[start : start + 4] in {b"II*\0", b"MM\0*"} else start + 4
    blocks.add_exif(data, at, end)


@dataclass(frozen=True, slots=True)
class _Location:
    method: int
    extents: tuple[tuple[int, int], ...]


def _items(data: bytes, meta: Box, blocks: Blocks) -> None:
    """The EXIF and XMP items of a HEIC or AVIF file."""
    parts = {box.kind: box for box in boxes(data, meta.start + 4, meta.end, blocks)}
    if b"iinf" not in parts or b"iloc" not in parts:
        return
    wanted = dict(itertools.islice(_item_kinds(data, parts[b"iinf"], blocks), _MAX_WANTED))
    if not wanted:
        return
    idat = parts.get(b"idat")
    for identifier, location in _locations(data, parts[b"iloc"], wanted, blocks):
        content = _content(data, location, idat)
        if not content:
            blocks.note("a metadata item lies outside the file or is too long")
        elif wanted[identifier] == "exif":
            _headed_exif(content, 0, len(content), blocks)
        else:
            blocks.add_xmp(content)


def _item_kinds(data: bytes, iinf: Box, blocks: Blocks) -> Iterator[tuple[int, str]]:
    start = iinf.start + (6 if data[iinf.start : iinf.start + 1] == b"\0" else 8)
    for box in boxes(data, start, iinf.end, blocks):
        version = data[box.start] if box.start < box.end else 0
        if box.kind != b"infe" or version < 2 or box.end - box.start < 12:
            continue
        wide = version >= 3
        identifier = int.from_bytes(data[box.start + 4 : box.start + (8 if wide else 6)], "big")
        at = box.start + (10 if wide else 8)
        kind = data[at : at + 4]
        if kind == b"Exif":
            yield identifier, "exif"
        elif kind == b"mime" and b"application/rdf+xml" in data[at + 4 : min(box.end, at + 512)]:
            yield identifier, "xmp"


def _locations(data: bytes, iloc: Box, wanted: dict[int, str], blocks: Blocks) -> Iterator[tuple[int, _Location]]:
    """The item location box (ISO 14496-12, 8.11.3), for the wanted items."""
    reader = _Cursor(data, iloc.start, iloc.end)
    version = reader.take(1)
    reader.take(3)
    sizes = reader.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version >= 2 else 2
    given: set[int] = set()
    for _ in range(min(reader.take(wide), _MAX_ITEMS)):
        identifier = reader.take(wide)
        method = reader.take(2) & 15 if version in {1, 2} else 0
        reader.take(2)
        base = reader.take(base_size)
        extents = []
        count, index_bytes = reader.take(2), index_size if version in {1, 2} else 0
        for _ in range(min(count, _MAX_EXTENTS)):
            reader.take(index_bytes)
            extents.append((base + reader.take(offset_size), reader.take(length_size)))
        reader.take((count - len(extents)) * (index_bytes + offset_size + length_size))
        if reader.spent:
            blocks.note("the list of items is cut off")
            return
        if identifier in wanted and identifier not in given:
            given.add(identifier)
            yield identifier, _Location(method, tuple(extents))


def _content(data: bytes, location: _Location, idat: Box | None) -> bytes:
    """The item's bytes: from the file (method 0) or the item data box (method 1)."""
    if location.method > 1 or (location.method == 1 and idat is None):
        return b""
    shift, end = (idat.start, idat.end) if location.method == 1 and idat else (0, len(data))
    content = bytearray()
    for offset, length in location.extents:
        last = min(shift + offset + length, end) if length else end
        content += data[shift + offset : min(last, shift + offset + _MAX_CONTENT_BYTES)]
        if len(content) > _MAX_CONTENT_BYTES:
            return b""
    return bytes(content)


class _Cursor:
    """Reads big-endian integers onward; past the end it gives 0 and is `spent`."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data, self.position, self.end = data, position, end
        self.spent = False

    def take(self, size: int) -> int:
        after = self.position + size
        if after > self.end:
            self.spent = True
            return 0
        value = int.from_bytes(self.data[self.position : after], "big")
        self.position = after
        return value


_READERS = {b"meta": _items, b"Exif": _exif_box, b"xml ": _xml_box, b"brob": _packed_box, b"jp2h": _jp2_size}
