"""docs/query-language.md has the whole language, and everything in it is understood."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from shelf import Shelf

from imgd.search.grammar import GRAMMAR, MOST_CHARACTERS, MOST_DEPTH, MOST_TERMS, parse
from imgd.search.keys import FORMATS, HAS, IS, KEYS, SHAPES
from imgd.search.moments import DAYS
from imgd.search.query import And, Filter, Like, Node, Not, Or
from imgd.search.vocabulary import MOST_TEXTS

PAGE = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text(encoding="utf-8")
LANGUAGE = PAGE.split("\n## What the words are compared with")[0]
CODE = [each.replace("\\|", "|") for each in re.findall(r"`([^`\n]+)`", LANGUAGE)]
NO_QUERY = {
    "OR",
    "NOT",
    "AND",
    "camrea:",
    "imgctl search -- -night",
    "imgctl search",
    "imgctl failed",
    "--",
    "<",
    ">",
}
FACTS = (
    "brightness",
    "technical.brightness",
    "flash",
    "artist",
    "focal_35mm",
    "phash",
    "sharpness",
    "objects",
    "objects.*",
)

COMMANDS = re.findall(r"^    imgctl search (.*)$", LANGUAGE, re.MULTILINE)
EXAMPLES = sorted(
    {
        *(each for each in CODE if each not in NO_QUERY and re.search(r"\w", each) and not each.endswith(":")),
        *(" ".join(shlex.split(command)) for command in COMMANDS),
    }
)


def key_row(name: str) -> list[str]:
    """The cells of the table of keys for one of them."""
    row = re.search(rf"^\| `{name}:` \|.*$", LANGUAGE, re.MULTILINE)
    assert row is not None, name
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row[0])[1:-1]]


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_every_key_is_in_the_table_with_its_other_names_its_example_and_its_units(key) -> None:
    _, aliases, example, unit, meaning = key_row(key.name)
    assert aliases == ", ".join(f"`{alias}:`" for alias in key.aliases)
    assert example == f"`{key.example}`"
    assert unit == key.unit
    assert meaning


def test_no_key_is_in_the_table_that_there_is_not() -> None:
    assert set(re.findall(r"^\| `(\w+):` \|", LANGUAGE, re.MULTILINE)) == set(KEYS)


def test_every_choice_is_there() -> None:
    assert {each for each in CODE if re.fullmatch(r"has:\w+", each)} == {f"has:{value}" for value in HAS}
    assert {each for each in CODE if re.fullmatch(r"is:\w+", each)} == {f"is:{value}" for value in IS}
    assert {f"date:{value}" for value in DAYS} <= set(CODE)
    kinds, shapes = key_row("type")[-1], key_row("orientation")[-1]
    assert all(re.search(rf"\b{value}\b", kinds) for value in FORMATS)
    assert all(value in shapes for value in SHAPES)


def test_every_operator_of_the_grammar_is_there() -> None:
    shown = "\n".join(CODE)
    terminals = set(re.findall(r"^([A-Z]+)(?:\.\d)?:", GRAMMAR, re.MULTILINE))
    examples = {
        "OR": "dog OR wolf", "NOT": "NOT night", "MINUS": "-night", "LPAR": "(dog OR cat)", "RPAR": "(dog OR cat)",
        "PHRASE": '"new york"', "KEYED": 'person:"Anna K"', "WORD": "dog*", "UNCLOSED": "",
            "MEMBER": 'objects."dining table":yes',
    }  # fmt: skip
    assert terminals == set(examples)
    assert all(example in shown for example in examples.values())
    for comparison in (
        "iso:400",
        "iso:=400",
        "iso:>=",
        "iso:>1",
        "iso:<=",
        "iso:<2",
        "100..400",
        ":..200",
        "1600..",
    ):
        assert comparison in shown, comparison


def test_the_limits_are_those_of_the_grammar() -> None:
    assert f"{MOST_CHARACTERS:,} characters, {MOST_TERMS} terms, and {MOST_DEPTH} parentheses" in PAGE
    assert f"{MOST_TEXTS:,} different texts" in " ".join(PAGE.split())


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood_and_runs(shelf: Shelf, example: str) -> None:
    tree = parse(example, {*FACTS, *shelf.vocabulary.facts()})
    for leaf in leaves(tree):
        if isinstance(leaf, Filter):
            shelf.filters.compile(leaf).all_ids()
    if ":" in example and not re.search(r"12:30|http:", example):
        assert any(isinstance(leaf, Filter | Like) for leaf in leaves(tree))


def leaves(node: Node) -> Iterator[Node]:
    match node:
        case And(terms) | Or(terms):
            for term in terms:
                yield from leaves(term)
        case Not(term):
            yield from leaves(term)
        case _:
            yield node
