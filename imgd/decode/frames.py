"""How many pictures a file says that it holds, from what its header tells, before anything is decoded.

Only the first is ever decoded, but readers take in the list of all: a file that names millions would cost memory
and time for nothing. GIF and JPEG XL name no number; their later frames are not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from imgd.decode import jpeg, tiff
from imgd.domain import ByteRange
from imgd.errors import LimitError

_MAX_CHUNKS = 2_000
_HEADER_BYTES = 256 * 1024
_MAX_BOXES = 2_000
_MAX_DEPTH = 6
_TRACKS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_MP_NUMBER_OF_IMAGES = 0xB001


def check_frames(data: ByteRange, max_frames: int) -> None:
    """Refuse by the header a file of too many pictures.

    Raises:
        LimitError: it names more than `max_frames`.
    """
    if (count := named(data, max_frames)) > max_frames:
        said = f"more than {max_frames}" if count == max_frames + 1 else str(count)
        raise LimitError(f"it names {said} frames, and `decode.max_frames` allows {max_frames}")


def named(data: ByteRange, enough: int) -> int:
    """The number of frames, pages or items that `data` names, counted to `enough` + 1 at most where they must be
    counted; 1 where it tells none."""
    head = data[:12]
    for is_of_kind, count in _COUNTERS:
        if is_of_kind(head):
            try:
                return max(1, count(data, enough))
            except struct.error:  # cut within the header that would tell
                return 1
    return 1


def _apng(data: ByteRange, _enough: int) -> int:
    """The animation control chunk, which comes before the picture (PNG 3rd edition, 11.3.6.1)."""
    offset = 8
    for _ in range(_MAX_CHUNKS):
        size, kind = struct.unpack(">I4s", data[offset : offset + 8])
        if kind == b"acTL":
            return int.from_bytes(data[offset + 8 : offset + 12], "big")
        if kind in (b"IDAT", b"IEND"):
            break
        offset += 12 + size
    return 1


def _webp(data: ByteRange, enough: int) -> int:
    """ANMF chunks, one a frame, where the extended header has the animation flag. A few chunks are of other kinds;
    where many are, no more are looked at."""
    if data[12:16] != b"VP8X" or not data[20] & 2:
        return 1
    frames, offset = 0, 12
    for _ in range(enough + _MAX_CHUNKS):
        if offset + 8 > len(data) or frames > enough:
            break
        kind, size = struct.unpack("<4sI", data[offset : offset + 8])
        frames += kind == b"ANMF"
        offset += 8 + size + size % 2
    return frames


def _iso(data: ByteRange, _enough: int) -> int:
    """The samples of a HEIF or AVIF sequence (`stsz`), or the items of a collection, tiles included (`iinf`)."""
    return max(_iso_counts(data, 0, len(data), 0), default=1)


def _iso_counts(data: ByteRange, start: int, end: int, depth: int) -> Iterator[int]:
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        body = start + 8
        if size == 1:
            size, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        if size == 0:
            size = end - start
        if size < body - start:
            return
        if kind == b"stsz":
            yield int.from_bytes(data[body + 8 : body + 12], "big")
        elif kind == b"iinf":
            wide = data[body : body + 1] != b"\0"
            yield int.from_bytes(data[body + 4 : body + (8 if wide else 6)], "big")
        elif depth < _MAX_DEPTH and (kind in _TRACKS or kind == b"meta"):
            yield from _iso_counts(data, body + 4 * (kind == b"meta"), min(start + size, end), depth + 1)
        start += size


def _tiff(data: ByteRange, enough: int) -> int:
    """The chain of directories, each a page; one that leads back into itself ends there."""
    order = "<" if data[:2] == b"II" else ">"
    pages: set[int] = set()
    (offset,) = struct.unpack(order + "I", data[4:8])
    while 8 <= offset <= len(data) - 2 and offset not in pages and len(pages) <= enough:
        pages.add(offset)
        (entries,) = struct.unpack(order + "H", data[offset : offset + 2])
        link = offset + 2 + 12 * entries
        if link + 4 > len(data):
            break
        (offset,) = struct.unpack(order + "I", data[link : link + 4])
    return len(pages)


def _mpo(data: ByteRange, _enough: int) -> int:
    """The multi-picture index, an APP2 segment (CIPA DC-007, 5.2.3)."""
    head = data[:_HEADER_BYTES]
    if b"MPF\0" not in head:
        return 1
    for marker, start, end in jpeg.segments(head):
        if marker == 0xE2 and head[start : start + 4] == b"MPF\0":
            index = head[start + 4 : min(end, start + 1024)]
            first = next(tiff.directories(index), None)
            return (first.number(_MP_NUMBER_OF_IMAGES) if first else None) or 1
    return 1


_COUNTERS: tuple[tuple[Callable[[bytes], bool], Callable[[ByteRange, int], int]], ...] = (
    (lambda head: head[:3] == b"\xff\xd8\xff", _mpo),
    (lambda head: head[:8] == b"\x89PNG\r\n\x1a\n", _apng),
    (lambda head: head[:4] == b"RIFF" and head[8:] == b"WEBP", _webp),
    (lambda head: head[4:8] == b"ftyp", _iso),
    (tiff.is_tiff_like, _tiff),
)
