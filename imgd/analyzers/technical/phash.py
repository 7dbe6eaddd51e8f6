"""A perceptual hash: photos that look alike have hashes that differ in few bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIDE, _LOW = 32, 8


def phash(luma: Image.Image) -> str:
    """The 64-bit DCT hash of Zauner (Implementation and benchmarking of perceptual image hash functions, 2010,
    section 3.2.1), as 16 hexadecimal digits, of an image of mode L.

    The 8 x 8 lowest frequencies of the image at 32 x 32; a bit, row by row and the most significant first, is
    set where the coefficient lies above the median of all 64.
    """
    small = np.asarray(luma.resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=1.0), dtype=np.float64)
    basis = dct_basis(_LOW, _SIDE)
    frequencies = basis @ small @ basis.T
    bits = (frequencies > np.median(frequencies)).ravel()
    return np.packbits(bits).tobytes().hex()


def dct_basis(count: int, length: int) -> npt.NDArray[np.float64]:
    """The first `count` rows of the unnormalised DCT-II matrix of `length`, as `scipy.fft.dct` has it."""
    frequency = np.arange(count)[:, None]
    place = np.arange(length)[None, :]
    return 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * length))
