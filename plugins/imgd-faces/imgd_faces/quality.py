"""How well a face can be recognised: 0 not at all, 1 as well as any.

The geometric mean of four measures, each from 0 to 1, so that one that is bad is not made up for by the rest. They
are those of ISO/IEC 29794-5 (face image quality: inter-eye distance, sharpness, pose), and the detector's score:

- size: the distance of the eyes, in pixels of the photo that the face was cut from, over that of the template of
  112 x 112 pixels (35.2); 1 where it is larger, for the embedder sees no more.
- sharpness: v / (v + 100), where `v` is the variance of the Laplacian of the aligned crop in grey (Pech-Pacheco et
  al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative study").
- pose: 1 - (2 * o / e)², where `o` is how far the nose lies off the middle of the eyes, along their line, and
  `e` the distance of the eyes: 1 from the front, 0 where the nose lies below an eye or beyond.
- score: the detector's own.

The length of the embedding before it is normalised, which some use as a quality (AdaFace, Kim et al. 2022), is
left out: its scale differs from network to network, and not all of them could be measured here.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from imgd_faces.alignment import TEMPLATE

Pixels: TypeAlias = npt.NDArray[np.uint8]

_TEMPLATE_EYES: Final = float(np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]))
_HALF_SHARP: Final = 100.0
"""The variance at which a crop counts as half sharp: that of faces scaled up from 35 pixels."""


def quality(crop: Pixels, landmarks: npt.NDArray[np.floating], score: float) -> float:
    """`crop`: the aligned face, RGB; `landmarks` (5, 2), in pixels of the photo that it was cut from."""
    measures = (size(landmarks), sharpness(crop), pose(landmarks), score)
    return float(np.prod(np.clip(measures, 0.0, 1.0)) ** (1 / len(measures)))


def size(landmarks: npt.NDArray[np.floating]) -> float:
    """From 0 to 1, as above."""
    return min(1.0, float(np.linalg.norm(landmarks[1] - landmarks[0])) / _TEMPLATE_EYES)


def sharpness(crop: Pixels) -> float:
    """From 0 to 1, as above; a colour alone has 0."""
    grey: Any = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return variance / (variance + _HALF_SHARP)


def pose(landmarks: npt.NDArray[np.floating]) -> float:
    """From 0 to 1, as above; 0 where the eyes lie in one place."""
    left, right, nose = np.asarray(landmarks[:3], np.float64)
    eyes = right - left
    distance = float(np.linalg.norm(eyes))
    if distance < 1e-6:
        return 0.0
    off = float((nose - (left + right) / 2) @ eyes) / distance
    return max(0.0, 1.0 - (2 * off / distance) ** 2)
