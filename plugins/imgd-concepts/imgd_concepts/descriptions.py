"""The analyzer `descriptions` and its query encoder: photos by what has been said of them.

Captions that people wrote (titles and descriptions in the metadata) and those that a captioning model made are
embedded sentence by sentence. The words of a search are embedded alike, so that `a cat asleep on a heater` finds
the photo whose title is `A tabby sleeping on the radiator`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, QueryEncoder, Vector
from imgd_concepts.models import TEXT_ENCODER
from imgd_concepts.sentences import bare, sentences
from imgd_concepts.space import DIMENSIONS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SPACE: Final = "descriptions:minilm-l6-v2"

CAPTION: Final = "caption"
"""The kind of text that describes a photo, whoever wrote it."""


@dataclass(frozen=True, slots=True)
class DescriptionSettings:
    """`threads`: on which the text model runs; 0 takes one a core."""

    threads: Annotated[int, Meta(ge=0, le=64)] = 0

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))


class DescriptionAnalyzer(Analyzer[DescriptionSettings]):
    """A vector for each sentence of a photo's captions: those in its metadata, and a captioning model's."""

    name = "descriptions"
    version = "1"
    needs = Needs(edge=0)
    device = Device.MODEL
    batch_size = 64
    memory_mb = 120
    after = ("metadata", "caption")
    reads_sidecars = True
    requires = (TEXT_ENCODER.name,)
    settings_type = DescriptionSettings
    code_settings = frozenset({"threads"})

    def load(self, device: str) -> None:
        """Load the text model; it is small and runs on the CPU."""
        del device
        from imgd_concepts.minilm import SentenceEncoder

        self._encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [self._describe(photo) for photo in photos]

    def _describe(self, photo: PhotoInput) -> Finding:
        said = sentences(
            text.text
            for name in self.after
            if (finding := photo.findings.get(name)) is not None
            for text in finding.texts
            if text.kind == CAPTION
        )
        return Finding(vectors=[Vector(SPACE, row) for row in self._encoder.encode(said)])


class DescriptionQueryEncoder(QueryEncoder[DescriptionSettings]):
    """Words of a query -> the space of descriptions, as they are typed: captions are worded like that, too."""

    name = "descriptions"
    space = SPACE
    dimensions = DIMENSIONS
    requires = (TEXT_ENCODER.name,)
    of_texts = True
    background_texts = tuple(files("imgd_concepts").joinpath("background.txt").read_text("utf-8").split("\n")[:-1])
    analyzer = DescriptionAnalyzer.name

    def load(self, device: str) -> None:
        """Load the text model; it is small and runs on the CPU."""
        del device
        from imgd_concepts.minilm import SentenceEncoder

        self._encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._encoder.encode([bare(text) for text in texts])
