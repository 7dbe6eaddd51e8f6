"""A face as both routes find it, in pixels, before it becomes a region of the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from imgd import Region

Pixels: TypeAlias = npt.NDArray[np.uint8]
KIND = "face"


@dataclass(frozen=True, slots=True)
class Face:
    """`box` (4,): left, top, right, bottom, and `landmarks` (5, 2): x, y of the eye on the left of the picture,
    of the other one, the nose, the mouth's left and right corner, in pixels of the photo as it was looked at; they
    may lie outside. `score`, `quality`: 0..1. `vector` (d,): L2-normalised."""

    box: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    score: float
    quality: float
    vector: npt.NDArray[np.float32]

    def region(self, width: int, height: int) -> Region:
        """The face in fractions of a photo of `width` x `height` pixels, cut off where the photo ends."""
        size = np.array([width, height], np.float32)
        left_top, right_bottom = np.clip(self.box.reshape(2, 2) / size, 0, 1)
        (left, top), (w, h) = left_top.tolist(), (right_bottom - left_top).tolist()
        return Region(
            KIND,
            (left, top, w, h),
            score=self.score,
            landmarks=tuple((x, y) for x, y in np.clip(self.landmarks / size, 0, 1).tolist()),
            quality=self.quality,
        )


class FaceFinder(Protocol):
    """A loaded model pack. Its photos may be looked at by several threads at once."""

    runtime: str
    """What runs it, for people: `onnxruntime CUDAExecutionProvider`."""

    def find(self, pixels: Pixels) -> Sequence[Face]:
        """The faces of an RGB photo (h, w, 3), the most certain first."""
