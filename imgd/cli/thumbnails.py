"""Thumbnails in the terminal: strips of pictures, with the numbers of the rows below them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgd.cli.graphics import encode_iterm2, encode_kitty, encode_sixel
from imgd.cli.screen import Protocol, Screen
from imgd.cli.tiles import Tile, draw_tile

if TYPE_CHECKING:
    from PIL.Image import Image

_ROWS = 6
"""Of cells, for one strip; a cell is about twice as high as wide, so a picture of 3:2 fills 18 columns."""

_COLUMNS, _GAP = 18, 2


def write_thumbnails(screen: Screen, tiles: Sequence[Tile], first: int) -> None:
    """Draw the tiles strip by strip; they are numbered from `first` on."""
    a_strip = max(1, screen.columns // (_COLUMNS + _GAP))
    out = sys.stdout.buffer
    sys.stdout.flush()
    for start in range(0, len(tiles), a_strip):
        strip = tiles[start : start + a_strip]
        out.write(place(encode_strip(screen, strip), _ROWS))
        numbers = (str(first + start + position).ljust(_COLUMNS + _GAP) for position in range(len(strip)))
        out.write("".join(numbers).rstrip().encode() + b"\n")
    out.flush()


def encode_strip(screen: Screen, tiles: Sequence[Tile]) -> bytes:
    """One picture of all tiles, side by side, as the terminal wants it."""
    picture = _draw_strip(tiles, screen.cell_px)
    columns = len(tiles) * (_COLUMNS + _GAP)
    if screen.protocol is Protocol.KITTY:
        return encode_kitty(picture, columns, _ROWS)
    if screen.protocol is Protocol.ITERM2:
        return encode_iterm2(picture, columns, _ROWS)
    return encode_sixel(picture, screen.colours)


def place(picture: bytes, rows: int) -> bytes:
    """The picture on rows of its own, with the cursor below it at the end.

    Terminals differ in where they leave the cursor after a picture. So room is made first (which may scroll),
    and the cursor is kept.
    """
    return b"\n" * rows + b"\x1b[%dA\x1b7%b\x1b8\x1b[%dB\r" % (rows, picture, rows)


def _draw_strip(tiles: Sequence[Tile], cell_px: tuple[int, int]) -> Image:
    from PIL import Image

    width_px, height_px = cell_px
    step_px = (_COLUMNS + _GAP) * width_px
    strip = Image.new("RGBA", (step_px * len(tiles), _ROWS * height_px))
    for position, tile in enumerate(tiles):
        picture = draw_tile(tile, _COLUMNS * width_px, _ROWS * height_px)
        strip.paste(picture, (position * step_px, _ROWS * height_px - picture.height))
    return strip
