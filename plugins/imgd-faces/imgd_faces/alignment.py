"""Faces brought into one position: eyes, nose and mouth where ArcFace (Deng et al. 2019, arXiv:1801.07698) had
them when it was trained."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Pixels: TypeAlias = npt.NDArray[np.uint8]

CROP_PX: Final = 112
TEMPLATE: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2): x and y of the landmarks in an aligned crop of 112 x 112 pixels; insightface's `arcface_dst`."""


def similarity(source: Floats, target: Floats) -> Floats:
    """(2, 3): the rotation, uniform scale and shift that bring the points `source` (n, 2) closest to `target`, in
    the sense of least squares.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", equations
    40 to 43; a reflection is never part of it. Points that all lie in one place have no direction and no size:
    they are only shifted.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    from_source, from_target = source - source_mean, target - target_mean
    variance = float((from_source**2).sum()) / len(source)
    matrix = np.eye(2)
    if variance > 1e-12:
        left, sizes, right = np.linalg.svd(from_target.T @ from_source / len(source))
        signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
        matrix = left @ np.diag(signs) @ right * float(sizes @ signs) / variance
    return np.column_stack([matrix, target_mean - matrix @ source_mean])


def aligned(pixels: Pixels, landmarks: Floats) -> Pixels:
    """(112, 112, 3): the face whose five `landmarks` (5, 2) lie in `pixels`; black where the photo ends."""
    crop: Any = cv2.warpAffine(pixels, similarity(landmarks, TEMPLATE), (CROP_PX, CROP_PX))
    return np.asarray(crop, np.uint8)
