"""The query encoder of the concept space."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from imgd import Failure, PhotoInput, QueryEncoder
from imgd_concepts.models import CLASSIFIER, DETECTOR, TEXT_ENCODER
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import DIMENSIONS, EDGE_PX, SPACE, concept_sentence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgd_concepts.recognition import Recognition


class ConceptQueryEncoder(QueryEncoder[ConceptSettings]):
    """Words of a query -> the space of the concept vectors, by the same text model that encodes the labels; and
    photos, by the very code that the analyzer runs."""

    name = "concepts"
    space = SPACE
    dimensions = DIMENSIONS
    requires = (TEXT_ENCODER.name,)
    edge = EDGE_PX
    photo_requires = (CLASSIFIER.name, DETECTOR.name)
    background_texts = tuple(files("imgd_concepts").joinpath("background.txt").read_text("utf-8").split("\n")[:-1])
    analyzer = "concepts"

    _recognition: Recognition | None = None

    def load(self, device: str) -> None:
        """Load the text model; it is small and runs on the CPU."""
        del device
        from imgd_concepts.minilm import SentenceEncoder

        self._encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._encoder.encode([concept_sentence(text) for text in texts])

    def encode_photos(self, photos: Sequence[PhotoInput]) -> npt.NDArray[np.float32]:
        import numpy as np

        recognition = self._looking()
        rows = np.zeros((len(photos), DIMENSIONS), np.float32)
        for row, seen in zip(rows, recognition.finish(recognition.begin([p.image for p in photos])), strict=True):
            if isinstance(seen, Failure):
                raise ValueError(seen.reason)
            if seen.vector is not None:
                row[:] = seen.vector
        return rows

    def close(self) -> None:
        if self._recognition is not None:
            self._recognition.close()

    def _looking(self) -> Recognition:
        """The models that look at photos, which searches for words do without."""
        if self._recognition is None:
            from imgd_concepts.recognition import Recognition

            self._recognition = Recognition(self.settings, self.model_dirs, self._encoder.encode)
        return self._recognition
