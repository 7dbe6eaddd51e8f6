"""Queries that no photo of corpus/05_semantic answers, and how many of them find nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

ABSENT_CLASSES = (
    "baseball bat", "baseball glove", "carrot", "cow", "hair drier", "hot dog", "keyboard", "laptop", "mouse",
    "parking meter", "sandwich", "scissors", "snowboard", "tennis racket", "toaster", "toothbrush", "train",
    "umbrella",
)  # fmt: skip
"""COCO's classes that no photo shows, by the annotated objects, the labels, the captions, and a look at all 211.
(`dog`, `horse`, `teddy bear` and `sports ball` are not annotated, but there.)"""

FIXED = (
    "lighthouse", "windmill", "helicopter", "submarine", "grand piano", "penguin", "camel", "octopus", "mushroom",
    "ambulance", "igloo", "waterfall", "volcano", "wheelchair", "squirrel", "chess board", "hot air balloon",
    "christmas tree", "swimming pool", "ballet dancer", "fireworks over a city", "a snowman with a carrot nose",
    "people around a campfire", "an x ray of a hand", "northern lights", "a plate of sushi", "dinosaur skeleton",
    "a man playing the violin", "tax return", "moon landing",
)  # fmt: skip
"""Thirty things that people search for, written down before any of them was asked."""

QUERIES = (*ABSENT_CLASSES, *FIXED)

HALVES = (QUERIES[::2], QUERIES[1::2])
"""Every other one of each kind: a cut-off is fitted on one half and judged on the other."""


def share_without_hits(ranking: Callable[[str], Sequence[str]], queries: Sequence[str]) -> float:
    return sum(not ranking(query) for query in queries) / len(queries)
