"""Colourfulness and dominant colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BITS = 4
_MOST = 5
_LEAST_SHARE = 0.02
_NEAR = 48.0


def colourfulness(pixels: npt.NDArray[np.uint8]) -> float:
    """The M3 of Hasler and Suesstrunk (Measuring colourfulness in natural images, SPIE 5007, 2003): 0 for grey,
    about 15 for slightly, 45 for averagely, 82 for highly colourful. `pixels`: (h, w, 3) uint8 sRGB."""
    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    red_green = red - green
    yellow_blue = red + green - 2 * blue  # twice the paper's, so that it stays whole
    means = (float(red_green.mean()), float(yellow_blue.mean()) / 2)
    variances = (float(red_green.var(dtype=np.float32)), float(yellow_blue.var(dtype=np.float32)) / 4)
    return float(np.sqrt(sum(variances)) + 0.3 * np.hypot(*means))


def dominant_colours(pixels: npt.NDArray[np.uint8]) -> list[str]:
    """Up to five colours as `#rrggbb`, the most frequent first; `pixels`: (h, w, 3) uint8 sRGB.

    The mean colours of the fullest cells of a histogram of 16 levels a channel, each at least 48 away from those
    before it and standing for at least 2 % of the pixels (the first in any case).
    """
    flat = pixels[::2, ::2].reshape(-1, 3)
    shift = 8 - _BITS
    cells = (flat >> shift).astype(np.intp)
    index = (cells[:, 0] << 2 * _BITS) | (cells[:, 1] << _BITS) | cells[:, 2]
    counts = np.bincount(index, minlength=1 << 3 * _BITS)
    fullest = np.argsort(counts, kind="stable")[::-1][:64]
    chosen: list[npt.NDArray[np.float64]] = []
    sums = [np.bincount(index, weights=flat[:, channel], minlength=1 << 3 * _BITS) for channel in range(3)]
    for cell in fullest:
        if len(chosen) == _MOST or (chosen and counts[cell] < _LEAST_SHARE * len(flat)):
            break
        mean = np.array([total[cell] for total in sums]) / counts[cell]
        if all(np.linalg.norm(mean - other) >= _NEAR for other in chosen):
            chosen.append(mean)
    return ["#{:02x}{:02x}{:02x}".format(*(round(float(value)) for value in mean)) for mean in chosen]
