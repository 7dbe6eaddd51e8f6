"""What the parts of a search take from a branch: expressions for the text index, sentences for the encoders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imgd.index.words import quoted
from imgd.search.branches import Branch
from imgd.search.query import Phrase, Word

_SAYING_NOTHING = """
    a about above after along an and another are as at be behind being below beside between by down each for from
    has have he her his in inside into is it its near of off on onto or other out outside over she some that the
    their them there these they this those through to under up very was were while who with
"""
STOP_WORDS = frozenset(_SAYING_NOTHING.split())
"""English words that say nothing of what a photo shows."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a branch, as each part of a search wants them. Expressions are FTS5's."""

    words: tuple[Word, ...]
    phrases: tuple[Phrase, ...]
    excluded: tuple[Word | Phrase, ...]

    @classmethod
    def of(cls, branch: Branch) -> Terms:
        return cls(branch.words, branch.phrases, branch.excluded)

    @property
    def sentence(self) -> str:
        """What was asked for, as one text."""
        return " ".join([*(each.text for each in self.words), *(each.text for each in self.phrases)])

    @property
    def content_words(self) -> tuple[str, ...]:
        """The single words that say what a photo shows; all words where none does."""
        words = re.findall(r"[\w'’]+", self.sentence.lower())
        # A letter is no word; of other scripts a single character is.
        telling = [each for each in words if each not in STOP_WORDS and (len(each) > 1 or not each.isascii())]
        return tuple(dict.fromkeys(telling or words))

    @property
    def all_of(self) -> str:
        """The expression that a full text match meets: every phrase, and every word that tells something."""
        words = [word for word in self.words if word.text.lower() not in STOP_WORDS]
        chosen: tuple[Word | Phrase, ...] = (*self.phrases, *words)
        return " AND ".join(map(expression, chosen or self.words))

    @property
    def any_of(self) -> str:
        """The expression that a partial text match meets: any word that tells something."""
        begun = [word for word in self.words if word.prefix]
        return _either((*self.phrases, *begun, *(Word(text) for text in self.content_words)))

    @property
    def every_phrase(self) -> str:
        """The expression that every hit meets."""
        return " AND ".join(map(expression, self.phrases))

    @property
    def none_of(self) -> str:
        """The expression that no hit may meet."""
        return _either(self.excluded)


def expression(term: Word | Phrase) -> str:
    """What a document has to hold for `term`."""
    return quoted(term.text) + ("*" if term.prefix else "")


def without(match: str, excluded: str) -> str:
    """The expression `match`, less what meets `excluded` (which may be empty)."""
    return f"({match}) NOT ({excluded})" if excluded else match


def _either(terms: Iterable[Word | Phrase]) -> str:
    return " OR ".join(dict.fromkeys(map(expression, terms)))
