"""Both vision models over a batch of photos, side by side on several threads."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from imgd import Failure, Region
from imgd_concepts.classifier import Classifier
from imgd_concepts.detector import Detector

Seen: TypeAlias = tuple[npt.NDArray[np.float32], list[Region]]
"""What was recognised of one photo: the labels' probabilities, and the objects."""
Looking: TypeAlias = tuple[Future[npt.NDArray[np.float32]], Future[list[Region]]]
"""A photo that the threads look at."""


class Sight:
    """A classifier and a detector for each of `threads` threads.

    One thread per photo beats one photo on all threads by a fifth, and keeps a photo's result apart from
    its batch.
    """

    def __init__(
        self, classifier_dir: Path, detector_dir: Path, object_labels: list[str], threshold: float, threads: int
    ) -> None:
        cv2.setNumThreads(1)  # the threads are ours: OpenCV's own would only contend with them
        self._threshold = threshold
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="concepts")
        self._classifiers: queue.SimpleQueue[Classifier] = queue.SimpleQueue()
        self._detectors: queue.SimpleQueue[Detector] = queue.SimpleQueue()
        for _ in range(threads):
            self._classifiers.put(Classifier(classifier_dir))
            self._detectors.put(Detector(detector_dir, object_labels))

    def begin(self, photos: Sequence[npt.NDArray[np.uint8]]) -> list[Looking]:
        """Put photos behind those that the threads look at already."""
        detections = [self._threads.submit(self._detect, photo) for photo in photos]
        labels = [self._threads.submit(self._classify, photo) for photo in photos]
        return list(zip(labels, detections, strict=True))

    def finish(self, begun: Sequence[Looking]) -> list[Seen | Failure]:
        """What is in each photo that was begun, in the same order; a Failure for one that the models cannot
        take."""
        return [_outcome(*both) for both in begun]

    def close(self) -> None:
        self._threads.shutdown()

    def _classify(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        classifier = self._classifiers.get()
        try:
            return classifier.classify(pixels)
        finally:
            self._classifiers.put(classifier)

    def _detect(self, pixels: npt.NDArray[np.uint8]) -> list[Region]:
        detector = self._detectors.get()
        try:
            return detector.detect(pixels, self._threshold)
        finally:
            self._detectors.put(detector)


def _outcome(labels: Future[npt.NDArray[np.float32]], objects: Future[list[Region]]) -> Seen | Failure:
    try:
        return labels.result(), objects.result()
    except (cv2.error, RuntimeError, ValueError) as error:
        return Failure(f"the models cannot take this photo: {str(error).strip()}")
