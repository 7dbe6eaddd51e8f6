"""The calibrated cut-off of a space: what no photo shows should find nothing, rather than the least bad.

Similarities mean nothing by themselves: where they lie depends on the space and on the library. So the everyday
things that an encoder names (`background_texts`) are compared with the library's own vectors. Most of those pairs
are no match, so their median and the distance from it to their 84th percentile tell where similarity by chance
lies and how far it scatters (for a normal distribution, mean and standard deviation; robust against the pairs that
do match). A query matches when its best photo stands out of that by `OUTSTANDING` such distances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgd.index.vectors import SpaceIndex

OUTSTANDING = 2.9
"""Chosen on 275 captions of 211 photos and 45 things that none of them shows, of 2.7, 2.9 and 3.1: most of the
latter find nothing, while recall@5 of the captions falls by 0.015. Each half of them alone chooses the same."""

BELOW_BEST = 2.0
"""How many scatters below the best photo another one of the same query may lie. A long sentence is like no photo
as a whole, so its hits lie lower than those of a single word, but close together."""

FEW_WORDS = 2
"""Queries of more words than this also stand out by a single one of their words."""

SAMPLE = 2000
"""Vectors of the library that a background is measured on."""

_RENEW_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Similarity by chance in one space of one library."""

    centre: float
    scatter: float

    @property
    def least(self) -> float:
        """The similarity from which a query's best photo counts as a match."""
        return self.centre + OUTSTANDING * self.scatter

    def of_sentence(self, best: float) -> float:
        """The similarity that a photo needs to match a sentence whose best photo has `best`."""
        return min(self.least, best - BELOW_BEST * self.scatter)


def measure(background: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32]) -> Cutoff:
    """The cut-off from the similarities of `background` (b, d) to `vectors` (n, d), all L2-normalised.

    It is not widened for a small library. In samples of 3 of 211 photos the limit wanders by 0.03, but so few are
    seldom alike by chance: 0.8 % of the things that none shows found something (20 % in all 211), and 66 % of the
    classes shown were found (99 %). The factor sqrt(1 + 1/n) of a prediction interval makes that 0.4 % and 52 %.
    """
    similarities = background @ vectors.T
    centre, upper = np.percentile(similarities, (50.0, 84.13))
    return Cutoff(float(centre), float(upper - centre))


class Cutoffs:
    """The cut-offs of all spaces, measured when first asked for and again when a space has changed enough."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Cutoff]] = {}

    def of(self, index: SpaceIndex, background: npt.NDArray[np.float32]) -> Cutoff | None:
        """The cut-off of `index`; None while it has no vectors. Reads the library: not for the event loop."""
        index.catch_up()
        newest_id = index.newest_id
        known = self._known.get(index.space.name)
        if known is not None and newest_id - known[0] <= _RENEW_SHARE * index.size:
            return known[1]
        vectors = index.sample(SAMPLE)
        if not len(vectors):
            return None
        cutoff = measure(background, vectors)
        self._known[index.space.name] = (newest_id, cutoff)
        return cutoff
