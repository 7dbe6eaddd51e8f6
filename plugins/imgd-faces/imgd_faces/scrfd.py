"""Faces by SCRFD (Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection",
arXiv:2105.04714), as insightface exports it to ONNX.

The network has nine outputs: for each stride of 8, 16 and 32 pixels the scores (n, 1), the boxes (n, 4) and the
landmarks (n, 10) of n = 2 * (height / stride) * (width / stride) anchors, first all scores, then all boxes, then
all landmarks. Boxes and landmarks are distances from the anchor's corner of the grid, in strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[np.uint8]

STRIDES: Final = (8, 16, 32)
ANCHORS: Final = 2
OVERLAP: Final = 0.4
"""Of two boxes that overlap by more (intersection over union) one face is kept; insightface's own value."""
_MEAN, _SCALE = 127.5, 1 / 128


@dataclass(frozen=True, slots=True)
class Detections:
    """n faces: `scores` (n,) 0..1, `boxes` (n, 4) left, top, right, bottom and `landmarks` (n, 5, 2) x, y in
    pixels: the eye on the left of the picture, the other eye, the nose, the mouth's left and right corner."""

    scores: Floats
    boxes: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, rows: npt.NDArray[np.integer[Any]]) -> Detections:
        return Detections(self.scores[rows], self.boxes[rows], self.landmarks[rows])

    def scaled(self, factors: Floats) -> Detections:
        """Of a picture whose pixels are `factors` (2,) times as large, across and down."""
        return Detections(self.scores, self.boxes * np.tile(factors, 2), self.landmarks * factors)


class Scrfd:
    """A detector for any number of threads: an onnxruntime session may be run by several at once."""

    def __init__(self, session: Any, edge: int, threshold: float) -> None:
        """Photos are looked at with a longest edge of `edge` pixels, a multiple of 32, on a GPU as squares:
        half as much work again costs little there, and a change of shape half a second, in which cuDNN plans its
        convolutions anew.

        Raises:
            ValueError: the network is no SCRFD with landmarks.
        """
        shapes = [output.shape for output in session.get_outputs()]
        if [shape[-1] for shape in shapes] != [1] * 3 + [4] * 3 + [10] * 3:
            raise ValueError(f"this is no SCRFD with landmarks: its outputs are {shapes}")
        self._session = session
        self._input = session.get_inputs()[0].name
        self._edge = edge
        self._square = session.get_providers()[0] != "CPUExecutionProvider"
        self._threshold = threshold

    def prepare(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """As `letterbox`."""
        return letterbox(pixels, self._edge, square=self._square)

    def detect(self, pixels: Pixels) -> Detections:
        """The faces of an RGB photo, boxes and landmarks in its own pixels."""
        blob, factors = self.prepare(pixels)
        found = decode(self._session.run(None, {self._input: blob}), blob.shape[2:], self._threshold)
        return found.at(suppress(found.boxes, found.scores, OVERLAP)).scaled(factors)


def letterbox(pixels: Pixels, edge: int, *, square: bool = False) -> tuple[Floats, Floats]:
    """The network's input (1, 3, h, w), and how many pixels of the photo one of its is, across and down (2,).

    The longest edge becomes `edge`; right and below, black fills the sides up to multiples of 32, or both up to
    `edge`, to a square. insightface
    always fills up to a square, half as much work again for a photo of 3:2, and takes one scale for both axes,
    although lengths are rounded: its boxes lie up to a pixel in 400 beside the faces.
    """
    height, width = pixels.shape[:2]
    scale = edge / max(height, width)
    across, down = max(1, int(width * scale)), max(1, int(height * scale))
    sides = (edge, edge) if square else (_padded(down), _padded(across))
    canvas = np.zeros((*sides, 3), np.uint8)
    canvas[:down, :across] = cv2.resize(pixels, (across, down), interpolation=cv2.INTER_LINEAR)
    blob: Any = cv2.dnn.blobFromImage(canvas, _SCALE, mean=(_MEAN, _MEAN, _MEAN))
    return blob, np.array([width / across, height / down], np.float32)


def _padded(length: int) -> int:
    return -(-length // STRIDES[-1]) * STRIDES[-1]


def decode(outputs: Sequence[Any], shape: Sequence[int], threshold: float) -> Detections:
    """The anchors of the network's nine `outputs` whose score is at least `threshold`, in the order of the anchors
    and in pixels of the network's input, whose height and width are `shape`."""
    scores, boxes, landmarks = [], [], []
    for level, stride in enumerate(STRIDES):
        # Exports with a batch axis have one more, of length 1.
        of_level, distances, points = (
            np.asarray(outputs[level + kind * len(STRIDES)], np.float32).reshape(-1, columns)
            for kind, columns in enumerate((1, 4, 10))
        )
        rows = np.flatnonzero(of_level[:, 0] >= threshold)
        corners = anchor_points(shape[0] // stride, shape[1] // stride, stride)[rows]
        reach = distances[rows] * stride
        scores.append(of_level[rows, 0])
        boxes.append(np.concatenate([corners - reach[:, :2], corners + reach[:, 2:]], axis=1))
        landmarks.append(corners[:, None] + points[rows].reshape(-1, 5, 2) * stride)
    return Detections(np.concatenate(scores), np.concatenate(boxes), np.concatenate(landmarks))


def anchor_points(rows: int, columns: int, stride: int) -> Floats:
    """(rows * columns * 2, 2): x and y of the anchors of one level, two at each place, row by row."""
    y, x = np.mgrid[:rows, :columns]
    places = np.stack([x, y], axis=-1).reshape(-1, 2) * stride
    return np.repeat(places, ANCHORS, axis=0).astype(np.float32)


def suppress(boxes: Floats, scores: Floats, overlap: float) -> npt.NDArray[np.intp]:
    """Rows of the boxes that stay, best first: of those that overlap by more than `overlap` only the best (greedy
    non-maximum suppression; areas count whole pixels, as insightface counts them)."""
    left, top, right, bottom = boxes.T
    areas = (right - left + 1) * (bottom - top + 1)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.maximum(0, np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + 1)
        height = np.maximum(0, np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + 1)
        shared = width * height
        order = rest[shared / (areas[best] + areas[rest] - shared) <= overlap]
    return np.array(kept, np.intp)
