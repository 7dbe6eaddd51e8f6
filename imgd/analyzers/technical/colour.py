"""Colourfulness and dominant colours."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_BITS = 4
_MOST = 5
_LEAST_SHARE = 0.02
_NEAR = 48.0

Plane = npt.NDArray[np.int16]


def planes(pixels: npt.NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """(red, green, blue) of `pixels` (h, w, 3), each (h, w) and contiguous."""
    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    return red, green, blue


def colourfulness(red: Plane, green: Plane, blue: Plane) -> float:
    """The M3 of Hasler and Suesstrunk (Measuring colourfulness in natural images, SPIE 5007, 2003): 0 for grey,
    about 15 for slightly, 45 for averagely, 82 for highly colourful. Each plane is (h, w), sRGB of 0 to 255."""
    red_green = red - green
    yellow_blue = red + green  # twice the paper's, so that it stays whole
    yellow_blue -= blue
    yellow_blue -= blue
    (first, spread), (second, spread_twice) = _mean_and_variance(red_green), _mean_and_variance(yellow_blue)
    return float(np.sqrt(spread + spread_twice / 4) + 0.3 * np.hypot(first, second / 2))


def _mean_and_variance(values: Plane) -> tuple[float, float]:
    floats = values.astype(np.float32).ravel()
    mean = floats.mean()
    # Around the mean, so that the squares of a plain colour stay small enough for 32 bits.
    floats -= mean
    floats *= floats
    return float(mean), float(floats.mean())


def dominant_colours(red: Plane, green: Plane, blue: Plane) -> list[str]:
    """Up to five colours as `#rrggbb`, the most frequent first; each plane is (h, w), sRGB of 0 to 255.

    The mean colours of the fullest cells of a histogram of 16 levels a channel, each at least 48 away from those
    before it and standing for at least 2 % of the pixels (the first in any case).
    """
    few = [plane[::2, ::2].ravel() for plane in (red, green, blue)]
    index = np.zeros(len(few[0]), np.int16)
    for plane in few:
        index <<= _BITS
        index |= plane >> 8 - _BITS
    cells = index.astype(np.intp)
    counts = np.bincount(cells, minlength=1 << 3 * _BITS)
    sums = [np.bincount(cells, weights=plane, minlength=1 << 3 * _BITS) for plane in few]
    fullest = np.flatnonzero(counts >= _LEAST_SHARE * len(cells))
    if not len(fullest):
        fullest = np.flatnonzero(counts == counts.max())[-1:]
    chosen: list[tuple[float, ...]] = []
    for cell in fullest[np.argsort(counts[fullest], kind="stable")[::-1]].tolist():
        mean = tuple(float(total[cell]) / int(counts[cell]) for total in sums)
        if all(math.dist(mean, other) >= _NEAR for other in chosen):
            chosen.append(mean)
        if len(chosen) == _MOST:
            break
    return ["#{:02x}{:02x}{:02x}".format(*map(round, mean)) for mean in chosen]
