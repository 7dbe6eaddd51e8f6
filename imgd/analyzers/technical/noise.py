"""Noise, by the median absolute deviation of what a picture's structure hardly reaches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

_NORM = 6.0  # the square root of the sum of the mask's squares, 36
_NORMAL_MEDIAN = 0.6744897501960817  # the median of |x| of a standard normal x


class Residuals:
    """The response of Immerkaer's mask at every second row of an image, band by band; and what noise it tells.

    The mask, [[1, -2, 1], [-2, 4, -2], [1, -2, 1]] (Fast noise variance estimation, Computer Vision and Image
    Understanding 64, 1996), leaves out constant and linear structure. Every second row is enough for a median.
    """

    def __init__(self, rows: int, columns: int) -> None:
        """`rows`: every second one of those, `columns`: all of those, where the mask lies inside the image."""
        self._small = np.empty((rows, columns), np.uint8)
        self._most = np.full(columns, 255, np.int16)  # as an array: numpy takes three times as long by a number
        self._filled = 0

    def add(self, down: npt.NDArray[np.int16]) -> None:
        """The next rows, by their second differences from row to row: (n, w)."""
        if not self._small.size:
            return
        magnitudes = down[:, 1:-1] * np.int16(-2)
        magnitudes += down[:, :-2]
        magnitudes += down[:, 2:]
        np.abs(magnitudes, out=magnitudes)
        np.minimum(magnitudes, self._most, out=magnitudes)
        self._small[self._filled : self._filled + len(down)] = magnitudes
        self._filled += len(down)

    def noise(self) -> float:
        """The noise's standard deviation, in levels of 0 to 255, at most 63; 0 for fewer than 3 rows or columns.

        The robust estimate of Donoho and Johnstone (Ideal spatial adaptation by wavelet shrinkage, Biometrika 81,
        1994): median(|r|) / 0.6745, over the square root of the sum of the mask's squares.
        """
        if not self._small.size:
            return 0.0
        # Pillow counts bytes three times as fast as numpy does. No photo has half of its magnitudes at 255, which
        # would be noise of 63 levels.
        counts = np.array(Image.fromarray(self._small).histogram())
        return _median(counts) / _NORMAL_MEDIAN / _NORM


def _median(counts: npt.NDArray[np.int64]) -> float:
    """The median of magnitudes, interpolated within its integer: whole steps would be coarse for clean photos."""
    below = np.cumsum(counts)
    half = below[-1] / 2
    place = int(np.searchsorted(below, half))
    before = below[place] - counts[place]
    # The integer n stands for magnitudes from n - 0.5 to n + 0.5, and 0 for those up to 0.5.
    start, width = (place - 0.5, 1.0) if place else (0.0, 0.5)
    return float(start + width * (half - before) / counts[place])
