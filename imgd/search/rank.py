"""One score out of all that is known of a photo: who matches at all, and in which order.

Every way of searching is brought to one scale: how far a photo stands out of similarity by chance, in scatters of
its space (see `cutoff.py`). Nearness in meaning and words met are worth so many of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

NEAR_WEIGHT = 20.0
"""What a nearness of 1 is worth. Of 10 to 40, chosen on 275 captions of 211 photos by recall@5 and @10: looks and
meaning then count about the same, as in a sum of z-scores."""

FULL_WEIGHT, PARTIAL_WEIGHT = 6.0, 1.0
"""What it is worth to be first among the photos that every word matches, or some word."""

SURE = 0.7
"""A tag with this score, or a person's own word, makes its photo a match by itself. A tag of which its analyzer
is less sure counts only where something else matches, too: of 48 things that no photo of the 211 shows, six found
something by tags of 0.4 to 0.7 alone."""

NEAR_SHARE = 0.6
"""Where a query matches, photos count as found that are this near in meaning, compared with the nearest."""

RANK_OFFSET = 60
"""The constant of reciprocal ranks (Cormack, Clarke and Buettcher, SIGIR 2009)."""

_MIDDLE, _SPREAD = 4.0, 4.0  # of the logistic curve that makes a score of 0 to 1 of the sum


@dataclass(frozen=True, slots=True)
class Likeness:
    """Photos that look like what was asked for, as one space sees them.

    `similarities`: photo id -> that of its best vector, best first, those below `least` too; `least`: the
    similarity from which a photo counts as found, infinite where nothing matches; `centre` and `scatter`: where
    similarity by chance lies, and how far it scatters. `complete`: a photo that is not among them has no vector.
    """

    space: str
    similarities: Mapping[int, float]
    least: float
    centre: float = 0.0
    scatter: float = 1.0
    complete: bool = False

    def judges(self, photo_id: int) -> bool:
        """Whether it can be told how much the photo looks like it."""
        return photo_id in self.similarities or not self.complete

    def found(self) -> list[int]:
        return [photo_id for photo_id, value in self.similarities.items() if value >= self.least]


@dataclass(frozen=True, slots=True)
class Signals:
    """What all ways of searching say of the photos of one branch; each photo is allowed by the branch.

    `exact`: photos that the query names -> how sure that is, 0 to 1; `full`: photos that every word matches, best
    first; `doubtful`: those of `full` that match by nothing but tags of which their analyzer was not sure;
    `partial`: photos that some word matches, best first; `near`: photo id -> how near its tags are in meaning;
    `likenesses`: one a space, and one for each photo after `like:`; `sure`: photos with a sure tag of nearly the
    same meaning for every word.
    """

    exact: Mapping[int, float] = field(default_factory=dict)
    full: Sequence[int] = ()
    doubtful: frozenset[int] = frozenset()
    partial: Sequence[int] = ()
    near: Mapping[int, float] = field(default_factory=dict)
    likenesses: Sequence[Likeness] = ()
    sure: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Scored:
    """Photos that match -> their scores, best first: above 0.5 for those that the query names, else below."""

    scores: Mapping[int, float]


def score(signals: Signals) -> Scored:
    """Who matches at all, and how well."""
    found = matching(signals)
    sums = _sums(signals, found)
    scores = {photo_id: (_logistic(value) + (photo_id in signals.exact)) / 2 for photo_id, value in sums.items()}
    return Scored(dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))))


def matching(signals: Signals) -> set[int]:
    """The photos that count as found.

    Whatever is certain does: names, words, looks above the cut-off. Tags of which their analyzer was not sure do
    where something is certain, or where no space can judge them.
    """
    certain = {photo_id for photo_id, sureness in signals.exact.items() if sureness >= SURE}
    certain |= set(signals.full) - signals.doubtful | signals.sure
    certain.update(*(each.found() for each in signals.likenesses))
    doubted = (set(signals.exact) | set(signals.full)) - certain
    if not certain:
        return {photo_id for photo_id in doubted if not any(each.judges(photo_id) for each in signals.likenesses)}
    nearest = NEAR_SHARE * max(signals.near.values(), default=0.0)
    return certain | doubted | {photo_id for photo_id, value in signals.near.items() if value >= nearest}


def _sums(signals: Signals, found: Iterable[int]) -> dict[int, float]:
    """Photo id -> what all ways of searching add up to, in scatters."""
    full = _by_rank(signals.full)
    partial = _by_rank(signals.partial)
    looks = [(each, min(each.similarities.values())) for each in signals.likenesses if each.similarities]
    sums = {}
    for photo_id in found:
        total = NEAR_WEIGHT * signals.near.get(photo_id, 0.0)
        total += FULL_WEIGHT * full.get(photo_id, 0.0) + PARTIAL_WEIGHT * partial.get(photo_id, 0.0)
        # A photo that is not among the most similar ones is like the least of them at most.
        for each, lowest in looks:
            standing = (each.similarities.get(photo_id, lowest) - each.centre) / (each.scatter or 1.0)
            total += standing / len(looks)
        sums[photo_id] = total
    return sums


def _by_rank(photo_ids: Sequence[int]) -> dict[int, float]:
    """Photo id -> 1 for the first, and less for each that follows."""
    return {photo_id: (RANK_OFFSET + 1) / (RANK_OFFSET + rank) for rank, photo_id in enumerate(photo_ids, start=1)}


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(min(700.0, (_MIDDLE - value) / _SPREAD)))
