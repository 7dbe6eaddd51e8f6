"""The query language: what is understood, and what is refused with the place where it stops making sense."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgd.errors import QueryError
from imgd.search.grammar import MOST_CHARACTERS, MOST_DEPTH, MOST_TERMS, parse
from imgd.search.keys import KEYS
from imgd.search.query import And, Filter, Like, Node, Not, Or, Phrase, Word

EXAMPLES = int(os.environ.get("IMGD_FUZZED_QUERIES", "500"))
FACTS = ("brightness", "technical.brightness", "objects.person", "objects.dining_table", "objects.*")


def test_words_phrases_and_exclusions_become_a_tree():
    assert parse('red "old car" -dog -"big city"') == And(
        (Word("red", 1), Phrase("old car", 5), Not(Word("dog", 16)), Not(Phrase("big city", 21)))
    )


def test_words_side_by_side_bind_tighter_than_or():
    assert parse("a OR b c") == And((Or((Word("a", 1), And((Word("b", 6), Word("c", 8))))),))
    assert parse("(a OR b) c") == And((Or((Word("a", 2), Word("b", 7))), Word("c", 10)))


def test_a_group_can_be_excluded():
    excluded = Not(Or((Word("b", 5), Word("c", 10))))
    assert parse("a -(b OR c)") == And((Word("a", 1), excluded))
    assert parse("b NOT c") == And((Word("b", 1), Not(Word("c", 7))))
    assert parse("--b -(-c)") == And((Word("b", 3), Not(Not(Word("c", 8)))))


def test_parentheses_that_change_nothing_leave_no_trace():
    assert parse("((a) (b c))") == And((Word("a", 3), Word("b", 7), Word("c", 9)))
    assert parse("a OR (b OR c)") == And((Or((Word("a", 1), Word("b", 7), Word("c", 12))),))


@pytest.mark.parametrize(
    "word",
    ["c++", "AND", "OR", "NOT", "well-known", "12:30", "C:", "http://a.b", "IMG_1(2).jpg", '5"x', "naïve", "a*b"],
)
def test_unusual_words_are_words(word):
    assert parse(word) == And((Word(word),))


def test_and_between_terms_says_what_the_blank_says():
    assert parse("a AND b") == And((Word("a", 1), Word("b", 7)))


def test_a_star_stands_for_the_rest_of_a_word():
    assert parse('dog* "old ca"*') == And((Word("dog", 1, prefix=True), Phrase("old ca", 6, prefix=True)))


def test_curly_quotes_are_quotes():
    assert parse("“old car” tag:„dog“") == And((Phrase("old car", 1), Filter("tag", "dog", 11, quoted=True)))


def test_punctuation_alone_is_no_term():
    assert parse('dog * - "" -() & (!)') == And((Word("dog"),))
    assert parse("dog OR ***") == And((Word("dog"),))


@pytest.mark.parametrize("query", ["", "   ", "***", '""', "()", "-", "\x00\ud800"])
def test_a_query_without_a_word_is_refused(query):
    with pytest.raises(QueryError, match="no word"):
        parse(query)


@pytest.mark.parametrize(
    ("query", "term"),
    [
        ("iso:>=1600", Filter("iso", "1600", 1, ">=")),
        ("iso:≥1600", Filter("iso", "1600", 1, ">=")),
        ("iso:=1600", Filter("iso", "1600", 1)),
        ("Date:2023-06..2023-08", Filter("date", "2023-06..2023-08", 1)),
        ('person:"Anna K"', Filter("person", "Anna K", 1, quoted=True)),
        ("near:38.7,-9.1,20km", Filter("near", "38.7,-9.1,20km", 1)),
        ("tags:dog*", Filter("tag", "dog*", 1)),
        ("path:2019/trip(1)/IMG_12*", Filter("path", "2019/trip(1)/IMG_12*", 1)),
        ("like:IMG_1.jpg", Like("IMG_1.jpg", 1)),
        ('like:"my photo.jpg"', Like("my photo.jpg", 1)),
        ("brightness:<0.2", Filter("brightness", "0.2", 1, "<")),
        ("Technical.Brightness:1..2", Filter("technical.brightness", "1..2", 1)),
        ("objects.person:>2", Filter("objects.person", "2", 1, ">")),
        ('objects."Dining table":>=2', Filter("objects.dining_table", "2", 1, ">=")),
        ('objects."dining table":"2"', Filter("objects.dining_table", "2", 1, quoted=True)),
        ("OBJECTS.Dining-Table:2", Filter("objects.dining_table", "2", 1)),
        ("objects.unicorn:2", Filter("objects.unicorn", "2", 1)),
    ],
)
def test_a_key_and_its_value_become_a_filter(query, term):
    assert parse(query, FACTS) == And((term,))
    assert parse(f"-{query}", FACTS).terms[0].term.column == 2


def test_a_filter_knows_where_its_value_stands():
    assert [each.value_column for each in parse('dog iso:>=1600 tag:"a b" iso:≥5').terms[1:]] == [11, 20, 31]


@pytest.mark.parametrize("key", sorted({name for key in KEYS.values() for name in (key.name, *key.aliases)}))
def test_every_key_and_alias_is_understood(key):
    term = parse(f"{key}:5").terms[0]
    assert isinstance(term, Like if key == "like" else Filter)


@pytest.mark.parametrize(
    ("query", "column", "meant"),
    [
        ("camrea:sony", 1, "camera"),
        ("dog cam:sony", 5, "camera"),
        ("brightnes:<1", 1, "brightness"),
        ("(dog dat:2023)", 6, "date"),
        ("-persn:anna", 2, "person"),
        ("objects.persn:2", 1, "objects.person"),
        ('objects."dining tabel":2', 1, "objects.dining_table"),
        ("objects.din:2", 1, "objects.dining_table"),
        ("technical.brigthness:2", 1, "technical.brightness"),
    ],
)
def test_a_key_that_is_nearly_right_is_refused_with_the_right_one(query, column, meant):
    with pytest.raises(QueryError, match=f"column {column}") as refused:
        parse(query, FACTS)
    assert refused.value.column == column
    assert f"`{meant}:`" in refused.value.advice


@pytest.mark.parametrize(
    ("query", "column", "advice"),
    [
        ('dog "big city', 5, 'closing `"`'),
        ('dog tag:"big city', 9, 'closing `"`'),
        ("dog (cat", 5, "closing `)`"),
        ("((dog) cat", 1, "closing `)`"),
        ("dog) cat", 4, "Remove it"),
        ("dog OR", 5, "each side"),
        ("(dog OR) cat", 6, "each side"),
        ("dog camera:", 12, "camera:sony"),
        ('tag:""', 5, "tag:dog"),
        ("iso:>", 6, "iso:>=1600"),
        ('dog foo."bar baz":1', 5, "quotes"),
        ('objects."...":1', 1, "quotes"),
        ('objects."a b":>=', 17, "objects.a_b:1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_column_and_what_to_do(query, column, advice):
    with pytest.raises(QueryError) as refused:
        parse(query, FACTS)
    assert refused.value.column == column
    assert advice in refused.value.advice


def test_queries_without_end_are_refused():
    with pytest.raises(QueryError, match="characters"):
        parse("dog " * 400)
    with pytest.raises(QueryError, match="words"):
        parse("d " * (MOST_TERMS + 1))
    with pytest.raises(QueryError, match="parentheses"):
        parse("(" * (MOST_DEPTH + 1) + "d" + ")" * (MOST_DEPTH + 1))
    assert parse("d " * MOST_TERMS + "-" * 800)
    assert parse("(" * MOST_DEPTH + "d" + ")" * MOST_DEPTH)


PIECES = st.sampled_from(
    [
        'objects."',
        "(",
        ")",
        "-",
        '"',
        "OR",
        " OR ",
        "NOT ",
        "AND",
        " ",
        "*",
        ":",
        "..",
        ">=",
        "<",
        "dog",
        "é",
        "\x00",
        "“",
        "\\",
    ]
    + [f"{key}:" for key in KEYS]
    + [key.example for key in KEYS.values()]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(st.text(max_size=MOST_CHARACTERS + 10), st.lists(PIECES, max_size=60).map("".join)))
def test_whatever_is_typed_is_understood_or_refused_with_a_column(query):
    found = parsed_or_refused(query)
    if isinstance(found, QueryError):
        assert found.column is not None
        assert 1 <= found.column <= len(query) + 1
    else:
        terms = list(leaves(found))
        assert 1 <= len(terms) <= MOST_TERMS
        assert all(1 <= term.column <= len(query) for term in terms)


def parsed_or_refused(query: str) -> Node | QueryError:
    try:
        return parse(query, FACTS)
    except QueryError as refused:
        return refused


def leaves(node: Node):
    if isinstance(node, And | Or):
        for term in node.terms:
            yield from leaves(term)
    elif isinstance(node, Not):
        yield from leaves(node.term)
    else:
        yield node


def test_the_parser_is_not_loaded_before_the_first_query():
    code = "import sys, imgd.search.grammar as g; assert 'lark' not in sys.modules; g.parse('dog')"
    subprocess.run([sys.executable, "-c", code], check=True)
