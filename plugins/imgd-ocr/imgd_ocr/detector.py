"""Where text is: DB (Liao et al. 2020, arXiv:1911.08947) by the detector of PP-OCR."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from imgd_ocr.sessions import Session

Pixels: TypeAlias = npt.NDArray[np.uint8]
Quad: TypeAlias = npt.NDArray[np.float32]
"""(4, 2): the corners of a line in pixels (x, y), clockwise from the upper left."""

CANVAS_PX: Final = 1280
"""Small photos are enlarged for the detector, but no longer than this."""
SHORT_SIDE_PX: Final = 736
"""The short side to which they are, as rapidocr has it: small print is found so."""
GLANCE_PX: Final = 384
"""The longest edge at which `likelihood` looks."""

_STEP_PX = 32
_SQUARES_PX: Final = (GLANCE_PX, 1536, 2048, 3072, 4096)
"""To the least of these that holds it a photo is filled up where a session wants few shapes."""
_LARGE_STEP_PX: Final = 1024
_STRIP_RATIO = 8
_LEAST_HEIGHT_PX = 32
_SMALL_PX = 256


class Detector:
    """Finds lines of text. Several threads may use it at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # The settings are rapidocr's own (its config.yaml).
        self._boxes = DBPostProcess(
            thresh=0.3, box_thresh=0.5, max_candidates=1000, unclip_ratio=1.6, use_dilation=True
        )

    def find(self, pixels: Pixels) -> list[Quad]:
        """Lines in an RGB photo, in no order."""
        padded, left, top = _padded(pixels)
        height, width = padded.shape[:2]
        short, long = min(height, width), max(height, width)
        scale = min(max(1.0, SHORT_SIDE_PX / short), max(1.0, CANVAS_PX / long))
        boxes, _scores = self._boxes(self._map(padded, scale)[None, None], (height, width))
        corner = np.array((left, top), np.float32)
        most = np.array((pixels.shape[1], pixels.shape[0]), np.float32)
        quads = [np.clip(np.asarray(box, np.float32) - corner, 0, most) for box in boxes]
        return [quad for quad in quads if _is_area(quad)]

    def likelihood(self, pixels: Pixels) -> float:
        """How sure a glance at the small photo is that there is text: the detector's best pixel, 0 to 1."""
        padded, _, _ = _padded(pixels)
        return float(self._map(padded, min(1.0, GLANCE_PX / max(padded.shape[:2]))).max())

    def _map(self, pixels: Pixels, scale: float) -> npt.NDArray[np.float32]:
        """The probability of text, (h, w), of the photo at `scale`, with sides that the network can take."""
        height, width = (max(_STEP_PX, round(side * scale / _STEP_PX) * _STEP_PX) for side in pixels.shape[:2])
        shrinks = height * width < pixels.shape[0] * pixels.shape[1]
        resized: Any = cv2.resize(
            pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        # PP-OCR was trained on BGR, scaled to -1..1.
        batch = resized[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        if self._session.wants_few_shapes:
            edge = max(height, width)
            side = next(
                (each for each in _SQUARES_PX if each >= edge), -(-edge // _LARGE_STEP_PX) * _LARGE_STEP_PX
            )
            batch = np.pad(batch, [(0, 0), (0, 0), (0, side - height), (0, side - width)])
        found: npt.NDArray[np.float32] = self._session.run(np.ascontiguousarray(batch))[0, 0]
        return found[:height, :width]


def _padded(pixels: Pixels) -> tuple[Pixels, int, int]:
    """The photo with room around it where it is a strip or small, and how much was added on the left and above.

    The detector misses letters that touch the edge, as those of a word that was cut out do. Strips get black bars
    above and below (bars and ratio are rapidocr's), small photos go on as they end.
    """
    height, width = pixels.shape[:2]
    padded: Any = pixels
    if height <= _LEAST_HEIGHT_PX or width > _STRIP_RATIO * height:
        above = max(0, (max(width // _STRIP_RATIO, _LEAST_HEIGHT_PX) * 2 - height) // 2)
        padded = cv2.copyMakeBorder(pixels, above, above, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        return padded, 0, above
    if min(height, width) >= _SMALL_PX:
        return padded, 0, 0
    margin = min(height, width) // 4
    padded = cv2.copyMakeBorder(pixels, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    return padded, margin, margin


def _is_area(quad: Quad) -> bool:
    return bool(np.linalg.norm(quad[0] - quad[1]) >= 1 and np.linalg.norm(quad[0] - quad[3]) >= 1)
