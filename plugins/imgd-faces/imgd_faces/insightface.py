"""Faces by the ONNX files of insightface: SCRFD finds them, ArcFace tells them apart.

The distribution `insightface` itself is not used: it would bring `opencv-python` and `onnxruntime`, which
overwrite `opencv-python-headless` and `onnxruntime-gpu`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from imgd import open_onnx_session
from imgd_faces.alignment import aligned
from imgd_faces.arcface import ArcFace
from imgd_faces.face import Face, Pixels
from imgd_faces.packs import Pack
from imgd_faces.quality import quality
from imgd_faces.scrfd import STRIDES, Scrfd
from imgd_faces.settings import FaceSettings


class InsightFaces:
    """Both networks, loaded once for all threads."""

    def __init__(self, pack: Pack, directory: Path, settings: FaceSettings, device: str) -> None:
        detector = open_session(directory / pack.detector, device)
        self.runtime = f"onnxruntime {detector.get_providers()[0]}"
        edge = -(-settings.detection_edge // STRIDES[-1]) * STRIDES[-1]
        self._detector = Scrfd(detector, edge, settings.detection_threshold)
        self._embedder = ArcFace(open_session(directory / pack.embedder, device), pack.dimensions)
        self._min_face = settings.min_face

    def find(self, pixels: Pixels) -> list[Face]:
        found = self._detector.detect(pixels)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        found = found.at(np.flatnonzero(sides.min(axis=1) >= self._min_face * max(pixels.shape[:2])))
        crops = [aligned(pixels, landmarks) for landmarks in found.landmarks]
        return [
            Face(box, landmarks, float(score), quality(crop, landmarks, float(score)), vector)
            for box, landmarks, score, crop, vector in zip(
                found.boxes, found.landmarks, found.scores, crops, self._embedder.embed(crops), strict=True
            )
        ]


def open_session(path: Path, device: str) -> Any:
    """The network of the file at `path` on `device` (`cpu`, `cuda:0`).

    Raises:
        DeviceUnusableError: this onnxruntime cannot use that device.
    """
    options = onnxruntime.SessionOptions()
    # The threads are photos side by side; the networks are too small to gain from more of their own.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Photos come in many shapes, and an exhaustive search for the fastest convolutions would begin with each.
    return open_onnx_session(path, device, options, cuda={"cudnn_conv_algo_search": "HEURISTIC"})
