"""The analyzer `ocr`: the text in each photo, and where its lines are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeAlias

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Region, Text
from imgd_ocr.models import required_models
from imgd_ocr.settings import OcrSettings

if TYPE_CHECKING:
    from imgd_ocr.layout import Line

Reading: TypeAlias = "Future[Finding | Failure]"

MODELS_MB = 150
"""What the models in rapidocr's wheel take once they are loaded: measured."""
SCRIPT_MB = 40
"""What the model of one further script takes."""
READING_MB = 350
"""What reading a photo of 1500 px takes meanwhile: measured. It grows with the area."""
READING_EDGE_PX = 1500
LEAST_EDGE_PX = 1280
"""Smaller photos are enlarged to about this."""


class OcrAnalyzer(Analyzer[OcrSettings]):
    """The text in a photo, in reading order, and a region for each line.

    Photos that a cheap look finds to hold no text are not read, and say so by the fact `text_skipped`. A photo's
    finding is the same whatever batch it comes in: each is read by itself, on as many threads as settings allow.
    """

    name = "ocr"
    version = "1"
    needs = Needs(edge=OcrSettings().edge)
    device = Device.MODEL
    memory_mb = MODELS_MB
    photo_mb = READING_MB
    facts = MappingProxyType({"text_lines": int, "text_skipped": bool})
    settings_type = OcrSettings
    code_settings = frozenset({"threads"})

    @classmethod
    def configured(cls, settings: OcrSettings) -> type[Self]:
        """The languages decide which models are required, `edge` how large photos have to be, and `threads` how
        many are read at once."""
        requires = required_models(settings.scripts)
        return cls.declared(
            requires=requires,
            needs=Needs(edge=settings.edge),
            batch_size=settings.thread_count,
            memory_mb=MODELS_MB + SCRIPT_MB * len(requires),
            photo_mb=READING_MB * (max(settings.edge, LEAST_EDGE_PX) / READING_EDGE_PX) ** 2,
        )

    def load(self, device: str) -> None:
        """Load the models; `cuda:N` takes an onnxruntime that has CUDA."""
        from imgd_ocr.loading import load_reader

        self._reader = load_reader(self.settings, self.model_dirs, device)
        self.runtime = self._reader.runtime
        self._threads = ThreadPoolExecutor(self.settings.thread_count, thread_name_prefix="ocr")

    def begin(self, photos: Sequence[PhotoInput]) -> list[Reading]:
        return [self._threads.submit(self._read, photo) for photo in photos]

    def finish(self, begun: list[Reading]) -> Sequence[Finding | Failure]:
        return [reading.result() for reading in begun]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        self._threads.shutdown()

    def _read(self, photo: PhotoInput) -> Finding | Failure:
        from imgd_ocr.layout import in_reading_order

        pixels = photo.image
        threshold = self.settings.text_threshold
        if threshold > 0 and self._reader.likelihood(pixels) < threshold:
            return Finding(facts={"text_skipped": True})
        rows = in_reading_order(self._reader.read(pixels))
        height, width = pixels.shape[:2]
        text = "\n".join(" ".join(line.text for line in row) for row in rows)
        regions = [_region(line, width, height) for row in rows for line in row]
        return Finding(
            facts={"text_lines": len(regions)},
            texts=[Text("text", text)] if text else [],
            regions=regions,
        )


def _region(line: Line, width: int, height: int) -> Region:
    """The upright box around a line, whatever way the line runs."""
    left, top = (line.quad.min(axis=0) / (width, height)).clip(0, 1).tolist()
    right, bottom = (line.quad.max(axis=0) / (width, height)).clip(0, 1).tolist()
    return Region("text", (left, top, right - left, bottom - top), line.text, line.score)
