"""Faces by dlib (King 2009, "Dlib-ml: A Machine Learning Toolkit"): its frontal detector (HOG, built into the
library), 5 landmarks, and its residual network of 2017, 128 numbers a face. All of it is free for every use."""

from __future__ import annotations

import math
import queue
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import dlib  # type: ignore[import-not-found, import-untyped, unused-ignore]
import numpy as np
import numpy.typing as npt

from imgd_faces.alignment import TEMPLATE, aligned, similarity
from imgd_faces.face import Face, Pixels
from imgd_faces.packs import Pack
from imgd_faces.quality import quality
from imgd_faces.settings import FaceSettings

Points: TypeAlias = npt.NDArray[np.float32]

_CHIP_PX, _CHIP_PADDING = 150, 0.25
"""How faces are cut out for the network, as it was trained."""


_EYES_AND_NOSE_BASE = np.array(
    [*TEMPLATE[:2], TEMPLATE[:2].mean(axis=0) * 0.25 + TEMPLATE[3:].mean(axis=0) * 0.75]
)
"""The three points of ArcFace's template that dlib finds: the base of the nose lies three quarters of the way from
the eyes to the mouth (the median of 25 faces, between dlib's nose and SCRFD's mouth)."""


class DlibFaces:
    """One set of dlib's models for each of `threads` threads: they may not be shared."""

    runtime = f"dlib {dlib.__version__} on the CPU"

    def __init__(self, pack: Pack, directory: Path, settings: FaceSettings) -> None:
        self._settings = settings
        self._sets: queue.SimpleQueue[_Models] = queue.SimpleQueue()
        for _ in range(settings.thread_count):
            self._sets.put(_Models(directory / pack.detector, directory / pack.embedder))

    def find(self, pixels: Pixels) -> list[Face]:
        models = self._sets.get()
        try:
            return models.find(pixels, self._settings)
        finally:
            self._sets.put(models)


class _Models:
    def __init__(self, landmarks: Path, embedder: Path) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(landmarks))
        self._embedder = dlib.face_recognition_model_v1(str(embedder))

    def find(self, pixels: Pixels, settings: FaceSettings) -> list[Face]:
        # The detector finds faces of 80 pixels and more. Twice as large a photo makes that 40, which is as far as
        # dlib's own tools go; landmarks and vector come from the photo as it is.
        longest = max(pixels.shape[:2])
        scale = 2 * settings.detection_edge / longest
        looked_at = _scaled(pixels, scale)
        boxes, margins, _ = self._detector.run(looked_at, 0, margin_of(settings.detection_threshold))
        faces = [self._face(pixels, box, margin, scale) for box, margin in zip(boxes, margins, strict=True)]
        smallest = settings.min_face * longest
        return [face for face in faces if min(face.box[2:] - face.box[:2]) >= smallest]

    def _face(self, pixels: Pixels, box: Any, margin: float, scale: float) -> Face:
        edges = np.array([box.left(), box.top(), box.right() + 1, box.bottom() + 1], np.float32) / np.float32(
            scale
        )
        shape = self._landmarks(pixels, dlib.rectangle(*(round(float(edge)) for edge in edges)))
        points = landmarks_of(np.array([[part.x, part.y] for part in shape.parts()], np.float32))
        chip = dlib.get_face_chip(pixels, shape, _CHIP_PX, _CHIP_PADDING)
        vector = np.array(self._embedder.compute_face_descriptor(chip), np.float32)
        score = score_of(margin)
        worth = quality(aligned(pixels, points), points, score)
        return Face(edges, points, score, worth, vector / np.linalg.norm(vector))


def score_of(margin: float) -> float:
    """The detector's margin as a score from 0 to 1: the logistic function; dlib's own threshold, 0, is 0.5."""
    return 1 / (1 + math.exp(-margin))


def margin_of(score: float) -> float:
    """The margin with that score, of at least -1: below it everything is a face."""
    return -1.0 if score <= score_of(-1.0) else math.log(score / max(1 - score, 1e-9))


def landmarks_of(corners: Points) -> Points:
    """Five landmarks as SCRFD has them, of dlib's five: both corners of the eye right in the picture, outer first,
    those of the left one, and the base of the nose.

    Eyes are the middles of their corners. dlib does not look for the mouth: its corners are put where a face from
    the front has them, by the similarity that brings ArcFace's template here.
    """
    known = np.stack([corners[2:4].mean(axis=0), corners[:2].mean(axis=0), corners[4]])
    matrix = similarity(_EYES_AND_NOSE_BASE, known)
    mouth = TEMPLATE[3:] @ matrix[:, :2].T + matrix[:, 2]
    points: Points = np.concatenate([known, mouth]).astype(np.float32)
    return points


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: Any = cv2.resize(pixels, size, interpolation=way)
    return np.asarray(scaled, np.uint8)
