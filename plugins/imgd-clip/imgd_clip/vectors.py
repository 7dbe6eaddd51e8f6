"""What a tower puts out, as vectors of the space."""

from __future__ import annotations

from typing import Any

import numpy as np

from imgd_clip.directory import ModelDirectory
from imgd_clip.preprocessing import Values


def normalised(vectors: Any, directory: ModelDirectory) -> Values:
    """Rows (n, dimensions) as float32 of length one.

    Raises:
        ClipModelError: they are of other dimensions than imgd was told, or hold no numbers.
    """
    rows: Values = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or rows.shape[1] != directory.traits.dimensions:
        raise directory.wrong_dimensions(rows.shape[1] if rows.ndim == 2 else rows.shape[1:])
    found: Values = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return found
