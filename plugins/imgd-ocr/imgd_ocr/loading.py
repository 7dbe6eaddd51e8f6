"""From the settings and the models on disk to what reads photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2

from imgd_ocr.detector import Detector
from imgd_ocr.languages import SHIPPED
from imgd_ocr.models import RECOGNISERS
from imgd_ocr.reader import Reader
from imgd_ocr.recogniser import Directions, Recogniser
from imgd_ocr.sessions import DETECTOR_FILE, DIRECTION_FILE, RECOGNISER_FILE, Session, shipped_model
from imgd_ocr.settings import OcrSettings

_RIGHT_TO_LEFT = frozenset({"arabic"})


def load_reader(settings: OcrSettings, model_dirs: Mapping[str, Path], device: str) -> Reader:
    """The models that `settings` ask for, loaded. Nothing is downloaded: what is missing is an error.

    Raises:
        FileNotFoundError: a model is not where it should be; the message says what to do.
        RuntimeError: onnxruntime cannot use `device`; so does this one.
    """
    cv2.setNumThreads(1)  # the threads are ours: OpenCV's own would only contend with them
    detector = Session(shipped_model(DETECTOR_FILE), device)
    return Reader(
        Detector(detector),
        Directions(Session(shipped_model(DIRECTION_FILE), device)),
        [
            Recogniser(Session(_path(script, model_dirs), device), right_to_left=script in _RIGHT_TO_LEFT)
            for script in settings.scripts
        ],
        settings.min_confidence,
        f"onnxruntime {detector.provider}",
    )


def _path(script: str, model_dirs: Mapping[str, Path]) -> Path:
    if script == SHIPPED:
        return shipped_model(RECOGNISER_FILE)
    model = RECOGNISERS[script]
    return model_dirs[model.name] / model.files[0].name
