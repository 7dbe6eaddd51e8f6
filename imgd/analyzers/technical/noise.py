"""Noise, by the median absolute deviation of what a picture's structure hardly reaches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_NORM = 6.0  # the square root of the sum of the mask's squares, 36
_NORMAL_MEDIAN = 0.6744897501960817  # the median of |x| of a standard normal x


def noise(luma: npt.NDArray[np.uint8]) -> float:
    """The standard deviation of the noise in `luma` (h, w), in its levels of 0 to 255.

    Immerkaer's mask, [[1, -2, 1], [-2, 4, -2], [1, -2, 1]] (Fast noise variance estimation, Computer Vision
    and Image Understanding 64, 1996), which leaves out constant and linear structure, with the robust estimate
    of Donoho and Johnstone (Ideal spatial adaptation by wavelet shrinkage, Biometrika 81, 1994): median(|r|) /
    0.6745. Every second row is enough for a median. An image of fewer than 3 rows or columns has no noise: 0.
    """
    if min(luma.shape) < 3:
        return 0.0
    return _median_magnitude(residual(luma)) / _NORMAL_MEDIAN / _NORM


def residual(luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """The mask's response at every second row, where all of the mask lies inside: within +-2040."""
    upper, middle, lower = luma[:-2:2], luma[1:-1:2], luma[2::2]
    vertical = middle.astype(np.int16)
    vertical *= -2
    vertical += upper
    vertical += lower
    result = vertical[:, 1:-1] * np.int16(-2)
    result += vertical[:, :-2]
    result += vertical[:, 2:]
    return result


def _median_magnitude(values: npt.NDArray[np.int16]) -> float:
    """The median of |values|, interpolated within its integer: whole steps would be coarse for clean photos."""
    counts = np.bincount(np.abs(values).ravel())
    below = np.cumsum(counts)
    half = below[-1] / 2
    place = int(np.searchsorted(below, half))
    before = below[place] - counts[place]
    # The integer n stands for magnitudes from n - 0.5 to n + 0.5, and 0 for those up to 0.5.
    start, width = (place - 0.5, 1.0) if place else (0.0, 0.5)
    return float(start + width * (half - before) / counts[place])
