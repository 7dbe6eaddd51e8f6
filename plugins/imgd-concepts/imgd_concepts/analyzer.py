"""The analyzer `concepts`: tags, objects and the concept vector of each photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Region, Tag, Vector
from imgd_concepts.models import CLASSIFIER, DETECTOR, TEXT_ENCODER
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import SPACE, TOP_LABELS, concept_sentence, concept_vector

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgd_concepts.sight import Looking


class ConceptAnalyzer(Analyzer[ConceptSettings]):
    """What a photo shows, as labels, as objects with boxes, and as a vector that words are compared with.

    A photo's finding is the same whatever batch it comes in: the models see one photo at a time, on as
    many threads as the settings allow.
    """

    name = "concepts"
    version = "1"
    needs = Needs(edge=320)
    device = Device.MODEL
    batch_size = 16
    memory_mb = 400
    requires = (CLASSIFIER.name, DETECTOR.name, TEXT_ENCODER.name)
    settings_type = ConceptSettings
    code_settings = frozenset({"threads"})

    def load(self, device: str) -> None:
        """Load the models, and encode the names of all labels; the models are small and run on the CPU."""
        del device
        from imgd_concepts import classifier, detector
        from imgd_concepts.minilm import SentenceEncoder
        from imgd_concepts.sight import Sight

        self._labels = classifier.read_labels(self.model_dirs[CLASSIFIER.name])
        self._objects = detector.read_labels(self.model_dirs[DETECTOR.name])
        self._object_row = {label: row for row, label in enumerate(self._objects)}
        encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)
        self._label_vectors = encoder.encode([concept_sentence(label) for label in self._labels])
        self._object_vectors = encoder.encode([concept_sentence(label) for label in self._objects])
        self._sight = Sight(
            self.model_dirs[CLASSIFIER.name],
            self.model_dirs[DETECTOR.name],
            self._objects,
            self.settings.object_threshold,
            self.settings.thread_count,
        )

    def begin(self, photos: Sequence[PhotoInput]) -> list[Looking]:
        return self._sight.begin([photo.image for photo in photos])

    def finish(self, begun: list[Looking]) -> Sequence[Finding | Failure]:
        seen = self._sight.finish(begun)
        return [one if isinstance(one, Failure) else self._finding(*one) for one in seen]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        self._sight.close()

    def _finding(self, probabilities: npt.NDArray[np.float32], objects: list[Region]) -> Finding:
        best: dict[str, float] = {}
        for region in objects:
            best[region.label] = max(region.score, best.get(region.label, 0.0))
        rows = {self._object_row[label]: score for label, score in best.items()}
        vector = concept_vector(
            probabilities, rows, self._label_vectors, self._object_vectors, self.settings.object_weight
        )
        return Finding(
            facts={"objects": dict(Counter(region.label for region in objects))} if objects else {},
            tags=self._tags(probabilities, best),
            regions=objects,
            vectors=[] if vector is None else [Vector(SPACE, vector)],
        )

    def _tags(self, probabilities: npt.NDArray[np.float32], objects: dict[str, float]) -> list[Tag]:
        """Labels and objects above their thresholds, each name once, best first."""
        scores = dict(objects)
        for row in (-probabilities).argsort(kind="stable")[:TOP_LABELS]:
            probability = float(probabilities[row])
            if probability >= max(self.settings.label_threshold, 1e-6):
                label = self._labels[row]
                scores[label] = max(probability, scores.get(label, 0.0))
        return [Tag(label, score) for label, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]
