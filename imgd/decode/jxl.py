"""The header of a JPEG XL picture (ISO/IEC 18181-1, annexes A and D; container: 18181-2), and animations.

The plugin that gives Pillow JPEG XL decodes every frame and keeps the last. Of an animation the first is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_HEADER_BYTES = 64
_LEAST_BYTES = 12  # more than any size takes, less than any picture
_MAX_BOXES = 1_000
_GREY_ALPHA, _GREY = 2, 1


@dataclass(frozen=True, slots=True)
class Header:
    """`width` and `height` as displayed; `bits` a sample, of whole numbers unless `floats`."""

    width: int
    height: int
    animated: bool = False
    bits: int = 8
    floats: bool = False


def header(data: bytes) -> Header | None:
    """What the codestream begins with, or None where `data` has no codestream."""
    codestream = _codestream(data)
    if codestream[:2] != b"\xff\x0a" or len(codestream) < _LEAST_BYTES:
        return None
    bits = _Bits(codestream[2:])
    width, height = _size(bits)
    if bits.take(1):  # all the rest is as usual
        return Header(width, height)
    animated = False
    if bits.take(1):
        if bits.take(3) >= 4:  # orientations 5..8, stored from 0
            width, height = height, width
        if bits.take(1):
            _size(bits)  # the intrinsic one
        if bits.take(1):
            _skip_preview(bits)
        animated = bool(bits.take(1))
        if animated:
            _skip_animation(bits)
    floats = bool(bits.take(1))
    choice = bits.take(2)
    depth = ((32, 16, 24) if floats else (8, 10, 12))[choice] if choice < 3 else 1 + bits.take(6)
    return Header(width, height, animated, depth, floats)


def first_frame(data: bytes, found: Header) -> npt.NDArray[np.uint8]:
    """The first frame of an animation, upright, 8 bits: (h, w), or (h, w, channels) of 3 or 4 channels.

    Its colours count as sRGB, which a profile of its own would tell apart.
    """
    import imagecodecs

    pixels: npt.NDArray[Any] = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    if pixels.ndim == 3 and pixels.shape[2] == _GREY:
        pixels = pixels[..., 0]
    elif pixels.ndim == 3 and pixels.shape[2] == _GREY_ALPHA:
        pixels = pixels[..., [0, 0, 0, 1]]
    if pixels.shape[:2] != (found.height, found.width) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise ValueError("invalid data: its frame is of another size")
    if pixels.dtype == np.uint8 and found.bits == 8:
        return pixels
    largest = 1.0 if pixels.dtype.kind == "f" else float((1 << found.bits) - 1)
    scaled = np.nan_to_num(pixels.astype(np.float32), nan=0.0) * np.float32(255 / largest)
    eight: npt.NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return eight


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    return height * _RATIOS[ratio][0] // _RATIOS[ratio][1] if ratio else _side(bits, small), height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (1 + bits.take(5))
    return 1 + bits.take((9, 13, 18, 30)[bits.take(2)])


def _skip_preview(bits: _Bits) -> None:
    widths = (0, 0, 5, 9) if bits.take(1) else (6, 8, 10, 12)
    bits.take(widths[bits.take(2)])
    if not bits.take(3):
        bits.take(widths[bits.take(2)])


def _skip_animation(bits: _Bits) -> None:
    for widths in ((0, 0, 10, 30), (0, 0, 8, 10), (0, 3, 16, 32)):
        bits.take(widths[bits.take(2)])
    bits.take(1)


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, which a container keeps in a `jxlc` box or in `jxlp` parts."""
    if data[:2] == b"\xff\x0a":
        return data[:_HEADER_BYTES]
    offset, begun = 0, b""
    for _ in range(_MAX_BOXES):
        if offset + 8 > len(data) or len(begun) >= _HEADER_BYTES:
            break
        size, kind, body = (
            int.from_bytes(data[offset : offset + 4], "big"),
            data[offset + 4 : offset + 8],
            offset + 8,
        )
        if size == 1:
            size, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        end = offset + size if size else len(data)
        if kind == b"jxlc":
            return data[body : min(body + _HEADER_BYTES, end)]
        if kind == b"jxlp":
            begun += data[body + 4 : min(body + 4 + _HEADER_BYTES, end)]
        if size < 8:
            break
        offset = end
    return begun[:_HEADER_BYTES]


class _Bits:
    """Bits of a byte string, the least significant first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value
