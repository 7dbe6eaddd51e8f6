"""The previews of hits as small pictures of one size. Pillow comes in when the first one is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from imgd.cli.terminal import printable
from imgd.errors import PhotoUnknownError, PreviewMissingError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from imgd.control.client import ControlClient
    from imgd.control.protocol import Hit

_EMPTY = (96, 96, 96)
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
"""Fonts with more letters than Pillow's own; the first that the system has is taken."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One hit: its file name, fit to be shown, and its preview (a JPEG), None where the daemon has none."""

    name: str
    preview: bytes | None


def fetch_tiles(client: ControlClient, hits: Iterable[Hit]) -> list[Tile]:
    """One for each hit, in the same order."""
    return [Tile(printable(hit.path.rpartition("/")[2]), _preview(client, hit.photo_id)) for hit in hits]


def _preview(client: ControlClient, photo_id: int) -> bytes | None:
    try:
        return client.preview(photo_id)
    except (PreviewMissingError, PhotoUnknownError):  # unknown: it was purged since it was found
        return None


def draw_tile(tile: Tile, width_px: int, height_px: int) -> Image:
    """The preview, no larger than this, upright and of its own proportions; a grey square where there is none."""
    import io

    from PIL import Image

    if tile.preview is not None:
        try:
            opened = Image.open(io.BytesIO(tile.preview), formats=["JPEG"])
            opened.draft("RGB", (width_px, height_px))
            picture = opened.convert("RGB")
            picture.thumbnail((width_px, height_px), Image.Resampling.LANCZOS)
            return picture
        except (OSError, SyntaxError, ValueError):
            pass  # a power cut may leave a preview torn; its photo is found all the same
    side = min(width_px, height_px) // 2
    return Image.new("RGB", (side, side), _EMPTY)


def draw_grid(tiles: Sequence[Tile], columns: int, side_px: int, label_px: int, gap_px: int) -> Image:
    """Tiles row by row on white, each in the middle of a square, its name below it."""
    from PIL import Image, ImageDraw

    font = _font(label_px * 2 // 3)
    step_x, step_y = side_px + gap_px, side_px + label_px + gap_px
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (gap_px + columns * step_x, gap_px + rows * step_y), "white")
    pen = ImageDraw.Draw(sheet)
    for position, tile in enumerate(tiles):
        row, column = divmod(position, columns)
        left, top = gap_px + column * step_x, gap_px + row * step_y
        picture = draw_tile(tile, side_px, side_px)
        sheet.paste(picture, (left + (side_px - picture.width) // 2, top + (side_px - picture.height) // 2))
        name = shorten(tile.name, side_px, font)
        pen.text((left + side_px / 2, top + side_px + label_px / 2), name, "black", font, anchor="mm")
    return sheet


def shorten(name: str, width_px: int, font: FreeTypeFont | ImageFont) -> str:
    """`name` with its middle left out where it is too wide: the beginning and the end tell files apart."""
    if font.getlength(name) <= width_px:
        return name
    kept = len(name)
    while kept > 1:
        kept -= 1
        short = f"{name[: (kept + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - kept // 2 :]}"
        if font.getlength(short) <= width_px:
            return short
    return name[:1]


@cache
def _font(size_px: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)
