"""Dates in queries: whole months and years, words for times, and the ends of the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from imgd.errors import QueryError
from imgd.search.moments import read_span
from imgd.search.query import Filter

WEDNESDAY = date(2024, 3, 6)
LEAP_DAY = date(2024, 2, 29)


def span(value: str, comparison: str = "", today: date = WEDNESDAY) -> tuple[str | None, str | None]:
    return read_span(Filter("date", value, 1, comparison), "date:2023", today)


@pytest.mark.parametrize(
    ("value", "first", "behind"),
    [
        ("2023", "2023", "2024"),
        ("2023-12", "2023-12", "2024-01"),
        ("2023/6", "2023-06", "2023-07"),
        ("2023.06.30", "2023-06-30", "2023-07-01"),
        ("2023-12-31T23:59", "2023-12-31T23:59", "2024-01-01T00:00"),
        ("2023-12-31 23:59:59", "2023-12-31T23:59:59", "2024-01-01T00:00:00"),
        ("0800", "0800", "0801"),
        ("9999", "9999", "A"),
        ("9999-12", "9999-12", "A"),
        ("2022..2023-02", "2022", "2023-03"),
        ("2022..", "2022", None),
        ("..2022", None, "2023"),
        ("today", "2024-03-06", "2024-03-07"),
        ("Yesterday", "2024-03-05", "2024-03-06"),
        ("this-week", "2024-03-04", "2024-03-11"),
        ("last-week", "2024-02-26", "2024-03-04"),
        ("this-month", "2024-03", "2024-04"),
        ("last-month", "2024-02", "2024-03"),
        ("last-year", "2023", "2024"),
        ("last-7-days", "2024-02-29", "2024-03-07"),
        ("last-2-weeks", "2024-02-22", "2024-03-07"),
        ("last-3-months", "2023-12-07", "2024-03-07"),
        ("last-1-year", "2023-03-07", "2024-03-07"),
        ("last-month..today", "2024-02", "2024-03-07"),
    ],
)
def test_a_date_is_meant_whole(value: str, first: str | None, behind: str | None) -> None:
    assert span(value) == (first, behind)


def test_comparisons_begin_or_end_where_the_date_does() -> None:
    assert span("2023-06", ">=") == ("2023-06", None)
    assert span("2023-06", ">") == ("2023-07", None)
    assert span("2023-06", "<") == (None, "2023-06")
    assert span("2023-06", "<=") == (None, "2023-07")


def test_months_before_the_end_of_a_longer_one_end_with_their_own_last_day() -> None:
    assert span("last-1-month", today=date(2024, 3, 31)) == ("2024-03-01", "2024-04-01")
    assert span("last-1-year", today=LEAP_DAY) == ("2023-03-01", "2024-03-01")


@pytest.mark.parametrize(
    "value",
    ["", "0000", "2023-00", "2023-13", "2023-02-29", "2023-1-", "23", "soon", "last-0x-days", "last-9999-years",
     "..", "2023...2024", "2023-06-24T25", "9999-12-31"],
)  # fmt: skip
def test_what_is_no_date_is_refused(value: str) -> None:
    with pytest.raises(QueryError, match="column 1") as refused:
        span(value)
    assert "date:2023" in refused.value.advice
