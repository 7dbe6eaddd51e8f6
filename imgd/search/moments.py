"""Dates in queries: `2023`, `2023-06..2023-08`, `>=2023-05-01`, `last-month`. Text in, moments out."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta
from typing import TypeAlias

from imgd.errors import QueryError
from imgd.search.numbers import refused
from imgd.search.query import Filter

_MOMENT = re.compile(
    r"(?P<year>\d{4})(?:[-/.](?P<month>\d\d?)(?:[-/.](?P<day>\d\d?)"
    r"(?:[t ](?P<hour>\d\d?)(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?)?)?)?"
)
_LAST = re.compile(r"last-(?P<count>\d{1,4})-(?P<unit>day|week|month|year)s?")

DAYS = (
    "today",
    "yesterday",
    *(f"{which}-{what}" for what in ("week", "month", "year") for which in ("this", "last")),
)
"""Words for times; `last-7-days` and the like are understood, too."""

_STEPS = {
    3: (timedelta(days=1), 10),
    4: (timedelta(hours=1), 13),
    5: (timedelta(minutes=1), 16),
    6: (timedelta(seconds=1), 19),
}
"""By how many parts of a moment are given: what the last of them means, and how long that is in ISO 8601."""

Span: TypeAlias = tuple[str | None, str | None]
"""From the first moment to the one behind the last, as the library writes them, local and without a zone."""


def read_span(condition: Filter, example: str, today: date) -> Span:
    """The time that `condition` lets pass; a month or year is meant whole.

    Raises:
        QueryError: where its value is no date.
    """
    value = condition.value.lower()
    if ".." in value and not condition.comparison:
        low, high = (each.strip() for each in value.split("..", 1))
        if not low and not high:
            raise refused(condition, "no range of dates", example)
        first = _read(low, condition, example, today)[0] if low else None
        return first, _read(high, condition, example, today)[1] if high else None
    first, behind = _read(value, condition, example, today)
    match condition.comparison:
        case "<":
            return None, first
        case "<=":
            return None, behind
        case ">":
            return behind, None
        case ">=":
            return first, None
    return first, behind


def _read(text: str, condition: Filter, example: str, today: date) -> tuple[str, str]:
    try:
        span = _relative(text, today) or _absolute(text)
    except (ValueError, OverflowError):
        span = None
    if span is None:
        raise QueryError(
            f"`{text}` is no date (column {condition.value_column})",
            column=condition.value_column,
            hint=f"Write it like `{example}`, `date:2023-06-24`, `date:yesterday` or `date:last-7-days`.",
        )
    return span


def _absolute(text: str) -> tuple[str, str] | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    given = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    start = datetime(**({"month": 1, "day": 1} | given))  # type: ignore[arg-type]  # noqa: DTZ001
    if "month" not in given:
        return f"{start.year:04}", _after(f"{start.year + 1:04}")
    if "day" not in given:
        year, month = divmod(start.year * 12 + start.month, 12)
        return start.isoformat()[:7], _after(f"{year:04}-{month + 1:02}")
    step, length = _STEPS[len(given)]
    return start.isoformat()[:length], (start + step).isoformat()[:length]


def _after(text: str) -> str:
    return text if len(text.split("-", 1)[0]) == 4 else "A"  # behind the year 9999, and behind every digit


def _relative(text: str, today: date) -> tuple[str, str] | None:
    if found := _LAST.fullmatch(text):
        count = int(found["count"])
        match found["unit"]:
            case "day":
                first = today - timedelta(days=count - 1)
            case "week":
                first = today - timedelta(days=7 * count - 1)
            case "month":
                first = _months_before(today, count) + timedelta(days=1)
            case _:
                first = _months_before(today, 12 * count) + timedelta(days=1)
        return _days(first, today)
    if text in ("today", "yesterday"):
        day = today - timedelta(days=text == "yesterday")
        return _days(day, day)
    if text not in DAYS:
        return None
    which, what = text.split("-")
    past = int(which == "last")
    if what == "week":  # from Monday on
        monday = today - timedelta(days=today.weekday() + 7 * past)
        return _days(monday, monday + timedelta(days=6))
    if what == "month":
        month = _months_before(today.replace(day=1), past)
        return _absolute(f"{month:%Y-%m}")
    return _absolute(f"{today.year - past:04}")


def _months_before(day: date, count: int) -> date:
    """The same day so many months earlier, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _days(first: date, last: date) -> tuple[str, str]:
    return first.isoformat(), (last + timedelta(days=1)).isoformat()
