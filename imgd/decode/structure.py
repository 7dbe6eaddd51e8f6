"""How large a file must be by its own structure: what shows that a file was cut, and by how much."""

from __future__ import annotations

import struct
from collections.abc import Callable

from imgd.decode import tiff
from imgd.domain import ByteRange

_ISO_BOXES = (b"ftyp", b"jP  ", b"JXL ")
_MAX_BOXES = 10_000
_MAX_CHUNKS = 500_000


def expected_size(data: ByteRange) -> int:
    """The bytes that the structure of `data` asks for, 0 where it tells nothing. A size larger than the file's
    means that the file was cut; any other says little, since most formats allow what follows the picture."""
    for is_of_kind, measure in _MEASURES:
        if is_of_kind(data):
            try:
                return measure(data)
            except struct.error:  # cut within the header that would tell
                return 0
    return 0


def _tiff(data: ByteRange) -> int:
    """The end of all image data, or of the first directory's count where the file was cut before that."""
    order = "<I" if data[:2] == b"II" else ">I"
    return max(tiff.last_byte(data), int(struct.unpack(order, data[4:8])[0]) + 2)


def _riff(data: ByteRange) -> int:
    return int.from_bytes(data[4:8], "little") + 8


def _raf(data: ByteRange) -> int:
    """The ends of the preview and of the sensor's data, from the directory of a Fujifilm RAF."""
    preview, preview_size, _, _, sensor, sensor_size = struct.unpack(">6I", data[84:108])
    return int(max(preview + preview_size, sensor + sensor_size))


def _iso_boxes(data: ByteRange) -> int:
    """The end of the last top-level box (ISO/IEC 14496-12, section 4.2)."""
    offset = 0
    for _ in range(_MAX_BOXES):
        if offset + 8 > len(data):
            break
        size, kind = int.from_bytes(data[offset : offset + 4], "big"), data[offset + 4 : offset + 8]
        if not kind.isascii() or b"\0" in kind:
            break
        if size == 1 and offset + 16 <= len(data):
            size = int.from_bytes(data[offset + 8 : offset + 16], "big")
        if size < 8:  # 0: to the end of the file; any other: no box
            break
        offset += size
    return offset


def _png_chunks(data: ByteRange) -> int:
    """The end of the IEND chunk, or of the chunk that the file breaks off in."""
    offset = 8
    for _ in range(_MAX_CHUNKS):
        if offset + 8 > len(data):
            break
        size, kind = int.from_bytes(data[offset : offset + 4], "big"), data[offset + 4 : offset + 8]
        if not kind.isalpha() or size > 0x7FFFFFFF:
            return 0
        offset += 12 + size
        if kind == b"IEND":
            return offset
    return offset


def _bmp(data: ByteRange) -> int:
    """The file size of the header, where it is no less than the place of the pixels that it names."""
    size, _, pixels = struct.unpack("<III", data[2:14])
    return int(size) if size >= pixels else 0


_MEASURES: tuple[tuple[Callable[[ByteRange], bool], Callable[[ByteRange], int]], ...] = (
    (tiff.is_tiff_like, _tiff),
    (lambda data: data[:4] == b"RIFF", _riff),
    (lambda data: data[4:8] in _ISO_BOXES, _iso_boxes),
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png_chunks),
    (lambda data: data[:2] == b"BM", _bmp),
    (lambda data: data.startswith(b"FUJIFILMCCD-RAW"), _raf),
)
