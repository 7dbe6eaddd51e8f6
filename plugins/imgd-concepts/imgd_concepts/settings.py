"""The section `[analyzers.concepts]` of imgd.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class ConceptSettings:
    """How photos are labelled.

    `threads`: photos looked at side by side; 0 takes one a core.
    `label_threshold`: the least probability of a label that becomes a tag.
    `object_threshold`: the least score of a detected object that counts.
    `object_weight`: how much a detected object weighs in the concept vector, against a label of equal score.
    """

    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    label_threshold: Fraction = 0.1
    object_threshold: Fraction = 0.3
    object_weight: Annotated[float, Meta(ge=0, le=10)] = 0.6

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
