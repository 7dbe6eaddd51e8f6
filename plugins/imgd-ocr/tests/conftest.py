"""The models that rapidocr carries in its wheel, and pictures of text that Pillow draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from imgd_ocr.analyzer import OcrAnalyzer
from imgd_ocr.settings import OcrSettings
from PIL import Image, ImageDraw, ImageFont

from imgd import Finding
from imgd.testing import make_photo

Pixels = npt.NDArray[np.uint8]
Places = Mapping[tuple[int, int], str]
"""Upper left corner in pixels -> text."""
Draw = Callable[..., Pixels]
Read = Callable[[Pixels], Finding]


def draw_text(places: Places, size: tuple[int, int] = (800, 600), letters_px: int = 40) -> Pixels:
    """Black words on white paper of `size` (width, height)."""
    paper = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(paper)
    for corner, text in places.items():
        pen.text(corner, text, "black", ImageFont.load_default(letters_px))
    return np.asarray(paper)


def loaded(settings: OcrSettings, model_dirs: Mapping[str, object] | None = None) -> OcrAnalyzer:
    analyzer = OcrAnalyzer.configured(settings)(settings, model_dirs or {})  # type: ignore[arg-type]
    analyzer.load("cpu")
    return analyzer


def read_with(analyzer: OcrAnalyzer, pixels: Sequence[Pixels]) -> list[Finding]:
    findings = analyzer.analyze([make_photo(type(analyzer), each) for each in pixels])
    assert all(isinstance(finding, Finding) for finding in findings)
    return list(findings)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def analyzer() -> Iterator[OcrAnalyzer]:
    analyzer = loaded(OcrSettings(threads=2))
    yield analyzer
    analyzer.close()


@pytest.fixture(scope="session")
def read(analyzer: OcrAnalyzer) -> Read:
    return lambda pixels: read_with(analyzer, [pixels])[0]


@pytest.fixture(scope="session")
def draw() -> Draw:
    return draw_text
