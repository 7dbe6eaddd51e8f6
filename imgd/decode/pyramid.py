"""Exact sizes, and how each smaller picture is made from the next larger one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd.domain import Picture

_LITTLE = 1.25
_BOX_BELOW = 2 * _LITTLE


def exact_size(width: int, height: int, edge_px: int) -> tuple[int, int]:
    """(w, h) whose longest edge is exactly min(edge_px, longest edge); the other is rounded, at least 1."""
    longest = max(width, height)
    if longest <= edge_px:
        return width, height
    # Integers only: a float product could round the same photo differently on its side.
    return tuple(max(1, (side * edge_px * 2 + longest) // (longest * 2)) for side in (width, height))  # type: ignore[return-value]


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` (L, RGB or CMYK) at `size`, the cheapest way whose result is like a Lanczos filter's: SSIM >= 0.98.

    Where the size is a whole fraction, the mean of each block. Else, by how many times the picture is larger:

    - up to 2: a Hamming-windowed filter, at bilinear's cost (both span two pixels); bicubic would cost 1.7 times
      as much, Lanczos twice.
    - up to 2.5: a box filter at once. Halving first would leave a filter little to do and its blur uneven (SSIM
      down to 0.969), and costs the same.
    - beyond: blocks first, then what is left to do: by a bicubic filter where that is less than 1.25 (Hamming
      falls to 0.966 there), else by Hamming. Smaller blocks would serve too and cost up to twice as much.

    Measured by `bench/decode.py --pyramid`.
    """
    if image.size == size:
        return image
    factor = image.width // size[0]
    if image.size == (size[0] * factor, size[1] * factor):
        return image.reduce(factor)
    ratio = min(image.width / size[0], image.height / size[1])
    if 2 < ratio < _BOX_BELOW:
        return image.resize(size, Image.Resampling.BOX)
    little_left = ratio > 2 and ratio / int(ratio) < _LITTLE
    last = Image.Resampling.BICUBIC if little_left else Image.Resampling.HAMMING
    return image.resize(size, last, reducing_gap=1.0)


def pyramid(picture: Picture, edges: Iterable[int]) -> dict[int, npt.NDArray[np.uint8]]:
    """For every edge the photo at its `exact_size`: (h, w, 3) uint8, C-contiguous, read-only.

    Sizes depend on the photo and the edge alone, never on which other edges are asked for. Edges that lead to
    the same size share one array.

    Raises:
        ValueError: the picture has no pixels, or fewer than an edge needs (imgd never scales up).
    """
    if picture.pixels is None:
        raise ValueError("the picture was decoded without pixels")
    levels: dict[int, npt.NDArray[np.uint8]] = {}
    pixels = picture.pixels
    image: Image.Image | None = None
    for edge in sorted(set(edges), reverse=True):
        width, height = exact_size(picture.width, picture.height, edge)
        if (height, width) != pixels.shape[:2]:
            if height > pixels.shape[0] or width > pixels.shape[1]:
                raise ValueError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels cannot give {width} x {height}")
            image = resize(image or Image.fromarray(pixels), (width, height))
            pixels = np.asarray(image)
        levels[edge] = _frozen(pixels)
    return levels


def _frozen(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    view = np.ascontiguousarray(pixels).view()
    view.flags.writeable = False
    return view
