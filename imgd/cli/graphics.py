"""Pictures in a terminal: the bytes of the three protocols that terminals know."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_KITTY_CHUNK = 4096
"""The most base64 in one escape code: https://sw.kovidgoyal.net/kitty/graphics-protocol/#remote-client"""

_BAND_PX = 6
"""What one sixel holds: six pixels, one below the other."""


def encode_kitty(picture: Image, columns: int, rows: int) -> bytes:
    """A PNG in APC codes, scaled to so many cells. The cursor stays (C=1), the terminal answers nothing (q=2).

    https://sw.kovidgoyal.net/kitty/graphics-protocol/
    """
    data = base64.b64encode(_png(picture))
    chunks = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    codes = []
    for position, chunk in enumerate(chunks):
        first = b"a=T,f=100,c=%d,r=%d,C=1,q=2," % (columns, rows) if position == 0 else b""
        codes.append(b"\x1b_G%bm=%d;%b\x1b\\" % (first, position < len(chunks) - 1, chunk))
    return b"".join(codes)


def encode_iterm2(picture: Image, columns: int, rows: int) -> bytes:
    """A PNG as an inline file, scaled to so many cells.

    https://iterm2.com/documentation-images.html
    """
    content = _png(picture)
    about = b"inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=0;doNotMoveCursor=1" % (
        len(content),
        columns,
        rows,
    )
    return b"\x1b]1337;File=%b:%b\x07" % (about, base64.b64encode(content))


def encode_sixel(picture: Image, colours: int = 256) -> bytes:
    """Sixels, one for one pixel, with a palette of `colours` at most; what is transparent stays as it is (P2=1).

    DEC's VT330/VT340 Programmer Reference Manual, volume 2, chapter 14.
    """
    from PIL import Image

    width, height = picture.size
    opaque = picture.getchannel("A").point(lambda alpha: 255 * (alpha > 127))
    paletted = picture.convert("RGB").quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = paletted.getpalette() or []
    pixels, shown = paletted.tobytes(), opaque.tobytes()
    out = [b'\x1bP0;1;0q"1;1;%d;%d' % (width, height)]
    for number in range(len(palette) // 3):
        red, green, blue = (round(each * 100 / 255) for each in palette[number * 3 : number * 3 + 3])
        out.append(b"#%d;2;%d;%d;%d" % (number, red, green, blue))
    for top in range(0, height, _BAND_PX):
        out.append(_band(pixels, shown, width, range(top, min(top + _BAND_PX, height))))
        out.append(b"-")
    out[-1] = b"\x1b\\"
    return b"".join(out)


def _band(pixels: bytes, shown: bytes, width: int, lines: range) -> bytes:
    """Six lines, colour by colour over one another."""
    sixels: dict[int, bytearray] = {}
    for bit, line in enumerate(lines):
        start, mark = line * width, 1 << bit
        for column in range(width):
            if shown[start + column]:
                colour = pixels[start + column]
                row = sixels.get(colour)
                if row is None:
                    row = sixels[colour] = bytearray(b"?" * width)
                row[column] += mark
    return b"$".join(b"#%d%b" % (colour, _shortened(bytes(row))) for colour, row in sorted(sixels.items()))


def _shortened(row: bytes) -> bytes:
    """With runs of four and more written as a number and what is repeated, and nothing at the end."""
    return re.sub(rb"(.)\1{3,254}", lambda run: b"!%d%b" % (len(run[0]), run[1]), row.rstrip(b"?"))


def _png(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
