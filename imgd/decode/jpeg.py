"""JPEG pixels from a decoder that tells of damage.

libjpeg makes a picture of any entropy-coded data: where it is cut, overwritten or out of step, libjpeg warns and
goes on with grey or garbled blocks. Pillow drops the warnings. simplejpeg is the same library, gives the same
pixels, and can be made to raise them. Most warnings mean that part of the picture is lost; those that careless
writers cause in whole photos are told apart here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from imgd.errors import LimitError

_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_WARNING = re.compile(
    r"Corrupt JPEG data|Premature end|Inconsistent progression|Invalid SOS param|unknown (JFIF|Adobe)",
    re.IGNORECASE,
)
_STRAY = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_HEADER_FAULT = re.compile(r"extraneous bytes before marker 0x(?!d[0-79])|Invalid SOS param|unknown JFIF")
_ADOBE = "unknown Adobe"
_HARMLESS_STRAY_BYTES = 4
"""Writers leave as many behind the last block; a decoder that lost its step leaves hundreds."""
_MARKER = re.compile(rb"\xff[^\xff\0]", re.DOTALL)
_MAX_SEGMENTS = 2_000
_ZEROS = bytes(64)
_NO_MARKER = re.compile(
    rb"\xff+(?!\x00|[\xd0-\xd9]|\xda\x00[\x06-\x0e]|\xc4[\x00\x01]|\xdb\x00|\xdd\x00\x04)", re.DOTALL
)
"""0xFF that begins none of what can follow the start of a scan: stuffing, restart, end, the next scan's tables."""
_SOS, _EOI, _DHT, _APP0 = 0xDA, 0xD9, 0xC4, 0xE0
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TEM = 0x01
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_MAX_SCANS = 100
"""Writers make about ten. Each goes over the whole picture, and an empty one takes 30 bytes of the file."""
_MAX_PARTS = 2_000
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


_Header = Sequence[tuple[int, int, int]]


class JpegDamageError(ValueError):
    """Image data is missing or garbled, in libjpeg's words."""


def decode(data: bytes, mode: str, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """The pixels in Pillow's `mode`, (h, w) or (h, w, channels), reduced in the DCT domain to exactly `size`.

    None where this decoder does not read such a file, which another one may.

    Raises:
        JpegDamageError: it has pixels, and not all of them are those of the photo.
        LimitError: its picture is told in more scans than any writer makes.
    """
    header = list(segments(data))
    _check_scans(data, header)
    if mode not in _COLOURS:
        return None
    pixels, said = _strict(data, mode, size)
    if pixels is None and said and _HEADER_FAULT.search(said):
        pixels, said = _strict(_tidy(data), mode, size)
    if pixels is None:
        if not said:
            return None
        if not _is_harmless(said, data, header):
            raise JpegDamageError(said)
        pixels = _run(data, mode, size, strict=False)
    elif _has_impossible_zeros(data, header):
        raise JpegDamageError("Corrupt JPEG data: a run of zeros")
    if pixels.shape[:2] != size[::-1]:
        return None
    if mode == "CMYK":
        return ~pixels  # as Pillow: Adobe's CMYK counts from white
    return pixels[..., 0] if mode == "L" else pixels


def _check_scans(data: bytes, header: _Header) -> None:
    """Refuse a JPEG that would be decoded a thousand times over.

    Raises:
        LimitError: its picture is told in more scans than any writer makes.
    """
    position, scans = _later_scans(data, header), 1
    if not position:
        return
    for _ in range(_MAX_PARTS):
        found = _NEXT_MARKER.search(data, position)
        if found is None or data[found.end() - 1] == _EOI:
            return
        marker, position = data[found.end() - 1], found.end()
        scans += marker == _SOS
        if scans > _MAX_SCANS:
            break
        if marker != _TEM:
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    raise LimitError(
        f"its picture comes in more than {_MAX_SCANS} scans", hint="No camera and no program writes such."
    )


def _later_scans(data: bytes, header: _Header) -> int:
    """Where the first scan's data begins if it may have others behind it; 0 where one scan is all there can be."""
    sequential, components = False, 0
    for marker, start, end in header:
        if marker in _FRAMES and start + 5 < len(data):
            sequential, components = marker in _SEQUENTIAL, data[start + 5]
        elif marker == _SOS and start < len(data):
            return 0 if sequential and data[start] == components else end
    return 0


def mend(data: bytes) -> bytes:
    """`data` with what libjpeg needs to give all that a damaged file still has; raises LimitError as `decode`.

    An end-of-image marker, with which even a progressive file's scans that are there are given, and no markers in
    the image data that only garbage put there: they would end the decoding.
    """
    header = list(segments(data))
    _check_scans(data, header)
    start = _scan_start(header)
    return data[:start] + _NO_MARKER.sub(b"\xff\0", data[start:]) + b"\xff\xd9"


def _strict(data: bytes, mode: str, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """The pixels; or None and libjpeg's first warning, "" where it does not read the file at all."""
    try:
        return _run(data, mode, size, strict=True), ""
    except ValueError as error:
        return None, str(error) if _WARNING.search(str(error)) else ""


def _run(data: bytes, mode: str, size: tuple[int, int], *, strict: bool) -> npt.NDArray[np.uint8]:
    import simplejpeg

    pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data, _COLOURS[mode], min_width=size[0], min_height=size[1], strict=strict
    )
    return pixels


def _is_harmless(said: str, data: bytes, header: _Header) -> bool:
    """Whether a whole photo may cause this warning: few bytes, or padding, between its last block and its end."""
    if _ADOBE in said:
        return True
    found = _STRAY.search(said)
    if found is None:
        return False
    count = int(found[1])
    if count <= _HARMLESS_STRAY_BYTES:
        return True
    end = data.find(b"\xff\xd9", _scan_start(header))
    padding, before = data[max(0, end - count) : end], data[max(0, end - count - 8) : end - count]
    # Where the same byte goes on before it, some of it was taken for picture.
    return padding == padding[:1] * count and before != padding[:1] * 8


def _has_impossible_zeros(data: bytes, header: _Header) -> bool:
    """Whether the image data has a run of zero bytes that no picture gives: a lost sector, which may by chance
    decode to as many blocks as were lost.

    Zero bits are the first code of each Huffman table. Where the first AC code of the luminance is not the end of
    the block, a run as long as `_ZEROS` would be whole blocks in which every frequency has the same weight. Only
    for sequential JPEG.
    """
    start = _scan_start(header)
    at = data.find(_ZEROS, start)
    if at < 0 or not start or data.find(b"\xff\xd9", start, at) >= 0:
        return False
    if not any(marker in _SEQUENTIAL for marker, _, _ in header):
        return False
    tables = b"".join(data[body:end] for marker, body, end in header if marker == _DHT)
    while len(tables) > 17:
        if tables[0] == 0x10:
            return tables[17] != 0
        tables = tables[17 + sum(tables[1:17]) :]
    return False


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of the body of each segment up to and with the start of the first scan."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found.end() + 2 > len(data):
            return
        marker, body = data[found.start() + 1], found.end() + 2
        if marker in _BARE:
            position = found.end()
            continue
        if marker == _EOI:
            return
        (length,) = struct.unpack_from(">H", data, found.end())
        position = found.end() + max(length, 2)
        yield marker, body, position
        if marker == _SOS:
            return


def _scan_start(header: _Header) -> int:
    """Where the entropy-coded data of the first scan begins; 0 where there is none."""
    return next((end for marker, _, end in header if marker == _SOS), 0)


def _tidy(data: bytes) -> bytes:
    """`data` with a header that libjpeg has no words for: no stray bytes between segments, a JFIF revision that
    it knows, and a sequential scan's parameters as they must be."""
    parts, last, sequential = [b"\xff\xd8"], len(data), False
    for marker, start, end in segments(data):
        body = data[start:end]
        if marker in _FRAMES:
            sequential = marker in _SEQUENTIAL
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            body = body[:5] + b"\1\1" + body[7:]
        elif marker == _SOS and sequential:
            body = body[:-3] + b"\0\x3f\0"
        parts.append(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body)
        last = end
    return b"".join([*parts, data[last:]])
