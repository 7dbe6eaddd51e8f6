"""The size of a JPEG XL picture from its header (ISO/IEC 18181-1, annexes A and D; container: 18181-2)."""

from __future__ import annotations

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_HEADER_BYTES = 64
_LEAST_BYTES = 12  # more than any size takes, less than any picture


def upright_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as displayed, or None where `data` has no codestream header."""
    codestream = _codestream(data)
    if codestream[:2] != b"\xff\x0a" or len(codestream) < _LEAST_BYTES:
        return None
    bits = _Bits(codestream[2:])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    width = height * _RATIOS[ratio][0] // _RATIOS[ratio][1] if ratio else _side(bits, small)
    all_default = bits.take(1)
    turned = not all_default and bits.take(1) and bits.take(3) >= 4  # orientations 5..8, stored from 0
    return (height, width) if turned else (width, height)


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (1 + bits.take(5))
    return 1 + bits.take((9, 13, 18, 30)[bits.take(2)])


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, which a container keeps in a `jxlc` box or in `jxlp` parts."""
    if data[:2] == b"\xff\x0a":
        return data[:_HEADER_BYTES]
    offset = 0
    while offset + 8 <= len(data):
        size, kind, body = (
            int.from_bytes(data[offset : offset + 4], "big"),
            data[offset + 4 : offset + 8],
            offset + 8,
        )
        if size == 1:
            size, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        if kind in (b"jxlc", b"jxlp"):
            start = body + (4 if kind == b"jxlp" else 0)
            return data[start : start + _HEADER_BYTES]
        if size < 8:
            break
        offset += size
    return b""


class _Bits:
    """Bits of a byte string, the least significant first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value
