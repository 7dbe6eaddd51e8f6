"""All steps from a photo to its lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rapidocr.utils.process_img import get_rotate_crop_image

from imgd_ocr.detector import Detector, Pixels, Quad
from imgd_ocr.layout import Line
from imgd_ocr.recogniser import Directions, Recogniser

SURE: Final = 0.9
"""A line that is read with less is also read upside down, and the better reading counts."""
_UPRIGHT_RATIO: Final = 1.5
"""Lines so much taller than wide are turned by a quarter: rapidocr's rule (`get_rotate_crop_image`)."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A line cut out of the photo, level, and where it was: corners as in `Line`."""

    pixels: Pixels
    quad: Quad

    def turned(self) -> _Cut:
        """The same upside down."""
        return _Cut(np.ascontiguousarray(self.pixels[::-1, ::-1]), np.roll(self.quad, 2, axis=0))


class Reader:
    """Reads photos with models that several threads share."""

    def __init__(
        self,
        detector: Detector,
        directions: Directions,
        recognisers: Sequence[Recogniser],
        min_confidence: float,
        runtime: str,
    ) -> None:
        """`recognisers`: of several, the surest reading of a line counts. Less sure ones than `min_confidence` are
        dropped. `runtime`: what runs the models, for people."""
        self.runtime = runtime
        self._detector = detector
        self._directions = directions
        self._recognisers = tuple(recognisers)
        self._min_confidence = min_confidence

    def likelihood(self, pixels: Pixels) -> float:
        """How likely a cheap look finds it that the RGB photo holds text, 0 to 1."""
        return self._detector.likelihood(pixels)

    def read(self, pixels: Pixels) -> list[Line]:
        """The lines of an RGB photo, in no order."""
        cuts = [_cut(pixels, quad) for quad in self._detector.find(pixels)]
        upright = self._upright([cut for cut in cuts if cut is not None])
        lines = [self._line(cut) for cut in upright]
        return [line for line in lines if line.text and line.score >= self._min_confidence]

    def _upright(self, cuts: list[_Cut]) -> list[_Cut]:
        """The lines, those turned that stand on their heads.

        One line alone is often misjudged; lines that run the same way are judged together, weighed by length.
        """
        flips: dict[bool, float] = {}
        for cut in cuts:
            doubt = self._directions.upside_down(cut.pixels) - 0.5
            runs_down = _runs_down(cut.quad)
            flips[runs_down] = flips.get(runs_down, 0.0) + doubt * cut.pixels.shape[1]
        return [cut.turned() if flips[_runs_down(cut.quad)] > 0 else cut for cut in cuts]

    def _line(self, cut: _Cut) -> Line:
        text, score = self._best(cut.pixels)
        if score < SURE:
            turned = cut.turned()
            other, other_score = self._best(turned.pixels)
            if other_score > score:
                return Line(turned.quad, other, other_score)
        return Line(cut.quad, text, score)

    def _best(self, pixels: Pixels) -> tuple[str, float]:
        return max((each.read(pixels) for each in self._recognisers), key=lambda reading: reading[1])


def _cut(pixels: Pixels, quad: Quad) -> _Cut | None:
    """The line within `quad`; None where it is less than a pixel high or wide."""
    width = int(max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3])))
    height = int(max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2])))
    if not width or not height:
        return None
    if height / width >= _UPRIGHT_RATIO:
        quad = np.roll(quad, -1, axis=0)  # turned to the left: what was on the right is on top
    return _Cut(get_rotate_crop_image(pixels, quad), quad)


def _runs_down(quad: Quad) -> bool:
    across, down = np.abs(quad[1] - quad[0])
    return bool(down > across)
