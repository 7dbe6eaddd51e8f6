"""How the photos of a made library look: vectors in clusters, and the vectors of words that mean them."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from world import CLUSTERS, Integers, clusters_of_labels, known_words

SPACE = "bench:512"
DIMENSIONS = 512
FEW_CLUSTERS = 4
"""A text means the middle of so many clusters at most."""

Floats = npt.NDArray[np.float32]


@functools.cache
def centres() -> Floats:
    """(CLUSTERS, DIMENSIONS), unit rows."""
    return _unit(np.random.default_rng(17).standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32))


@functools.cache
def common_direction() -> Floats:
    """What all texts share, and photos do not: the gap between the two in a space of the kind of CLIP's."""
    row: Floats = _unit(np.random.default_rng(19).standard_normal((1, DIMENSIONS), dtype=np.float32))[0]
    return row


def photo_vectors(clusters: Sequence[int] | Integers, random: np.random.Generator) -> Floats:
    """A photo's vector lies around its cluster's centre: 0.7 x centre + unit noise, normalised."""
    return _unit(0.7 * centres()[np.asarray(clusters)] + far_vectors(len(clusters), random))


def text_vectors(middles: Floats, random: np.random.Generator) -> Floats:
    """A text's vector is 0.25 x what it means + 0.7 x the common direction + 0.6 x noise, normalised."""
    return _unit(0.25 * middles + 0.7 * common_direction() + 0.6 * far_vectors(len(middles), random))


def far_vectors(count: int, random: np.random.Generator) -> Floats:
    """Unit noise: near to nothing."""
    return _unit(random.standard_normal((count, DIMENSIONS), dtype=np.float32))


def meant_clusters(text: str) -> tuple[int, ...]:
    """The clusters that a query's words mean: those of the labels in it, else one of its own for each word of the
    library's texts; a word that the library does not know means none."""
    known = clusters_of_labels()
    words = text.casefold().split()
    pairs = [" ".join(pair) for pair in itertools.pairwise(words)]
    named = [clusters for each in (*pairs, *words) if (clusters := known.get(each))]
    if named:
        return tuple(dict.fromkeys(itertools.chain.from_iterable(named)))
    return tuple(_number(word) % CLUSTERS for word in words if word in known_words())


def encode_text(text: str) -> Floats:
    """(DIMENSIONS,): always the same for the same text."""
    meant = list(meant_clusters(text)[:FEW_CLUSTERS])
    middle = (
        _unit(centres()[meant].mean(axis=0, keepdims=True)) if meant else np.zeros((1, DIMENSIONS), np.float32)
    )
    row: Floats = text_vectors(middle, np.random.default_rng(_number(text)))[0]
    return row


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.casefold().encode(), digest_size=6).digest())


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
