"""Sharpness: the variance of the Laplacian by patches, weighted to the centre and to what stands out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

PATCH_PX = 64
_CENTRE_SIGMA = 0.35


def sharpness(variances: npt.NDArray[np.float64], image: Image.Image) -> float:
    """The sharpness of the RGB `image`, by the `variances` (rows, columns) of the Laplacian in its patches.

    The weighted mean, over patches of 64 px, of the Laplacian's variance (Pech-Pacheco et al., Diatom
    autofocusing in brightfield microscopy, ICPR 2000). A patch weighs as much as it is near the centre times as
    much as it stands out, so that a sharp subject before a soft background counts as sharp.
    """
    weights = centre_weights(*variances.shape) * salience(image, variances.shape)
    return float((variances * weights).sum() / weights.sum())


def patch_variances(values: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """The variance of each whole patch of 64 x 64, as (rows, columns); an image smaller than a patch is one.

    The incomplete patches at the right and lower edge (up to 63 px) are left out.
    """
    rows, columns = max(1, values.shape[0] // PATCH_PX), max(1, values.shape[1] // PATCH_PX)
    high, wide = min(values.shape[0], PATCH_PX), min(values.shape[1], PATCH_PX)
    # Summed row upon row first: that runs along memory, where a patch's own rows are short.
    strips = values[: rows * high, : columns * wide].astype(np.float32).reshape(rows, high, columns * wide)
    means = _patch_means(strips, wide)
    strips *= strips
    variances: npt.NDArray[np.float64] = np.maximum(_patch_means(strips, wide) - means**2, 0.0)
    return variances


def _patch_means(strips: npt.NDArray[np.float32], wide: int) -> npt.NDArray[np.float64]:
    rows, high, used = strips.shape
    sums = strips.sum(axis=1).reshape(rows, used // wide, wide).sum(axis=2, dtype=np.float64)
    means: npt.NDArray[np.float64] = sums / (high * wide)
    return means


def centre_weights(rows: int, columns: int) -> npt.NDArray[np.float64]:
    """A Gaussian around the middle, with a standard deviation of 0.35 of each side; (rows, columns), at most 1."""
    down = (np.arange(rows) + 0.5) / rows - 0.5
    across = (np.arange(columns) + 0.5) / columns - 0.5
    weights: npt.NDArray[np.float64] = np.exp(
        -(down[:, None] ** 2 + across[None, :] ** 2) / (2 * _CENTRE_SIGMA**2)
    )
    return weights


def salience(image: Image.Image, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """How much each patch differs from the whole image in mean colour, from 0.2 to 1.

    The frequency-tuned salience of Achanta et al. (CVPR 2009) at the scale of patches, in RGB instead of CIELAB:
    a ranking of patches needs no finer measure.
    """
    rows, columns = shape
    area = (0, 0, columns * min(image.width, PATCH_PX), rows * min(image.height, PATCH_PX))
    means = np.asarray(
        image.resize((columns, rows), Image.Resampling.BOX, box=area, reducing_gap=1.0), dtype=np.float64
    )
    distances = np.sqrt(((means - means.mean(axis=(0, 1))) ** 2).sum(axis=2))
    furthest = float(distances.max())
    return 0.2 + 0.8 * distances / furthest if furthest else np.ones(shape)
