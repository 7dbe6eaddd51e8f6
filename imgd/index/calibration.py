"""How wide a sieve must search: measured on the space's own vectors, for queries like those that people ask.

A query of words lies off the photos of its space (the modality gap), and an index whose breadth is chosen with
photos as queries fails it silently. So recall is measured for three kinds: like a photo, like words about one, and
far from everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from imgd.index.built import MEASURED_AT, Breadth
from imgd.index.matches import Floats, Ids

LEAST_RECALL = 0.98
"""Below it a sieve does not serve."""

_QUERIES = 32  # of each kind
_AIM = 0.99
_DEPTHS = (1000, 2000, 4000, 8000)
_SEED = 4

Passing = Callable[[Floats, int, int], list[Ids]]
"""(queries, depth, lists) -> the positions that pass."""


def queries_of(sample: Floats) -> Floats:
    """Queries of the three kinds, `_QUERIES` each, L2-normalised, made from library vectors `sample` (n, d).

    A text-like one is 0.25 of a photo's direction, 0.7 of one that all texts share, and 0.6 of noise of its own.
    """
    rng = np.random.default_rng(_SEED)
    shape = (_QUERIES, sample.shape[1])
    scale = np.float32(math.sqrt(shape[1]))
    photos = scale * sample[rng.integers(0, len(sample), _QUERIES)]
    shared, noise = rng.standard_normal((1, shape[1])), rng.standard_normal(shape)
    kinds = (0.7 * photos + rng.standard_normal(shape), 0.25 * photos + 0.7 * shared + 0.6 * noise, noise)
    queries: Floats = np.concatenate(kinds).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return queries


class Truth:
    """The positions most similar to each query, kept while vectors stream by."""

    def __init__(self, queries: Floats) -> None:
        self.queries = queries
        self._at = np.zeros((len(queries), 0), np.int64)
        self._similarities = np.zeros((len(queries), 0), np.float32)

    def see(self, first: int, vectors: Floats) -> None:
        """The vectors (n, d) at positions `first`, `first` + 1, ..."""
        similarities = np.hstack([self._similarities, self.queries @ vectors.T])
        at = np.broadcast_to(np.arange(first, first + len(vectors)), (len(self.queries), len(vectors)))
        at = np.hstack([self._at, at])
        best = np.argpartition(-similarities, min(MEASURED_AT, at.shape[1]) - 1, axis=1)[:, :MEASURED_AT]
        self._at = np.take_along_axis(at, best, axis=1)
        self._similarities = np.take_along_axis(similarities, best, axis=1)

    def recall(self, passing: Sequence[Ids]) -> tuple[float, float]:
        """The worst of the three kinds, and that of the text-like one."""
        found = [len(np.intersect1d(*each)) / self._at.shape[1] for each in zip(self._at, passing, strict=True)]
        kinds = np.array(found).reshape(3, -1).mean(axis=1)
        return float(kinds.min()), float(kinds[1])


def choose_breadth(passing: Passing, truth: Truth, lists: int) -> tuple[Breadth, float]:
    """The least breadth whose recall is enough, or else the greatest, and its recall.

    Where the sieve has `lists` lists (else 0), what counts is the recall of text-like queries: for one that is far
    from everything no list is nearer than the others.
    """
    steps, aim = (_steps(lists), LEAST_RECALL) if lists else ([0], _AIM)
    breadth, recall = Breadth(), 0.0
    for nearest in steps:
        for depth in _DEPTHS:
            breadth = Breadth(depth, nearest)
            worst, of_text = truth.recall(passing(truth.queries, depth, nearest))
            recall = of_text if lists else worst
            if recall >= aim:
                return breadth, recall
    return breadth, recall


def _steps(lists: int) -> list[int]:
    return sorted({min(lists, 2**power) for power in range(3, lists.bit_length() + 1)})
