"""The query language: what is understood, and what is refused with the place where it stops making sense."""

from __future__ import annotations

import pytest

from imgd.errors import QueryError
from imgd.search.grammar import MOST_TERMS, And, Not, Phrase, Word, parse


def test_words_phrases_and_exclusions_become_a_tree():
    assert parse('red "old car" -dog -"big city"') == And(
        (Word("red"), Phrase("old car"), Not(Word("dog")), Not(Phrase("big city")))
    )


@pytest.mark.parametrize(
    "word", ["c++", "AND", "well-known", "12:30", "http://a.b", "IMG_1234.jpg", '5"x', "naïve"]
)
def test_unusual_words_are_words(word):
    assert parse(word) == And((Word(word),))


def test_curly_quotes_are_quotes():
    assert parse("“old car”") == And((Phrase("old car"),))


def test_punctuation_alone_is_no_term():
    assert parse('dog * - "" -() &') == And((Word("dog"),))


@pytest.mark.parametrize("query", ["", "   ", "***", '""', "\x00\ud800"])
def test_a_query_without_a_word_is_refused(query):
    with pytest.raises(QueryError, match="no word"):
        parse(query)


def test_an_open_quote_is_refused_with_its_column():
    with pytest.raises(QueryError, match="column 5") as refused:
        parse('dog "big city')
    assert refused.value.column == 5
    assert "closing" in refused.value.advice


@pytest.mark.parametrize(
    ("query", "key", "column"), [("camera:sony", "camera", 1), ("dog -Person:anna", "Person", 6)]
)
def test_a_key_of_the_full_language_is_named_as_not_understood_yet(query, key, column):
    with pytest.raises(QueryError, match=f"`{key}:` at column {column} is not understood yet") as refused:
        parse(query)
    assert refused.value.column == column


def test_queries_without_end_are_refused():
    with pytest.raises(QueryError, match="characters"):
        parse("dog " * 400)
    with pytest.raises(QueryError, match="words"):
        parse("d " * (MOST_TERMS + 1))
