"""Photos whose words match: names, tags, captions, text in the picture, places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.rank import is_exact
from imgd.search.terms import Terms

_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class Worded:
    """What the text index found.

    `full`: photos that every word matches, best first; `found`: how many there are in all; `exact`: those that the
    query names exactly; `partial`: photos that some word matches, best first.

    `required` (where the query has phrases) and `excluded` say which photos other ways of searching may add.
    """

    full: Sequence[int] = ()
    found: int = 0
    exact: frozenset[int] = frozenset()
    partial: Sequence[int] = ()
    required: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()

    def allows(self, photo_id: int) -> bool:
        """Whether a photo that was found by its looks keeps what the query demands of words."""
        return photo_id not in self.excluded and (self.required is None or photo_id in self.required)


class WordSearch:
    """Searches the text index. Blocking: not for the event loop."""

    def __init__(self, text_index: TextIndex) -> None:
        self._words = Words(text_index)

    def find(self, terms: Terms) -> Worded:
        """What matches `terms`.

        Raises:
            StoreError: while the text index is not ready.
        """
        if not terms.sentence:
            newest = self._words.newest(_CANDIDATES, besides=terms.none_of)
            return Worded(newest, len(newest))
        match = f"({terms.all_of})" + (f" NOT ({terms.none_of})" if terms.none_of else "")
        full = self._words.ranked(match, _CANDIDATES)
        entries = self._words.entries(full)
        return Worded(
            full,
            found=self._words.count(match) if len(full) == _CANDIDATES else len(full),
            exact=frozenset(each for each in full if each in entries and is_exact(terms.sentence, entries[each])),
            partial=self._words.ranked(terms.any_of, _CANDIDATES) if len(terms.content_words) > 1 else full,
            required=frozenset(self._words.matching(terms.every_phrase)) if terms.phrases else None,
            excluded=frozenset(self._words.matching(terms.none_of)) if terms.none_of else frozenset(),
        )
