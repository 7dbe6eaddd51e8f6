"""Numbers in queries: `1600`, `>=1600`, `24..70mm`, `1/500`, `f/2.8`, `20MB`. Text in, bounds out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from imgd.errors import QueryError
from imgd.search.query import Filter

_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.(?P<decimals>\d*))?|\.(?P<only>\d+)))(?:/(?P<below>\d+))?(?P<unit>.*)"
)


@dataclass(frozen=True, slots=True)
class Measure:
    """How the numbers of a key are read.

    `units`: what may stand behind a number, in small letters, and how many of the library's units each is.
    `nominal`: the part by which a camera's numbers may differ from what its dial says: so much counts as equal, in
    comparisons, too. `rounded`: a number means everything that rounds to it, as finely as it is typed (35 mm is
    34.5 to 35.5 mm).
    """

    units: Mapping[str, float] = field(default_factory=dict)
    nominal: float = 0.0
    rounded: bool = False
    mark: str = ""
    """What may stand before a number, such as `f/`."""
    fractions: bool = False
    counts: bool = False
    """Whether `yes` means one or more, and not what is true."""


_BYTES = {"": 1, "b": 1, **{f"{letter}{i}b": (1024 if i else 1000) ** power
          for power, letter in enumerate("kmgt", 1) for i in ("", "i")}}  # fmt: skip

MEASURES: Mapping[str, Measure] = {
    "iso": Measure(),
    # A dial of thirds of a stop has steps of 12 % and 26 %; 1/30 s is 1/32 s, and f/11 is f/11.3.
    "aperture": Measure(nominal=0.03, mark="f/"),
    "shutter": Measure({"s": 1, "sec": 1, "ms": 1e-3}, nominal=0.07, fractions=True),
    "focal": Measure({"mm": 1}, rounded=True),
    "altitude": Measure({"m": 1, "km": 1000, "ft": 0.3048}, rounded=True),
    "rating": Measure(),
    "size": Measure(_BYTES | {letter: _BYTES[f"{letter}b"] for letter in "kmgt"}, rounded=True),
    "width": Measure({"px": 1}),
    "height": Measure({"px": 1}),
}
FACT, COUNT = Measure(), Measure(counts=True)
WORDS_FOR_NUMBERS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers from `low` to `high`, themselves included unless they are open; infinite where there is no bound."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class _Typed:
    """A number as it was typed; `half` is half of its last digit. Both in the library's units."""

    value: float
    half: float
    decimals: int


def read_bounds(condition: Filter, measure: Measure, example: str) -> Bounds:
    """The numbers that `condition` lets pass.

    Raises:
        QueryError: where its value is no number, or its unit is unknown.
    """
    value = condition.value
    if ".." in value and not condition.comparison:
        low, high = (each.strip() for each in value.split("..", 1))
        if not low and not high:
            raise refused(condition, "no range", example)
        last = _read(high, condition, measure, example) if high else None
        unit = _unit(high) if high else ""
        first = _read(low, condition, measure, example, unit) if low else None
        return Bounds(
            -math.inf if first is None else _slack(first.value, -measure.nominal),
            math.inf if last is None else _slack(last.value, measure.nominal),
        )
    typed = _read(value, condition, measure, example)
    is_some = measure.counts and WORDS_FOR_NUMBERS.get(value.lower()) == 1.0
    match ">=" if is_some and not condition.comparison else condition.comparison:
        case "<":
            return Bounds(high=_slack(typed.value, -measure.nominal), high_open=True)
        case "<=":
            return Bounds(high=_slack(typed.value, measure.nominal))
        case ">":
            return Bounds(low=_slack(typed.value, measure.nominal), low_open=True)
        case ">=":
            return Bounds(low=_slack(typed.value, -measure.nominal))
    return _equal(typed, measure)


def _equal(typed: _Typed, measure: Measure) -> Bounds:
    if measure.rounded or (measure is FACT and typed.decimals):
        return Bounds(typed.value - typed.half, typed.value + typed.half, high_open=True)
    return Bounds(_slack(typed.value, -measure.nominal), _slack(typed.value, measure.nominal))


def refused(condition: Filter, what: str, example: str) -> QueryError:
    """The error of a value that is `what`."""
    return QueryError(
        f"`{condition.value}` is {what} (column {condition.value_column})",
        column=condition.value_column,
        hint=f"Write it like `{example}`.",
    )


def _read(text: str, condition: Filter, measure: Measure, example: str, unit: str = "") -> _Typed:
    """`text` as a number; `unit` counts where it has none of its own."""
    lowered = text.lower()
    if (measure is FACT or measure.counts) and lowered in WORDS_FOR_NUMBERS:
        return _Typed(WORDS_FOR_NUMBERS[lowered], 0.0, 0)
    found = _NUMBER.fullmatch(lowered.removeprefix(measure.mark))
    if found is None or (found["below"] and not measure.fractions):
        has_words = measure is FACT or measure.counts
        raise refused(condition, "no number, nor `yes` or `no`" if has_words else "no number", example)
    named = found["unit"].strip()
    factor = measure.units.get(named or unit, 1.0 if not named else None)
    if factor is None:
        known = ", ".join(each for each in measure.units if each)
        raise QueryError(
            f"`{named}` is no unit of `{condition.key}:` (column {condition.value_column})",
            column=condition.value_column,
            hint=f"Write it like `{example}`" + (f"; it knows {known}." if known else ", without a unit."),
        )
    below = float(found["below"] or 1)
    if not below:
        raise refused(condition, "no number", example)
    decimals = len(found["decimals"] or found["only"] or "")
    return _Typed(float(found["number"]) / below * factor, 0.5 * 10.0**-decimals * factor, decimals)


def _unit(text: str) -> str:
    found = _NUMBER.fullmatch(text.lower())
    return found["unit"].strip() if found else ""


def _slack(value: float, part: float) -> float:
    return value + abs(value) * part
