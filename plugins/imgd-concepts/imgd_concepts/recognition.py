"""What photos show, by both vision models, and as a vector of the concept space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from imgd import Failure, Region
from imgd_concepts import classifier, detector
from imgd_concepts.models import CLASSIFIER, DETECTOR
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.sight import Looking, Sight
from imgd_concepts.space import DIMENSIONS, TOP_LABELS, concept_sentence, concept_vector

Vectors: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recognised:
    """One photo: its best labels with their probabilities, best first (two labels of the model can have one name);
    the objects that are counted; each kind of object that there is evidence of, with its best score; its vector,
    None where nothing at all was recognised."""

    labels: Sequence[tuple[str, float]]
    objects: Sequence[Region]
    best_objects: Mapping[str, float]
    vector: Vectors | None


class Recognition:
    """Both models, loaded. The photos of several batches may be under way at once."""

    def __init__(
        self,
        settings: ConceptSettings,
        model_dirs: Mapping[str, Path],
        encode: Callable[[Sequence[str]], Vectors],
    ) -> None:
        """`encode`: the text model, (n,) sentences to (n, d)."""
        self._weight = settings.object_weight
        self._evident = max(settings.evidence_threshold, 1e-6)
        self._counted = settings.thresholds()
        self._others = settings.object_threshold
        self._labels = classifier.read_labels(model_dirs[CLASSIFIER.name])
        self._names = _Names(encode)
        self._sight = Sight(
            model_dirs[CLASSIFIER.name],
            model_dirs[DETECTOR.name],
            detector.read_labels(model_dirs[DETECTOR.name]),
            min(self._evident, *self._counted.values()),
            settings.thread_count,
        )

    def begin(self, photos: Sequence[npt.NDArray[np.uint8]]) -> list[Looking]:
        return self._sight.begin(photos)

    def finish(self, begun: Sequence[Looking]) -> list[Recognised | Failure]:
        """In the order of `begin`; a Failure for a photo that the models cannot take."""
        seen = self._sight.finish(begun)
        return [one if isinstance(one, Failure) else self._recognised(*one) for one in seen]

    def close(self) -> None:
        self._sight.close()

    def _recognised(self, probabilities: npt.NDArray[np.float32], objects: list[Region]) -> Recognised:
        best = (-probabilities).argsort(kind="stable")[:TOP_LABELS]
        labels = [(self._labels[row], float(probabilities[row])) for row in best]
        best_objects: dict[str, float] = {}
        for region in objects:
            if region.score >= self._evident:
                best_objects[region.label] = max(region.score, best_objects.get(region.label, 0.0))
        counted = [each for each in objects if each.score >= self._counted.get(each.label, self._others)]
        vector = concept_vector(
            probabilities[best],
            self._names.vectors([label for label, _ in labels]),
            np.array([self._weight * score for score in best_objects.values()], np.float32),
            self._names.vectors(list(best_objects)),
        )
        return Recognised(labels, counted, best_objects, vector)


class _Names:
    """The vectors of labels, each encoded when it is first needed: few of the thousand ever are."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors]) -> None:
        self._encode = encode
        self._known: dict[str, Vectors] = {}

    def vectors(self, names: Sequence[str]) -> Vectors:
        """(len(names), d), in order."""
        if new := [name for name in dict.fromkeys(names) if name not in self._known]:
            encoded = self._encode([concept_sentence(name) for name in new])
            self._known.update(zip(new, encoded, strict=True))
        return np.array([self._known[name] for name in names], np.float32).reshape(len(names), DIMENSIONS)
