"""What the parts of a search take from a query: expressions for the text index, sentences for the encoders."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imgd.search.grammar import And, Not, Phrase, Word

_SAYING_NOTHING = """
    a about above after along an and another are as at be behind being below beside between by down each for from
    has have he her his in inside into is it its near of off on onto or other out outside over she some that the
    their them there these they this those through to under up very was were while who with
"""
STOP_WORDS = frozenset(_SAYING_NOTHING.split())
"""English words that say nothing of what a photo shows."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A query, sorted by what its terms ask for."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    excluded: tuple[str, ...]

    @classmethod
    def of(cls, query: And) -> Terms:
        return cls(
            tuple(term.text for term in query.terms if isinstance(term, Word)),
            tuple(term.text for term in query.terms if isinstance(term, Phrase)),
            tuple(term.term.text for term in query.terms if isinstance(term, Not)),
        )

    @property
    def sentence(self) -> str:
        """What was asked for, as one text."""
        return " ".join((*self.words, *self.phrases))

    @property
    def content_words(self) -> tuple[str, ...]:
        """The single words that say what a photo shows; all words where none does."""
        words = [each for each in re.findall(r"[\w'’]+", self.sentence.lower()) if len(each) > 1]
        telling = [each for each in words if each not in STOP_WORDS]
        return tuple(dict.fromkeys(telling or words))

    @property
    def all_of(self) -> str:
        """The expression that a full text match meets: every phrase, and every word that tells something."""
        words = [word for word in self.words if word.lower() not in STOP_WORDS]
        chosen = (*self.phrases, *words) or self.words
        return " AND ".join(quoted(text) for text in chosen)

    @property
    def any_of(self) -> str:
        """The expression that a partial text match meets: any word that tells something."""
        return " OR ".join(quoted(text) for text in (*self.phrases, *self.content_words))

    @property
    def every_phrase(self) -> str:
        return " AND ".join(quoted(text) for text in self.phrases)

    @property
    def none_of(self) -> str:
        """The expression that no hit may meet."""
        return " OR ".join(quoted(text) for text in self.excluded)


def quoted(text: str) -> str:
    """`text` as a string of FTS5, in which no character has a meaning of its own."""
    escaped = text.replace('"', '""')
    return f'"{escaped}"'
