"""Vectors of faces by ArcFace (Deng et al. 2019, arXiv:1801.07698), as insightface exports it to ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from imgd_faces.alignment import CROP_PX

Pixels: TypeAlias = npt.NDArray[np.uint8]


class ArcFace:
    """An embedder for any number of threads."""

    def __init__(self, session: Any, dimensions: int) -> None:
        """
        Raises:
            ValueError: the network takes no crops of 112 x 112, or makes other vectors.
        """
        (given, made) = session.get_inputs()[0], session.get_outputs()[0]
        if list(given.shape[1:]) != [3, CROP_PX, CROP_PX] or made.shape[-1] != dimensions:
            raise ValueError(f"this is no ArcFace of {dimensions} numbers: {given.shape} in, {made.shape} out")
        self._session = session
        self._input = given.name
        self._dimensions = dimensions

    def embed(self, crops: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """(len(crops), d), each row L2-normalised, of aligned RGB crops.

        One by one: exports differ in whether they take more at once, and a face's vector must not depend on who
        else is in the photo.
        """
        rows = np.empty((len(crops), self._dimensions), np.float32)
        for row, crop in zip(rows, crops, strict=True):
            blob = ((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
            row[:] = self._session.run(None, {self._input: np.ascontiguousarray(blob)})[0].reshape(-1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        vectors: npt.NDArray[np.float32] = rows / np.maximum(lengths, 1e-12)
        return vectors
