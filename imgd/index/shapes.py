"""The shapes of an index: which one a space of some size has, and how each is made."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import faiss

from imgd.index.matches import Floats
from imgd.index.scalar import EIGHT_BITS, HALF, SIX_BITS, scalar_index
from imgd.index.stored import Halves

_TRAINING_SAMPLE = 20_000
_SAMPLE_A_LIST = 40  # of fewer, FAISS says that they are too few
_VECTORS_A_LIST = 500
_ROUNDS = 10  # of k-means: the quarter that more of them gain is below what the recall can show


class Kind(enum.StrEnum):
    """What is scanned for a query, and what chooses among the best of it."""

    EXACT = "exact"
    """The float16 values as stored, all of them."""
    CODES = "sq8"
    """8-bit codes, all of them, then the stored values of the best."""
    SIEVE = "pq4+sq6"
    """4-bit codes of pairs of dimensions, all of them; then 6-bit codes of the best few thousand; then the stored
    values of the best few hundred."""
    LISTS = "ivf+pq4+sq6"
    """As `SIEVE`, but the first codes lie in lists by likeness, and only the nearest lists are scanned."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to how many vectors a space has which shape; above `sieve`, lists.

    For 512 dimensions 8-bit codes take a core 0.05 us a vector, and the sieve a tenth of that with a constant of
    half a millisecond; but it takes seconds to train (`bench/vectors.py`).
    """

    exact: int = 20_000
    codes: int = 100_000
    sieve: int = 1_000_000
    scanned: float = 0.5
    """The share of the lists that a query may need; where it needs more, a sieve without lists is quicker."""


def choose(count: int, dimensions: int, limits: Limits) -> Kind:
    """The shape for `count` vectors."""
    if count <= limits.exact:
        return Kind.EXACT
    if count <= limits.codes or dimensions % 2:
        return Kind.CODES
    return Kind.SIEVE if count <= limits.sieve else Kind.LISTS


@dataclass(frozen=True, slots=True)
class Layers:
    """The FAISS indexes of one space: what tells the similarity of a vector, and the sieve before it, if any."""

    codes: Any
    sieve: Any = None

    def add(self, values: Halves, as_float: Floats) -> None:
        """Append vectors (n, d), given both ways."""
        if self.codes.sq.qtype == HALF:
            self.codes.add_sa_codes(values.view("uint8"))
        else:
            self.codes.add(as_float)
        if self.sieve is not None:
            self.sieve.add(as_float)


def sample_size(kind: Kind, count: int) -> int:
    """How many of `count` vectors an index is trained on."""
    if kind is Kind.EXACT:
        return 0
    lists = _lists(count) if kind is Kind.LISTS else 0
    return min(count, max(_TRAINING_SAMPLE, _SAMPLE_A_LIST * lists))


def make(kind: Kind, count: int, dimensions: int, sample: Floats) -> Layers:
    """Empty ones for about `count` vectors, trained on `sample` (n, d)."""
    if kind is Kind.EXACT:
        exact = scalar_index(dimensions, HALF)
        exact.is_trained = True
        return Layers(exact)
    codes = scalar_index(dimensions, EIGHT_BITS if kind is Kind.CODES else SIX_BITS)
    codes.train(sample)
    if kind is Kind.CODES:
        return Layers(codes)
    return Layers(codes, _sieve(kind, count, dimensions, sample))


def _sieve(kind: Kind, count: int, dimensions: int, sample: Floats) -> Any:
    pairs = dimensions // 2
    sieve: Any
    if kind is Kind.SIEVE:
        sieve = faiss.IndexPQFastScan(dimensions, pairs, 4, faiss.METRIC_INNER_PRODUCT)
    else:
        nearest = faiss.IndexFlatIP(dimensions)
        lists = min(_lists(count), len(sample))
        sieve = faiss.IndexIVFPQFastScan(nearest, dimensions, lists, pairs, 4, faiss.METRIC_INNER_PRODUCT)
        sieve.by_residual = False
        sieve.cp.niter = _ROUNDS
    sieve.pq.cp.niter = _ROUNDS
    sieve.pq.cp.min_points_per_centroid = 1
    sieve.train(sample)
    return sieve


def _lists(count: int) -> int:
    return math.ceil(count / _VECTORS_A_LIST)
