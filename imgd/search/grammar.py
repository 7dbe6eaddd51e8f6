"""The query language: words, "quoted phrases", -without. Text in, a small tree out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

from imgd.errors import QueryError

MOST_CHARACTERS = 1000
MOST_TERMS = 50

_KEYS_OF_THE_FULL_LANGUAGE = """
    analyzer camera caption date focal has is iso lens like near orientation path person place rating root shutter
    size tag text type
"""
KEYS = frozenset(_KEYS_OF_THE_FULL_LANGUAGE.split())
"""Keys that are not understood yet. After any other word a colon means nothing."""

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)(?P<end>"?)|(?P<word>\S+))')
_KEY = re.compile(r"([A-Za-z]+):(.*)", re.DOTALL)
_QUOTES = str.maketrans("“”„«»", '"""""')


@dataclass(frozen=True, slots=True)
class Word:
    """A word, in any of its forms; what looks like it counts too."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand exactly so, side by side."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """Photos that do not match `term`."""

    term: Word | Phrase


Node: TypeAlias = Word | Phrase | Not


@dataclass(frozen=True, slots=True)
class And:
    """Photos that match every term."""

    terms: tuple[Node, ...]


def parse(query: str) -> And:
    """The tree of `query`.

    Raises:
        QueryError: with the column (from 1) where the query stops making sense.
    """
    if len(query) > MOST_CHARACTERS:
        raise QueryError(
            f"it has {len(query)} characters; {MOST_CHARACTERS} are allowed", column=MOST_CHARACTERS + 1
        )
    # Control characters and halves of surrogate pairs are no part of any word.
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in query)
    terms = [_term(found) for found in _TERM.finditer(plain.translate(_QUOTES))]
    kept = tuple(term for term in terms if term is not None)
    if not kept:
        raise QueryError("there is no word in it", column=1, hint="Type what a photo shows, such as `dog`.")
    if len(kept) > MOST_TERMS:
        raise QueryError(f"it has {len(kept)} words; {MOST_TERMS} are allowed", column=1)
    return And(kept)


def has_words(text: str) -> bool:
    """Whether the text index could see a word in `text`: letters, digits, and nothing else, make words there."""
    return any(unicodedata.category(each)[0] in "LN" or unicodedata.category(each) == "Co" for each in text)


def _term(found: re.Match[str]) -> Node | None:
    column = found.start() + len(found["minus"]) + 1
    if found["phrase"] is not None:
        if not found["end"]:
            raise QueryError(
                f"the quote at column {column} is not closed", column=column, hint='Add the closing `"`.'
            )
        term: Word | Phrase = Phrase(found["phrase"].strip())
    else:
        _refuse_key(found["word"], column)
        term = Word(found["word"])
    if not has_words(term.text):
        return None
    return Not(term) if found["minus"] else term


def _refuse_key(word: str, column: int) -> None:
    keyed = _KEY.fullmatch(word)
    if keyed and keyed[1].lower() in KEYS:
        raise QueryError(
            f"`{keyed[1]}:` at column {column} is not understood yet",
            column=column,
            hint=f"Search for the bare word: `{keyed[2]}`." if keyed[2] else "Search for bare words.",
        )
