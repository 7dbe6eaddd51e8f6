"""Which photos a branch may find at all, in whatever way: its filters, its phrases, what it excludes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgd.index.words import Words
from imgd.search.terms import Terms, without

NARROW = 20_000
"""Up to so many photos a restriction is a list of them: every search is then made over these alone."""

PhotoIds = npt.NDArray[np.int64]


class Condition(Protocol):
    """Filters, compiled: a set of photos that need not be listed to be asked."""

    def ids(self, limit: int) -> PhotoIds | None:
        """The photos in rising order; None when there are more than `limit`."""
        ...

    def all_ids(self) -> PhotoIds:
        """All photos in rising order, however many."""
        ...

    def keep(self, photo_ids: PhotoIds) -> npt.NDArray[np.bool_]:
        """Which of `photo_ids` are in the set."""
        ...


class Restriction:
    """The photos that a branch may find. Blocking: not for the event loop."""

    def __init__(self, condition: Condition, terms: Terms, words: Words, *, filtered: bool) -> None:
        """Of a condition, and of the phrases and exclusions of `terms`.

        `filtered`: the condition may leave few photos, so that a list of them pays.

        Raises:
            StoreError: while the text index is not ready and the restriction needs it.
        """
        self._condition = condition
        self._required, self._excluded, self._words = terms.every_phrase, terms.none_of, words
        self.ids = self._narrow(filtered)

    def keep(self, photo_ids: PhotoIds) -> npt.NDArray[np.bool_]:
        """Which of `photo_ids` may be found."""
        if self.ids is not None:
            return np.isin(photo_ids, self.ids)
        kept = self._meets_words(photo_ids)
        if kept.any():
            kept[kept] = self._condition.keep(photo_ids[kept])
        return kept

    def all_ids(self) -> PhotoIds:
        """Every photo that may be found, in rising order; for 500,000 photos tens of milliseconds."""
        if self.ids is not None:
            return self.ids
        every = self._condition.all_ids()
        if self._required:
            return np.intersect1d(every, self._words.matching(without(self._required, self._excluded)), True)
        if self._excluded:
            return np.setdiff1d(every, self._words.matching(self._excluded), assume_unique=True)
        return every

    def _narrow(self, filtered: bool) -> PhotoIds | None:
        if self._required:
            found = self._words.matching(without(self._required, self._excluded), limit=NARROW + 1)
            if len(found) <= NARROW:
                return found[self._condition.keep(found)]
        ids = self._condition.ids(NARROW) if filtered else None
        return ids if ids is None else ids[self._meets_words(ids)]

    def _meets_words(self, photo_ids: PhotoIds) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(photo_ids), np.bool_)
        if self._required and len(photo_ids):
            kept &= np.isin(photo_ids, self._words.matching(self._required, within=np.sort(photo_ids)))
        if self._excluded and kept.any():
            kept &= ~np.isin(photo_ids, self._words.matching(self._excluded, within=np.sort(photo_ids)))
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

    def keep(self, photo_ids: PhotoIds) -> npt.NDArray[np.bool_]:
        kept = np.zeros(len(photo_ids), np.bool_)
        for restriction in self._restrictions:
            kept |= restriction.keep(photo_ids)
        return kept

    def all_ids(self) -> PhotoIds:
        return np.unique(np.concatenate([restriction.all_ids() for restriction in self._restrictions]))


def either(restrictions: Sequence[Restriction]) -> Restriction:
    """The photos that at least one of `restrictions` lets pass."""
    return restrictions[0] if len(restrictions) == 1 else AnyOf(restrictions)
