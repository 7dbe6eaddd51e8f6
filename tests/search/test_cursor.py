from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgd.errors import CursorError
from imgd.search.cursor import Cursor, Key

KEYS = st.one_of(
    st.tuples(st.just("score"), st.floats(0, 1)),
    st.tuples(st.just("date"), st.text()),
    st.tuples(st.just("path"), st.binary()),
)


@given(KEYS, st.integers(0, 2**63 - 1), st.integers(0, 100_000), st.text())
def test_a_cursor_comes_back_as_it_was(key: tuple[str, Key], photo: int, candidates: int, query: str) -> None:
    sort, value = key
    cursor = Cursor(value, photo, candidates, candidates // 4)
    assert Cursor.decode(cursor.encode(query, sort), query, sort) == cursor


@given(st.text(), st.sampled_from(["score", "date", "path"]))
def test_what_is_no_cursor_is_refused_or_means_the_first_page(text: str, sort: str) -> None:
    try:
        assert Cursor.decode(text, "dog", sort) is None
    except CursorError:
        assert text


def test_a_cursor_of_another_query_or_order_is_refused() -> None:
    text = Cursor(0.5, 7, 500).encode("dog", "score")
    with pytest.raises(CursorError, match="another query"):
        Cursor.decode(text, "cat", "score")
    with pytest.raises(CursorError):
        Cursor.decode(text, "dog", "date")
