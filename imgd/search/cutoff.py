"""The calibrated cut-off of a space: what no photo shows should find nothing, rather than the least bad.

Similarities mean nothing by themselves: where they lie depends on the space and on the library. So the everyday
things that an encoder names (`background_texts`) are compared with the library's own vectors. Most of those pairs
are no match, so their median and the distance from it to their 84th percentile tell where similarity by chance
lies and how far it scatters (for a normal distribution, mean and standard deviation; robust against the pairs that
do match).

Two questions are asked. Whether a query matches at all is answered strictly, by its best photo. Which photos are
then listed is answered mildly: what is there once may well be there again, less clearly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgd.index.vectors import SpaceIndex

Vectors = npt.NDArray[np.float32]

OUTSTANDING = 3.2
"""How many scatters above the centre the best photo of a query must lie. Chosen on 275 captions of 211 photos and
48 things that none of them shows: `bench/semantic.py --through engine` fits it on each half of the latter and
judges it on the other."""

OUTSTANDING_TEXT, LISTED_TEXT = 4.8, 4.8
"""The same, and that of every photo that is listed, where vectors are of captions. Two texts about different
things are alike more easily than a text and a photo: both name a man, a table, a street. With captions of 58
photos in the library, 0.79 of the 48 things that none shows find nothing with 4.2, 0.85 with 4.8 (0.88 without
captions); other captions of these photos find them among the first five in 0.972 and in 0.968."""

LESS_FOR_TWO = 0.55
"""A sentence is like no photo as a whole, so it also matches by two of its words: the mean of the two that stand
out most, each by its best photo, must lie `OUTSTANDING` less this many scatters up. Chosen on all of the same."""

LISTED = 2.0
"""How many scatters above the centre a photo must lie to be listed, where a query of few words matches."""

BELOW_BEST = 2.0
"""How many scatters below a query's best photo another one is listed. With 1.5 or 2.5, mean average precision of
object classes and recall of captions are the same within 0.01."""

FEW_WORDS = 2
"""Queries of more telling words than this are sentences."""

SAMPLE = 2000
"""Vectors of the library that a background is measured on."""

_RENEW_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Similarity by chance in one space of one library; `of_texts` as in `QueryEncoder`."""

    centre: float
    scatter: float
    of_texts: bool = False

    def least(self, best: float, best_of_words: Sequence[float] = ()) -> float:
        """The similarity from which photos are listed; infinite where the query matches nothing.

        `best`: the similarity of the query's best photo; `best_of_words`: of a sentence, that of the best photo of
        each of its words. Captions are sentences themselves, so they are compared with the whole alone.
        """
        if self.of_texts:
            listed = max(self.centre + LISTED_TEXT * self.scatter, best - BELOW_BEST * self.scatter)
            return listed if best >= self.centre + OUTSTANDING_TEXT * self.scatter else math.inf
        outstanding = self.centre + OUTSTANDING * self.scatter
        two = float(np.mean(sorted(best_of_words)[-2:])) if best_of_words else -math.inf
        if best < outstanding and two < outstanding - LESS_FOR_TWO * self.scatter:
            return math.inf
        if not best_of_words:
            return max(self.centre + LISTED * self.scatter, best - BELOW_BEST * self.scatter)
        return min(outstanding, best - BELOW_BEST * self.scatter)


def measure(background: Vectors, vectors: Vectors, *, of_texts: bool = False) -> Cutoff:
    """The cut-off from the similarities of `background` (b, d) to `vectors` (n, d), all L2-normalised.

    It is not widened for a small library. In samples of 3 of 211 photos the limit wanders by 0.03, but so few are
    seldom alike by chance: by looks alone 0.5 % of the things that none shows found something (11 % in all 211),
    and 49 % of the classes shown were found (84 %).
    """
    similarities = background @ vectors.T
    centre, upper = np.percentile(similarities, (50.0, 84.13))
    return Cutoff(float(centre), float(upper - centre), of_texts)


@dataclass(frozen=True, slots=True)
class Measured:
    """A cut-off, the vectors of the library (n, d) that it was measured on, the newest one of that time, and the
    number of background texts that they were compared with."""

    cutoff: Cutoff
    sample: Vectors
    newest_id: int
    texts: int

    def best(self, queries: Vectors) -> list[float]:
        """For each of `queries`, a similarity that its best photo has at least: that of the best in the sample."""
        return [float(each) for each in (queries @ self.sample.T).max(axis=1)] if len(queries) else []


class Cutoffs:
    """The cut-offs of all spaces: measured when first asked for, and again, beside the searches, when a space has
    changed enough. Blocking: not for the event loop."""

    def __init__(self, of_texts: Callable[[], Collection[str]] = frozenset) -> None:
        """`of_texts`: the spaces whose vectors are of texts about photos."""
        self._of_texts = of_texts
        self._known: dict[str, Measured] = {}
        self._measuring = threading.Lock()

    def of(self, index: SpaceIndex, background: Vectors) -> Measured | None:
        """What is known of `index`, be it a little old; None while the space has no vectors."""
        if index.space.name not in self._known:
            self.renew(index, background)
        return self._known.get(index.space.name)

    def is_stale(self, index: SpaceIndex, background: Vectors) -> bool:
        """Whether many vectors, or more of the background, have come since it was measured."""
        known = self._known.get(index.space.name)
        if known is None:
            return False
        return known.texts < len(background) or index.newest_id - known.newest_id > _RENEW_SHARE * index.size

    def renew(self, index: SpaceIndex, background: Vectors) -> None:
        """Measure it now: `SAMPLE` vectors, a tenth of a second."""
        with self._measuring:
            index.catch_up()
            newest_id = index.newest_id
            vectors = index.sample(SAMPLE)
            if len(vectors):
                cutoff = measure(background, vectors, of_texts=index.space.name in self._of_texts())
                measured = Measured(cutoff, vectors, newest_id, len(background))
                self._known[index.space.name] = measured
