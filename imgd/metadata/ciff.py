"""Canon's CIFF 1.0: CRW files, and the APP0 segment of its first compacts' JPEGs."""

from __future__ import annotations

import struct

from imgd.metadata import dates, maker
from imgd.metadata.blocks import Blocks
from imgd.metadata.record import Record
from imgd.metadata.tiff import decode_text

_MAX_DEPTH = 6
_MAX_HEAP_ENTRIES = 1_000


def locate(data: bytes, blocks: Blocks) -> None:
    """Add what the CIFF heap `data` says: typed records, each heap's directory at its end."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 26:
        blocks.note("CRW ends inside its header")
        return
    if blocks.records:
        return  # one heap is a photo's; a JPEG could name thousands
    heap = _Heap(data, order, blocks)
    (head,) = struct.unpack_from(order + "I", data, 2)
    heap.read(head, len(data), 0)
    if heap.values:
        blocks.add_record(_ciff_record(heap.values, order))


class _Heap:
    """Walks nested heaps into `values`, by record type; entries are bounded over all of them together."""

    def __init__(self, data: bytes, order: str, blocks: Blocks) -> None:
        self.data, self.order, self.blocks = data, order, blocks
        self.values: dict[int, bytes] = {}
        self._left = _MAX_HEAP_ENTRIES

    def read(self, start: int, end: int, depth: int) -> None:
        if depth > _MAX_DEPTH or end > len(self.data) or end - start < 6:
            return
        (offset,) = struct.unpack_from(self.order + "I", self.data, end - 4)
        table = start + offset
        if table + 2 > end:
            self.blocks.note("CRW heap has no directory where its end says")
            return
        (count,) = struct.unpack_from(self.order + "H", self.data, table)
        for at in range(table + 2, min(table + 2 + 10 * count, end - 9), 10):
            self._left -= 1
            if self._left < 0:
                return
            self._read_entry(at, start, end, depth)

    def _read_entry(self, at: int, start: int, end: int, depth: int) -> None:
        kind, size, offset = struct.unpack_from(self.order + "HII", self.data, at)
        first, last = start + offset, start + offset + size
        if kind & 0xC000 == 0x4000:  # the value is in the entry itself
            self.values.setdefault(kind & 0x3FFF, self.data[at + 2 : at + 10])
        elif last > end:
            self.blocks.note("CRW record lies outside its heap")
        elif kind & 0x3800 in {0x2800, 0x3000}:
            self.read(first, last, depth + 1)
        elif size <= 65536:
            self.values.setdefault(kind & 0x3FFF, self.data[first:last])


def _ciff_record(values: dict[int, bytes], order: str) -> Record:
    """Tags as in ExifTool's CanonRaw table: 0x080a make and model, 0x1029 focal length, 0x102a shot,
    0x102d camera settings, 0x1810 image, 0x1818 exposure in APEX, 0x180e time."""

    def shorts(tag: int) -> tuple[float, ...]:
        raw = values.get(tag, b"")
        return tuple(float(v) for v in struct.unpack_from(f"{order}{len(raw) // 2}h", raw))

    def floats(tag: int) -> tuple[float, ...]:
        raw = values.get(tag, b"")
        return struct.unpack_from(f"{order}{len(raw) // 4}f", raw)

    make, _, rest = values.get(0x080A, b"").partition(b"\0")
    model = decode_text(rest.split(b"\0")[0])
    shot, settings, exposure = shorts(0x102A), shorts(0x102D), floats(0x1818)
    canon = maker.canon_facts(settings, shot, None, model)
    focal, units = shorts(0x1029), (settings[25] if len(settings) > 25 else 0) or 1
    _bias, shutter, aperture = exposure[:3] if len(exposure) > 2 else (0.0, None, None)
    return Record(
        original=_time(values.get(0x180E, b""), order),
        camera_make=decode_text(make) or None,
        camera_model=model or None,
        lens=canon.lens_range,
        iso=canon.iso,
        aperture=maker.apex_aperture(aperture) or canon.aperture,
        shutter_s=maker.apex_shutter(shutter) or canon.shutter_s,
        focal_mm=focal[1] / units if len(focal) > 1 and focal[1] > 0 else None,
        artist=decode_text(values.get(0x0810, b"").split(b"\0")[0]) or None,
        orientation=_ciff_orientation(values.get(0x1810, b""), order),
    )


def _ciff_orientation(image: bytes, order: str) -> int | None:
    """The rotation in degrees, clockwise, as EXIF's number; an upright photo states none."""
    if len(image) < 16:
        return None
    (rotation,) = struct.unpack_from(order + "i", image, 12)
    return {90: 6, 180: 3, 270: 8}.get(rotation % 360)


def _time(raw: bytes, order: str) -> dates.Moment | None:
    return dates.from_unix(struct.unpack_from(order + "I", raw)[0]) if len(raw) >= 4 else None
