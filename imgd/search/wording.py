"""Photos whose words match: names, tags, captions, text in the picture, places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgd.index.words import Words
from imgd.search.restriction import NARROW, Restriction, enough
from imgd.search.terms import Terms, without

_TESTED = 5
"""Of photos that a broad restriction may refuse, so many times the candidates are ranked before it is asked."""

_PLENTY = 100
"""Where so many photos match every word, it makes no difference which others match some of them."""

_COUNTED = 100_000
"""Matches are counted up to here; a larger number means 'at least'."""


@dataclass(frozen=True, slots=True)
class Worded:
    """What the text index found.

    `full`: photos that every word matches, best first; `found`: how many there are in all, exactly or (`counted`
    is false) at least; `partial`: photos that some word matches, best first, where few match every word.
    """

    full: Sequence[int] = ()
    found: int = 0
    counted: bool = True
    partial: Sequence[int] = ()


class WordSearch:
    """Searches the text index. Blocking: not for the event loop."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def find(self, terms: Terms, restriction: Restriction | None, candidates: int) -> Worded:
        """The `candidates` best photos that match `terms` and that `restriction` lets pass.

        Raises:
            StoreError: while the text index is not ready.
        """
        if not terms.sentence:
            return Worded()
        match = without(terms.all_of, terms.none_of)
        full, complete = self._ranked(match, restriction, candidates)
        partial = full
        if terms.words and len(terms.content_words) > 1 and len(full) < _PLENTY:
            some = without(terms.any_of, terms.none_of)
            if self._words.count(some, NARROW) < NARROW:  # else the words are too common to tell anything
                partial, _ = self._ranked(some, restriction, candidates)
        found, counted = (len(full), True) if complete else self._count(match, restriction, len(full))
        return Worded(full, found, counted, partial)

    def _ranked(self, match: str, restriction: Restriction | None, candidates: int) -> tuple[list[int], bool]:
        """The best photos that match, and whether these are all of them."""
        if restriction is None or restriction.ids is not None:
            within = restriction.ids if restriction is not None else None
            best = self._words.ranked(match, candidates, within=within)
            return best, len(best) < candidates and not best.bounded
        asked = candidates * _TESTED
        found = self._words.ranked(match, asked)
        is_all = len(found) < asked and not found.bounded
        ranked = np.array(found, np.int64)
        kept = [int(each) for each in ranked[restriction.keep(ranked)]]
        if is_all or len(kept) >= enough(candidates):
            return kept[:candidates], is_all and len(kept) <= candidates
        best = self._words.ranked(match, candidates, within=restriction.all_ids())
        return best, len(best) < candidates and not best.bounded

    def _count(self, match: str, restriction: Restriction | None, least: int) -> tuple[int, bool]:
        """How many match, and whether that is all of them; at least `least` are known to."""
        if restriction is None:
            count = self._words.count(match, _COUNTED)
            return count, count < _COUNTED
        if restriction.ids is not None:
            return len(self._words.matching(match, within=restriction.ids)), True
        matching = self._words.matching(match, limit=NARROW)
        return max(least, int(restriction.keep(matching).sum())), len(matching) < NARROW
