"""What a line says: CRNN-like recognition with CTC, and which way up the line stands."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

from imgd_ocr.detector import Pixels
from imgd_ocr.sessions import Session

_HEIGHT_PX: Final = 48
_LEAST_WIDTH_PX: Final = 320
"""Narrower lines are padded, as in training."""
_MOST_WIDTH_PX: Final = 6000
_WIDTHS_PX: Final = (_LEAST_WIDTH_PX, 640, 1280, 2560, _MOST_WIDTH_PX)
"""To the least of these that holds it a line is padded where a session wants few shapes."""
_DIRECTION_PX: Final = (48, 192)
_RUNS = re.compile(r"[a-zA-Z0-9 :*./%+-]+|.", re.DOTALL)


class Recogniser:
    """Reads lines, one at a time, so that a line's text depends on nothing beside it.

    On a CPU a batch of lines costs what its lines cost one by one, and more with their padding. Several threads
    may use it at once.
    """

    def __init__(self, session: Session, *, right_to_left: bool = False) -> None:
        """`right_to_left`: the model spells lines from left to right whatever their script; turn them round."""
        self._session = session
        self._decode = CTCLabelDecode(character=session.characters)
        self._right_to_left = right_to_left

    def read(self, line: Pixels) -> tuple[str, float]:
        """The text of an upright RGB line and how sure it is, 0 to 1; "" where there is none."""
        ratio = line.shape[1] / line.shape[0]
        width = min(math.ceil(_HEIGHT_PX * ratio), _MOST_WIDTH_PX)
        padded = max(width, _LEAST_WIDTH_PX)
        if self._session.wants_few_shapes:
            padded = next(each for each in _WIDTHS_PX if each >= width)
        batch = _batch(line, _HEIGHT_PX, width, padded)
        ((text, score),), _ = self._decode(self._session.run(batch))
        text = " ".join(text.split())
        return (reordered(text) if self._right_to_left else text), min(1.0, float(score))


class Directions:
    """Tells lines that are upside down."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def upside_down(self, line: Pixels) -> float:
        """The probability that an RGB line stands on its head."""
        height, most = _DIRECTION_PX
        width = min(most, math.ceil(height * line.shape[1] / line.shape[0]))
        return float(self._session.run(_batch(line, height, width, most))[0][1])


def reordered(text: str) -> str:
    """A line of a right-to-left script that was spelled from left to right, as it is read: turned round, but for
    numbers and words of other scripts (PaddleOCR's `pred_reverse`)."""
    return "".join(reversed(_RUNS.findall(text)))


def _batch(line: Pixels, height: int, width: int, padded_width: int) -> npt.NDArray[np.float32]:
    resized: Any = cv2.resize(line, (max(1, width), height))
    batch = np.zeros((1, 3, height, padded_width), np.float32)
    batch[0, :, :, : resized.shape[1]] = resized[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
    return batch
