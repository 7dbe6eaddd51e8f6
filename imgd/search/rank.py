"""One score out of all that is known of a photo: who matches at all, and in which order.

Every way of searching is brought to one scale: how far a photo stands out of similarity by chance, in scatters of
its space (see `cutoff.py`). Nearness in meaning and words met are worth so many of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Ids, among

Floats = npt.NDArray[np.float64]

NEAR_WEIGHT = 20.0
"""What a nearness of 1 is worth. Of 10 to 40, chosen on 275 captions of 211 photos by recall@5 and @10: looks and
meaning then count about the same, as in a sum of z-scores."""

FULL_WEIGHT, PARTIAL_WEIGHT = 6.0, 1.0
"""What it is worth to be first among the photos that every word matches, or some word."""

TEXT_WEIGHT = 1.0
"""What a scatter counts by which a photo's caption is like the query. Of 0.5 to 1.5, chosen on 29 photos that have
one of their captions in the library, by recall@1 of their others. Of all 58 it is 0.77, by words alone 0.55."""

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
    similarity by chance lies, and how much more counts as one scatter. `complete`: a photo that is not among them
    has no vector. `target`: what stands after `like:`; empty where words were asked for. `of_texts`: the photos'
    captions are like it, and not their looks.
    """

    space: str
    similarities: Mapping[int, float]
    least: float
    centre: float = 0.0
    scatter: float = 1.0
    complete: bool = False
    target: str = ""
    of_texts: bool = False

    def judges(self, photo_id: int) -> bool:
        """Whether it can be told how much the photo looks like it. What a caption does not say may be there."""
        return not self.of_texts and (photo_id in self.similarities or not self.complete)

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


def score(signals: Signals) -> dict[int, float]:
    """Photos that match -> their scores, best first: above 0.5 for those that the query names, else below."""
    found = np.array(sorted(matching(signals)), np.int64)
    scores = 0.5 / (1.0 + np.exp((_MIDDLE - _sums(signals, found)) / _SPREAD))
    scores[among(found, np.array(sorted(signals.exact), np.int64))] += 0.5
    best = np.lexsort((found, -scores))
    return dict(zip(found[best].tolist(), scores[best].tolist(), strict=True))


def certain(signals: Signals) -> set[int]:
    """The photos that are found whatever becomes of doubtful matches of words: by name, by sure tags of nearly the
    same meaning, by looks above the cut-off."""
    found = {photo_id for photo_id, sureness in signals.exact.items() if sureness >= SURE} | signals.sure
    return found.union(*(each.found() for each in signals.likenesses))


def matching(signals: Signals) -> set[int]:
    """The photos that count as found.

    Whatever is certain does: names, words, looks above the cut-off. Tags of which their analyzer was not sure do
    where something is certain, or where no space can judge them.
    """
    found = certain(signals) | (set(signals.full) - signals.doubtful)
    doubted = (set(signals.exact) | set(signals.full)) - found
    if not found:
        return {photo_id for photo_id in doubted if not any(each.judges(photo_id) for each in signals.likenesses)}
    nearest = NEAR_SHARE * max(signals.near.values(), default=0.0)
    return found | doubted | {photo_id for photo_id, value in signals.near.items() if value >= nearest}


def _sums(signals: Signals, found: Ids) -> Floats:
    """(n,): what all ways of searching add up to for each of `found`, which rise, in scatters."""
    sums = NEAR_WEIGHT * _spread(signals.near, found, 0.0)
    sums += FULL_WEIGHT * _spread(_by_rank(signals.full), found, 0.0)
    sums += PARTIAL_WEIGHT * _spread(_by_rank(signals.partial), found, 0.0)
    looks = [each for each in signals.likenesses if each.similarities and not each.of_texts]
    for each in looks:
        # A photo that is not among the most similar ones is like the least of them at most.
        similarities = _spread(each.similarities, found, min(each.similarities.values()))
        sums += (similarities - each.centre) / (each.scatter or 1.0) / len(looks)
    for each in signals.likenesses:
        if each.of_texts and each.found():
            # Most photos have no caption, and few captions say all: only what one does say counts, and for it.
            similarities = _spread(each.similarities, found, -1.0)
            beyond = (similarities - each.centre) / (each.scatter or 1.0)
            sums += TEXT_WEIGHT * np.where(similarities >= each.least, beyond, 0.0)
    return sums


def _spread(values: Mapping[int, float], found: Ids, other: float) -> Floats:
    """(n,): the value of each of `found`, and `other` for those that have none."""
    spread = np.full(len(found), other)
    if values and len(found):
        photo_ids = np.fromiter(values, np.int64, len(values))
        at = np.minimum(np.searchsorted(found, photo_ids), len(found) - 1)
        known = found[at] == photo_ids
        spread[at[known]] = np.fromiter(values.values(), np.float64, len(values))[known]
    return spread


def _by_rank(photo_ids: Sequence[int]) -> Mapping[int, float]:
    """Photo id -> 1 for the first, and less for each that follows."""
    values = (RANK_OFFSET + 1.0) / (RANK_OFFSET + 1.0 + np.arange(len(photo_ids)))
    return dict(zip(photo_ids, values.tolist(), strict=True))
