"""Brightness, contrast and clipping, all from one histogram of luma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_SHADOW, _HIGHLIGHT = 2, 253


@dataclass(frozen=True, slots=True)
class Exposure:
    """Each from 0 to 1.

    `brightness`: mean luma. `contrast`: its standard deviation, the RMS contrast of Peli (Contrast in complex
    images, J. Opt. Soc. Am. A 7, 1990, eq. 2). `tonal_range`: from the 1st to the 99th percentile.
    `clipped_shadows`, `clipped_highlights`: the fractions of pixels with a luma of at most 2, at least 253 of 255.
    """

    brightness: float
    contrast: float
    tonal_range: float
    clipped_shadows: float
    clipped_highlights: float


def measure(luma: Image.Image) -> Exposure:
    """Of an image of mode L. Luma is Rec. 601's: 0.299 R + 0.587 G + 0.114 B, as Pillow converts."""
    counts = np.array(luma.histogram(), dtype=np.float64)
    share = counts / counts.sum()
    levels = np.arange(256)
    mean = float(share @ levels)
    deviation = float(np.sqrt(share @ (levels - mean) ** 2))
    low, high = np.searchsorted(np.cumsum(share), (0.01, 0.99 - 1e-12))
    return Exposure(
        brightness=mean / 255,
        contrast=deviation / 255,
        tonal_range=float(high - low) / 255,
        clipped_shadows=float(share[: _SHADOW + 1].sum()),
        clipped_highlights=float(share[_HIGHLIGHT:].sum()),
    )
