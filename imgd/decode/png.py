"""PNG's chunks, and the pixels of plain PNGs: unpacked by libdeflate, which takes half the time of zlib.

libspng undoes the filters, several bytes at once. It unpacks by zlib, so it is given the picture in deflate's
stored blocks, which only have to be copied. Pillow takes nearly twice the time for both.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {0: ("L", 1), 2: ("RGB", 3), 6: ("RGBA", 4)}
_HEADER_END = 33
_MAX_CHUNKS = 500_000
_LEFT_ALONE = frozenset({b"tEXt", b"tIME"})
"""What may follow the picture: Pillow reads on to the end, and of these it finds no fault."""
_REST_BYTES = 64 * 1024
_EXIF_TEXT = b"Raw profile type"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_STORED_BYTES = 65535
_ZLIB_HEADER = b"\x78\x01"


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the body of each chunk; the last one's may lie beyond the end of `data`."""
    offset = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if offset + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, offset)
        yield kind, offset + 8, offset + 8 + size
        offset += 12 + size


def may_have_exif(data: bytes) -> bool:
    """Whether a chunk, before or behind the picture, holds EXIF; also said of files of endless chunks."""
    count = 0
    for kind, start, _ in chunks(data):
        count += 1
        if kind == b"eXIf" or (kind in _TEXTS and data.startswith(_EXIF_TEXT, start)):
            return True
    return count == _MAX_CHUNKS


def pixels(data: bytes, image: Image.Image) -> npt.NDArray[np.uint8] | None:
    """(h, w[, channels]) of an 8-bit PNG without palette, interlacing, transparent colour or animation.

    `image` is its header as Pillow has read it. None where the file is of another kind or is not quite in order:
    then Pillow decodes it, and its judgement of the damage counts.
    """
    if data[12:16] != b"IHDR":
        return None
    mode, channels = _COLOUR_TYPES.get(data[25], ("", 0))
    plain = mode == image.mode and data[24] == 8 and data[28] == 0 and "transparency" not in image.info
    # Pillow may have decoded it already, to look for EXIF behind the picture: then it has no tile left.
    if not plain or not getattr(image, "tile", None):
        return None
    packed = _packed(data)
    if packed is None:
        return None
    import imagecodecs

    size = image.height * (1 + image.width * channels)
    shape = (image.height, image.width, channels) if channels > 1 else (image.height, image.width)
    try:
        filtered, checksum = bytes(imagecodecs.deflate_decode(packed, out=size)), packed[-4:]
        del packed
        if len(filtered) != size:
            return None
        stored = _stored(data, filtered, checksum)
        del filtered
        found: npt.NDArray[np.uint8] = imagecodecs.spng_decode(stored)
    except Exception:  # noqa: BLE001  Pillow says what is wrong with it, or does with less memory
        return None
    return found if found.dtype == np.uint8 and found.shape == shape else None


def _packed(data: bytes) -> bytes | None:
    """The picture's zlib stream, where its chunks are in one run and nothing for Pillow to judge comes after."""
    view = memoryview(data)
    parts: list[memoryview] = []
    rest, ended = 0, False
    for kind, start, end in chunks(data):
        if kind == b"acTL" or end + 4 > len(data):
            return None
        if kind == b"IEND":
            return b"".join(parts) if parts else None
        if kind == b"IDAT":
            if ended:
                return None
            parts.append(view[start:end])
        elif parts:
            ended, rest = True, rest + end - start
            if kind not in _LEFT_ALONE or rest > _REST_BYTES:
                return None
    return None


def _stored(data: bytes, filtered: bytes, checksum: bytes) -> bytearray:
    """A PNG with the header of `data` and the `filtered` rows in stored blocks (RFC 1951, 3.2.4)."""
    whole, last = divmod(len(filtered), _STORED_BYTES)
    block = np.frombuffer(struct.pack("<BHH", 0, _STORED_BYTES, 0), np.uint8)
    block_bytes = len(block) + _STORED_BYTES
    tail = struct.pack("<BHH", 1, last, last ^ 0xFFFF) + filtered[whole * _STORED_BYTES :] + checksum
    size = len(_ZLIB_HEADER) + whole * block_bytes + len(tail)
    start = data[:_HEADER_END] + struct.pack(">I4s", size, b"IDAT") + _ZLIB_HEADER
    made = bytearray(len(start) + whole * block_bytes)
    made[: len(start)] = start
    blocks = np.frombuffer(made, np.uint8, offset=len(start)).reshape(whole, block_bytes)
    blocks[:, : len(block)] = block
    rows = np.frombuffer(filtered, np.uint8, whole * _STORED_BYTES)
    blocks[:, len(block) :] = rows.reshape(whole, _STORED_BYTES)
    del blocks  # a bytearray that is looked into cannot grow
    made += tail
    made += struct.pack(">I", zlib.crc32(memoryview(made)[_HEADER_END + 4 :]))
    made += struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
    return made
