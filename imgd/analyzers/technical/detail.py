"""One walk over luma for what lives in neighbouring pixels: the sharpness of patches, and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgd.analyzers.technical import noise, sharpness

# Whole patches, and few enough rows that a band's differences stay in the processor's caches. Measured at 1200 px:
# 64 rows 2.2 ms, 128 2.1, 256 1.9, the whole image 2.5.
_BAND_ROWS = 4 * sharpness.PATCH_PX


@dataclass(frozen=True, slots=True)
class Detail:
    """`variances`: of the Laplacian in each whole patch, see `sharpness.patch_variances`. `noise`: see `noise`."""

    variances: npt.NDArray[np.float64]
    noise: float


def measure(luma: npt.NDArray[np.uint8]) -> Detail:
    """Of `luma` (h, w), of any size from 1 x 1 up."""
    height, width = luma.shape
    whole = max(height - height % sharpness.PATCH_PX, min(height, sharpness.PATCH_PX))
    residuals = noise.Residuals(max(0, (height - 1) // 2), max(0, width - 2))
    variances = []
    for top in range(0, height, _BAND_ROWS):
        down, across = second_differences(luma, top, min(top + _BAND_ROWS, height))
        residuals.add(down[1 : height - 1 - top : 2])
        if top < whole:
            down += across
            variances.append(sharpness.patch_variances(down))
    return Detail(np.concatenate(variances), residuals.noise())


def second_differences(
    luma: npt.NDArray[np.uint8], top: int, bottom: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """(down, across) for the rows from `top` to `bottom`: a pixel's two neighbours less twice the pixel.

    Beyond its edge an image repeats itself: the pixel at the edge is its own neighbour. The sum of both is the
    Laplacian, as `scipy.ndimage.laplace(mode="nearest")` has it. Exact in 16 bits: each lies within +-510.
    """
    first, last = max(top - 1, 0), min(bottom + 1, len(luma))
    rows = luma[first:last].astype(np.int16)
    values = rows[top - first : bottom - first]
    twice = values + values
    down = np.empty_like(values)
    above, below = rows[: bottom - first - 1], rows[top - first + 1 :]
    down[len(down) - len(above) :] = above
    down[: len(down) - len(above)] = values[:1]
    down[: len(below)] += below
    down[len(below) :] += values[-1:]
    down -= twice
    across = np.empty_like(values)
    across[:, 1:] = values[:, :-1]
    across[:, 0] = values[:, 0]
    across[:, :-1] += values[:, 1:]
    across[:, -1] += values[:, -1]
    across -= twice
    return down, across
