"""Every statement finds its rows by an index: what a list costs grows with what is in it."""

from __future__ import annotations

import re

import pytest

from imgd.store.statements import load_statements

STATEMENTS = load_statements("imgd.duplicates", "duplicates")
PAGED = ("last_shared", "last_hashed", "hashed", "taken", "phashes", "last_raw")
TABLES = ("photos", "metadata", "facts", "vectors", "raw", "other", "twin", "taken", "also", "contrast")


def plan_of(shelf, name: str) -> list[str]:
    statement = STATEMENTS[name].replace(":rows", "(1, 1, x'00')")
    values = dict.fromkeys(re.findall(r":(\w+)", statement), None)
    with shelf.database.read() as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_table_is_scanned_but_by_an_index(shelf, name):
    for step in plan_of(shelf, name):
        scanned = re.match(r"SCAN (\w+)", step)
        assert scanned is None or scanned[1] not in TABLES or "INDEX" in step, step


@pytest.mark.parametrize("name", PAGED)
def test_pages_are_read_in_the_order_of_an_index(shelf, name):
    assert not [step for step in plan_of(shelf, name) if "TEMP B-TREE" in step]
