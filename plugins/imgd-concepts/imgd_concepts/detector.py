"""Objects by SSD MobileNet v3 large (Howard et al. 2019, trained on COCO) on OpenCV's dnn module."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from imgd import Region
from imgd_concepts.overlap import without_duplicates

_EDGE = 320


def read_labels(directory: Path) -> list[str]:
    """The names of the 91 COCO categories; category n is the n-th, counted from 1."""
    return [name.strip().lower() for name in (directory / "labels.txt").read_text().splitlines()]


class Detector:
    """One network, for one thread at a time.

    OpenCV computes a batch no faster than its photos one by one; several detectors side by side do gain.
    """

    def __init__(self, directory: Path, labels: list[str]) -> None:
        self._labels = labels
        self._network = cv2.dnn.readNetFromTensorflow(
            str(directory / "frozen_inference_graph.pb"),
            str(directory / "ssd_mobilenet_v3_large_coco_2020_01_14.pbtxt"),
        )

    def detect(self, pixels: npt.NDArray[np.uint8], threshold: float) -> list[Region]:
        """The objects of an RGB photo whose score is at least `threshold`, best first, each once."""
        return without_duplicates(self.boxes(pixels, threshold))

    def boxes(self, pixels: npt.NDArray[np.uint8], threshold: float) -> list[Region]:
        """As `detect`, as the network has them: some objects are there twice."""
        blob = cv2.dnn.blobFromImage(pixels, 1 / 127.5, (_EDGE, _EDGE), (127.5, 127.5, 127.5))
        self._network.setInput(blob)
        rows = np.asarray(self._network.forward())[0, 0]
        rows = rows[rows[:, 2] >= max(threshold, 1e-6)]
        regions = (self._region(row) for row in rows[np.argsort(-rows[:, 2], kind="stable")])
        return [region for region in regions if region is not None]

    def _region(self, row: npt.NDArray[np.float32]) -> Region | None:
        """One row of the network's output: (image, category, score, left, top, right, bottom)."""
        category = int(row[1]) - 1
        left, top, right, bottom = (float(edge) for edge in np.clip(row[3:7], 0.0, 1.0))
        if not 0 <= category < len(self._labels) or right <= left or bottom <= top:
            return None
        score = min(1.0, float(row[2]))
        return Region("object", (left, top, right - left, bottom - top), self._labels[category], score)
