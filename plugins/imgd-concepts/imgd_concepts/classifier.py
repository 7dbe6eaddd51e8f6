"""ImageNet labels by EfficientNet-Lite3 (Tan and Le 2019, the `lite` variant of TensorFlow) on LiteRT."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

_FILE = "efficientnet_lite3.tflite"


def read_labels(directory: Path) -> list[str]:
    """The 1000 label names, in the order of the classifier's outputs: a zip appended to the model carries them."""
    with zipfile.ZipFile(directory / _FILE) as archive:
        names = archive.read("labels_without_background.txt").decode().splitlines()
    return [name.strip().lower() for name in names]


class Classifier:
    """One interpreter, for one thread at a time.

    The graph's own reshape fixes its batch to one photo; several classifiers side by side gain what a
    batch would.
    """

    def __init__(self, directory: Path) -> None:
        self._interpreter = Interpreter(str(directory / _FILE), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._edge = int(self._input["shape"][1])

    def classify(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(1000,) probabilities, in steps of 1/256, of the centre square of an RGB photo."""
        square = _centre_square(pixels)
        shrinks = square.shape[0] > self._edge
        resized: Any = cv2.resize(
            square, (self._edge, self._edge), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        self._interpreter.set_tensor(self._input["index"], resized[None])
        self._interpreter.invoke()
        scale, zero = self._output["quantization"]
        quantized = np.asarray(self._interpreter.get_tensor(self._output["index"])[0], np.float32)
        probabilities: npt.NDArray[np.float32] = (quantized - np.float32(zero)) * np.float32(scale)
        return probabilities


def _centre_square(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    return pixels[top : top + edge, left : left + edge]
