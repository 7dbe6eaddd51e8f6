"""Conditions are the same sets whichever way they are listed or asked, and read no whole table."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelf import BEACH, PHOTOS, SCAN, Shelf

from imgd.search import clauses, conditions
from imgd.search.grammar import parse
from imgd.search.keys import HAS, IS, KEYS
from imgd.search.query import And, Not, Or


def test_a_missing_photo_is_not_found_by_any_way(tmp_path) -> None:
    shelf = Shelf(tmp_path, PHOTOS)
    shelf.lose(BEACH.path)
    lost = np.array([shelf.ids[BEACH.path]])
    for query in ("camera:sony", "-camera:canon", "camera:sony iso:100", "tag:dog", "has:gps OR is:damaged"):
        condition = shelf.compile(query)
        assert not np.isin(lost, condition.ids(100)).any(), query
        assert not np.isin(lost, shelf.compile(query).all_ids()).any(), query
        assert not shelf.compile(query).keep(lost).any(), query
        assert not listed(shelf.compile(query)).keep(lost).any(), query
    shelf.close()


def test_a_photo_that_is_gone_from_the_library_is_not_found_by_its_words(tmp_path, monkeypatch) -> None:
    shelf = Shelf(tmp_path, PHOTOS)
    shelf.remove(SCAN.path)
    gone = np.array([shelf.ids[SCAN.path]])
    for most_asked in (conditions.MOST_ASKED, 0):
        monkeypatch.setattr(clauses, "MOST_ASKED", most_asked)
        condition = shelf.compile("caption:dog OR caption:shore")
        assert condition.all_ids().tolist() == [shelf.ids[BEACH.path]]
        assert not condition.keep(gone).any()
        assert not shelf.compile("-caption:shore").keep(gone).any()
    shelf.close()


def listed(condition: conditions.Condition) -> conditions.Condition:
    """The same, with its list made."""
    condition.all_ids()
    return condition


def test_no_filter_at_all_lets_every_photo_pass(shelf: Shelf) -> None:
    every = sorted(shelf.ids.values())
    condition = shelf.filters.compile(And(()))
    assert condition.keep(np.array([*every, 10_000])).tolist() == [True] * len(every) + [False]
    assert condition.ids(len(every)).tolist() == every
    assert shelf.filters.compile(And(())).ids(len(every) - 1) is None


def test_a_limit_is_kept_exactly(shelf: Shelf) -> None:
    for query in ("camera:sony OR camera:canon", "iso:>0 rating:<=5", "-has:gps", "has:place has:gps -is:raw"):
        count = len(shelf.compile(query).all_ids())
        assert count
        assert shelf.compile(query).ids(count - 1) is None
        assert len(shelf.compile(query).ids(count)) == count


_LEAVES = """
    camera:sony tag:dog iso:>=100 has:gps is:raw caption:dog path:2023/ tag:none brightness:<0.7 type:jpeg
    objects.person:0 objects.person:>=2 person:anna near:38.7,-9.1,30km root:pictures path:IMG_12*
"""
TREES = st.recursive(
    st.sampled_from(_LEAVES.split()).map(lambda query: parse(query, ("brightness", "objects.person")).terms[0]),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=1, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, asked=st.sampled_from((0, 1, conditions.MOST_ASKED)), limit=st.integers(0, 6))
def test_every_combination_finds_what_its_parts_say(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tree, asked: int, limit: int
) -> None:
    monkeypatch.setattr(conditions, "MOST_ASKED", asked)
    monkeypatch.setattr(clauses, "MOST_ASKED", asked)
    expected = sorted(meant(shelf, tree))
    every = np.array([*shelf.ids.values(), 0, 77, -1])
    assert shelf.filters.compile(tree).all_ids().tolist() == expected
    assert shelf.filters.compile(tree).keep(every).tolist() == [photo_id in expected for photo_id in every]
    few = shelf.filters.compile(tree).ids(limit)
    assert (few.tolist() if few is not None else None) == (expected if len(expected) <= limit else None)


def meant(shelf: Shelf, tree) -> set[int]:
    match tree:
        case And(terms):
            return set(shelf.ids.values()).intersection(*(meant(shelf, each) for each in terms))
        case Or(terms):
            return set().union(*(meant(shelf, each) for each in terms))
        case Not(term):
            return set(shelf.ids.values()) - meant(shelf, term)
    return set(shelf.filters.compile(tree).all_ids().tolist())


EXAMPLES = [
    *(key.example for key in KEYS.values() if key.name != "like"),
    *(f"has:{value}" for value in HAS),
    *(f"is:{value}" for value in IS),
    "place:portugal", "person:anna", "tag:dog*", "path:IMG_12*", "path:2022/*.jpg", "root:pictures",
    "brightness:<0.2", "technical.brightness:<0.2", "flash:yes", "artist:zoe", "artist:>=z", "size:..1MB",
    "objects.person:>=2", "objects.person:0", "objects.person:<2", "objects.person:>=0", "objects:0",
    "objects.zebra:no", "concepts.objects.person:0", "objects.person:0 camera:sony", "-objects.person:0",
    "camera:sony iso:>=100 -tag:dog", "-has:gps", "type:raw OR is:damaged",
]  # fmt: skip


@pytest.mark.parametrize("query", EXAMPLES)
def test_no_filter_reads_a_whole_table(shelf: Shelf, query: str) -> None:
    statements: list[str] = []
    with shelf.database.read() as connection:
        connection.set_trace_callback(statements.append)
    try:
        shelf.compile(query).ids(3)
        shelf.compile(query).all_ids()
        shelf.compile(query).keep(np.array([1, 2, 3]))
    finally:
        with shelf.database.read() as connection:
            connection.set_trace_callback(None)
    asked = [each for each in statements if "photo" in each]
    assert asked
    with shelf.database.read() as connection:
        for statement in asked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            tables = "photos|metadata|tags|facts|findings|texts|regions|jobs|sidecars"
            assert not [step for step in plan if re.match(rf"SCAN ({tables})\b", step)], statement
