"""One order out of many: ranks fused, exact hits first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from imgd.index.words import Entries

RANK_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""


FULL_WEIGHT, ALIKE_WEIGHT, PARTIAL_WEIGHT, NEAR_WEIGHT = 1.0, 1.0, 0.5, 1.0
"""What a rank counts for: every word met, likeness in one space, some words met, words near in meaning."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Photos that look like what was asked for, as one space sees them.

    `similarities`: photo id -> that of its best vector, best first, those below `least` too; `least`: the
    similarity from which a photo counts as found; `centre` and `scatter`: where similarity by chance lies.
    """

    space: str
    similarities: Mapping[int, float]
    least: float
    centre: float = 0.0
    scatter: float = 1.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What all ways of searching say of the photos of one branch; each photo is allowed by the branch.

    `exact`: photos that the query names -> how sure that is, 0 to 1; `full`: photos that every word matches, best
    first; `doubtful`: those of `full` that match by nothing but tags of which their analyzer was not sure;
    `partial`: photos that some word matches, best first; `near`: photo id -> how near its tags are in meaning;
    `likenesses`: one a space, and one for each photo after `like:`.
    """

    exact: Mapping[int, float] = field(default_factory=dict)
    full: Sequence[int] = ()
    doubtful: frozenset[int] = frozenset()
    partial: Sequence[int] = ()
    near: Mapping[int, float] = field(default_factory=dict)
    likenesses: Sequence[Likeness] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """Photos that match -> their scores, 0 to 1, above 0.5 for those that the query names; best first."""

    scores: Mapping[int, float]


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


def score(signals: Signals) -> Scored:
    """Who matches at all, and how well."""
    alike = [
        [photo_id for photo_id, value in each.similarities.items() if value >= each.least]
        for each in signals.likenesses
    ]
    found = set(signals.exact).union(set(signals.full) - signals.doubtful, *alike)
    rankings = [
        Ranking(FULL_WEIGHT, signals.full),
        Ranking(PARTIAL_WEIGHT, [each for each in signals.partial if each in found]),
        Ranking(NEAR_WEIGHT, sorted(signals.near, key=lambda each: (-signals.near[each], each))),
        *(Ranking(ALIKE_WEIGHT, each) for each in alike),
    ]
    fused = {photo_id: value for photo_id, value in fuse(rankings).items() if photo_id in found}
    if signals.exact:
        sure = signals.exact
        fused = {each: (fused.get(each, 0.0) + (each in sure)) / 2 for each in found}
    return Scored(dict(sorted(fused.items(), key=lambda item: (-item[1], item[0]))))


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
