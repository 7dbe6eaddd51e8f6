"""Which photos a branch may find at all, in whatever way: its filters, its phrases, what it excludes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Ids, among
from imgd.index.words import Words
from imgd.search.conditions import Condition
from imgd.search.terms import Terms, without

NARROW = 20_000
"""Up to so many photos a restriction is a list of them: every search is then made over these alone."""


class Restriction:
    """The photos that a branch may find. Blocking: not for the event loop."""

    def __init__(
        self, condition: Condition, terms: Terms, words: Words, *, has_filters: bool, listed: bool = False
    ) -> None:
        """Of a condition, and of the phrases and exclusions of `terms`.

        `has_filters`: the condition has any; else it is every photo. `listed`: a list of the photos is wanted even
        where most of the library is in it, and so it is not one of candidates that were found by other means.

        Raises:
            StoreError: while the text index is not ready and the restriction needs it.
        """
        self._condition = condition
        self._required, self._excluded, self._words = terms.every_phrase, terms.none_of, words
        self._has_filters = has_filters
        self.ids = self._narrow(listed or (has_filters and not condition.is_inverse))

    def keep(self, photo_ids: Ids) -> npt.NDArray[np.bool_]:
        """Which of `photo_ids` may be found."""
        if self.ids is not None:
            return among(photo_ids, self.ids)
        kept = self._meets_words(photo_ids)
        if self._has_filters and kept.any():
            kept[kept] = self._condition.keep(photo_ids[kept])
        return kept

    def kept(self, scores: Mapping[int, float]) -> dict[int, float]:
        """Those of `scores`, by photo id, that may be found."""
        photo_ids = np.fromiter(scores, np.int64, len(scores))
        return {photo_id: scores[photo_id] for photo_id in photo_ids[self.keep(photo_ids)].tolist()}

    def all_ids(self) -> Ids:
        """Every photo that may be found, in rising order; for 500,000 photos tens of milliseconds."""
        if self.ids is not None:
            return self.ids
        every = self._condition.all_ids()
        if self._required:
            return every[among(every, self._words.matching(without(self._required, self._excluded)))]
        if self._excluded:
            return every[~among(every, self._words.matching(self._excluded))]
        return every

    def _narrow(self, listed: bool) -> Ids | None:
        if self._required:
            found = self._words.matching(without(self._required, self._excluded), limit=NARROW + 1)
            if len(found) <= NARROW:
                return found[self._condition.keep(found)]
        ids = self._condition.ids(NARROW) if listed else None
        return ids if ids is None else ids[self._meets_words(ids)]

    def _meets_words(self, photo_ids: Ids) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(photo_ids), np.bool_)
        if self._required and len(photo_ids):
            kept &= among(photo_ids, self._words.matching(self._required, within=np.sort(photo_ids)))
        if self._excluded and kept.any():
            kept &= ~among(photo_ids, self._words.matching(self._excluded, within=np.sort(photo_ids)))
        return kept

    def count(self) -> tuple[int, bool]:
        """How many photos may be found, and whether that is all of them or `NARROW` at least."""
        return (len(self.ids), True) if self.ids is not None else (NARROW, False)


class AnyOf(Restriction):
    """The photos that at least one of several restrictions lets pass."""

    def __init__(self, restrictions: Sequence[Restriction]) -> None:
        self._restrictions = restrictions
        each = [restriction.ids for restriction in restrictions]
        listed = [ids for ids in each if ids is not None]
        self.ids = np.unique(np.concatenate(listed)) if len(listed) == len(each) else None

    def keep(self, photo_ids: Ids) -> npt.NDArray[np.bool_]:
        kept = np.zeros(len(photo_ids), np.bool_)
        for restriction in self._restrictions:
            kept |= restriction.keep(photo_ids)
        return kept

    def all_ids(self) -> Ids:
        return np.unique(np.concatenate([restriction.all_ids() for restriction in self._restrictions]))


def enough(candidates: int) -> int:
    """Of photos that were found before a broad restriction was asked, so many that pass will do: the page that is
    wanted lies within them (`Walk` asks for candidates accordingly)."""
    return candidates * 2 // 5


def either(restrictions: Sequence[Restriction]) -> Restriction:
    """The photos that at least one of `restrictions` lets pass."""
    return restrictions[0] if len(restrictions) == 1 else AnyOf(restrictions)
