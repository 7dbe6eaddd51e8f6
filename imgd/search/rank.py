"""One order out of many: ranks fused, exact hits first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgd.index.words import Entries

RANK_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Photo ids, best first, as one way of searching sees them."""

    weight: float
    photo_ids: Sequence[int]


def fuse(rankings: Iterable[Ranking]) -> dict[int, float]:
    """Weighted reciprocal rank fusion: 1 where every ranking with hits puts a photo first, towards 0 below."""
    rankings = [ranking for ranking in rankings if ranking.photo_ids]
    best = sum(ranking.weight / (RANK_OFFSET + 1) for ranking in rankings)
    fused: dict[int, float] = {}
    for ranking in rankings:
        for rank, photo_id in enumerate(ranking.photo_ids, start=1):
            fused[photo_id] = fused.get(photo_id, 0.0) + ranking.weight / (RANK_OFFSET + rank) / best
    return fused


def is_exact(sentence: str, entries: Entries) -> bool:
    """Whether `sentence` is the whole of a person's name, a tag, or the file's name with or without its ending."""
    stem, _, _ = entries.name.rpartition(".")
    known = (*entries.people, *entries.tags, entries.name, stem)
    asked = fold(sentence)
    return any(fold(each) == asked for each in known)


def fold(text: str) -> str:
    """`text` without case, accents and doubled spaces."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(bare.casefold().split())
