"""The query encoder of the concept space."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from imgd import QueryEncoder
from imgd_concepts.models import TEXT_ENCODER
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import DIMENSIONS, SPACE, concept_sentence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ConceptQueryEncoder(QueryEncoder[ConceptSettings]):
    """Words of a query -> the space of the concept vectors, by the same text model that encodes the labels."""

    name = "concepts"
    space = SPACE
    dimensions = DIMENSIONS
    requires = (TEXT_ENCODER.name,)
    background_texts = tuple(files("imgd_concepts").joinpath("background.txt").read_text("utf-8").split("\n")[:-1])
    analyzer = "concepts"

    def load(self, device: str) -> None:
        """Load the text model; it is small and runs on the CPU."""
        del device
        from imgd_concepts.minilm import SentenceEncoder

        self._encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._encoder.encode([concept_sentence(text) for text in texts])
