"""EXIF orientations: how a stored picture is turned upright."""

from __future__ import annotations

from PIL import Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TAG = 0x0112


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """`image` turned upright; `orientation` is EXIF's 1..8, and any other number counts as 1."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` once it is upright."""
    return (size[1], size[0]) if 5 <= orientation <= 8 else size
