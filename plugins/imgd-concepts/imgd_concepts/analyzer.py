"""The analyzer `concepts`: tags, objects and the concept vector of each photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Tag, Vector
from imgd_concepts.models import CLASSIFIER, DETECTOR, TEXT_ENCODER
from imgd_concepts.objects import OBJECTS
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import EDGE_PX, SPACE

if TYPE_CHECKING:
    from imgd_concepts.recognition import Recognised
    from imgd_concepts.sight import Looking

MODELS_MB = 250
"""What the models take once they are loaded, and the libraries that run them: measured."""
THREAD_MB = 55
"""What the models of each thread take: measured."""
PHOTO_MB = 40
"""What a photo takes meanwhile: measured."""


class ConceptAnalyzer(Analyzer[ConceptSettings]):
    """What a photo shows, as labels, as objects with boxes, and as a vector that words are compared with.

    A photo's finding is the same whatever batch it comes in: the models see one photo at a time, on as
    many threads as the settings allow.
    """

    name = "concepts"
    version = "2"
    needs = Needs(edge=EDGE_PX)
    device = Device.MODEL
    batch_size = 16
    memory_mb = MODELS_MB
    photo_mb = PHOTO_MB
    requires = (CLASSIFIER.name, DETECTOR.name, TEXT_ENCODER.name)
    settings_type = ConceptSettings
    code_settings = frozenset({"threads"})
    facts: ClassVar = {"objects.*": int, **{f"objects.{name.replace(' ', '_')}": int for name in OBJECTS}}

    @classmethod
    def configured(cls, settings: ConceptSettings) -> type[Self]:
        """`threads` decides how much memory the models take."""
        return cls.declared(memory_mb=MODELS_MB + THREAD_MB * settings.thread_count)

    def load(self, device: str) -> None:
        """Load the models; they are small and run on the CPU."""
        del device
        from imgd_concepts.minilm import SentenceEncoder
        from imgd_concepts.recognition import Recognition

        encoder = SentenceEncoder(self.model_dirs[TEXT_ENCODER.name], self.settings.thread_count)
        self._recognition = Recognition(self.settings, self.model_dirs, encoder.encode)

    def begin(self, photos: Sequence[PhotoInput]) -> list[Looking]:
        return self._recognition.begin([photo.image for photo in photos])

    def finish(self, begun: list[Looking]) -> Sequence[Finding | Failure]:
        seen = self._recognition.finish(begun)
        return [one if isinstance(one, Failure) else self._finding(one) for one in seen]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        self._recognition.close()

    def _finding(self, seen: Recognised) -> Finding:
        counts = Counter(region.label for region in seen.objects)
        return Finding(
            facts={"objects": dict(counts)},
            tags=self._tags(seen),
            regions=seen.objects,
            vectors=[] if seen.vector is None else [Vector(SPACE, seen.vector)],
        )

    def _tags(self, seen: Recognised) -> list[Tag]:
        """Labels and objects above their thresholds, each name once, best first."""
        scores = dict(seen.best_objects)
        for label, probability in seen.labels:
            if probability >= max(self.settings.label_threshold, 1e-6):
                scores[label] = max(probability, scores.get(label, 0.0))
        return [Tag(label, score) for label, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]
