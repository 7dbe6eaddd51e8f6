"""The section `[analyzers.concepts]` of imgd.toml."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from imgd_concepts.objects import COUNTED_FROM, OBJECTS, counting_thresholds

Fraction = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class ConceptSettings:
    """How photos are labelled.

    `threads`: photos looked at side by side; 0 takes one a core.
    `label_threshold`: the least probability of a label that becomes a tag.
    `object_threshold`: the least score of a detected object that is counted. For classes that were measured it
    differs a little (`imgd_concepts.objects`), and moves along with it.
    `object_thresholds`: the same for single classes, by name.
    `evidence_threshold`: the least score of a detected object that becomes a tag and weighs in the vector.
    `object_weight`: how much a detected object weighs in the concept vector, against a label of equal score.
    """

    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    label_threshold: Fraction = 0.1
    object_threshold: Fraction = COUNTED_FROM
    object_thresholds: dict[str, Fraction] = field(default_factory=dict)
    evidence_threshold: Fraction = 0.3
    object_weight: Annotated[float, Meta(ge=0, le=10)] = 0.6

    def __post_init__(self) -> None:
        for name in sorted(self.object_thresholds.keys() - OBJECTS):
            near = difflib.get_close_matches(name.replace("_", " ").lower(), OBJECTS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "README.md of imgd-concepts lists them"
            raise ValueError(f"`object_thresholds` has `{name}`, which is no class of objects; {hint}")
        # In one order, so that moving them about in imgd.toml makes no finding stale.
        object.__setattr__(self, "object_thresholds", dict(sorted(self.object_thresholds.items())))

    def thresholds(self) -> dict[str, float]:
        """The least score of each class of objects that is counted."""
        return counting_thresholds(self.object_threshold, self.object_thresholds)

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
