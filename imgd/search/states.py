"""What `has:` and `is:` say, as conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from imgd.index.documents import LEAST_TAG_SCORE
from imgd.search.clauses import All, AnyOf, Clauses, Part, Without
from imgd.search.numbers import Bounds
from imgd.search.vocabulary import COLUMNS

BLURRY, SHARP = Bounds(high=50.0), Bounds(low=500.0)
"""Of `technical.sharpness`. Of photos labelled by people, the blurred ones have 2 to 40 and the sharp ones 540 and
more. Of 208 ordinary photos one is below 50, and 84 % are above 500; with a Gaussian blur of 4 px of 1200, 77 % of
them are below 50."""

DARK, BRIGHT = Bounds(high=0.2), Bounds(low=0.8)
"""Of `technical.brightness`: 4 % and 2.5 % of 208 ordinary photos. Those that are known to be too dark or light
have 0.01, and 0.96 and more."""

MONOCHROME = Bounds(high=5.0)
"""Of `technical.colourfulness`. Greys have 0, an old photo of one tint 2.5, and the dullest of the others 12."""

FIRST_TEXT, LAST_TEXT = "", "\U0010ffff"
"""Before and behind whatever is compared letter by letter."""

State: TypeAlias = Callable[[Clauses], Part]


def number_fact(clauses: Clauses, key: str, bounds: Bounds, analyzer: str | None) -> Part:
    """Photos of which `analyzer` (any, where None) says a number within `bounds`."""
    words, values = of_analyzer(analyzer)
    return clauses.within("number_facts", "number", bounds, words, key=key, **values)


def count(clauses: Clauses, key: str, bounds: Bounds, family: str, analyzers: Sequence[str | None]) -> Part:
    """Photos of which any of `analyzers`, which fill `family` with counts, says a count of `key` within `bounds`.
    None stands for whoever does, where that is only one: its name need not be asked for each photo then.

    What is counted 0 has no row. Such are the photos that were counted at all, as the family's sum tells, but for
    those with a count that the bounds do not let pass.
    """
    parts: list[Part] = []
    for analyzer in analyzers:
        if key == family or not _has_zero(bounds):
            parts.append(number_fact(clauses, key, bounds, analyzer))
            continue
        parts.append(number_fact(clauses, family, Bounds(), analyzer))
        if bounds.high < math.inf:
            above = Bounds(low=bounds.high, low_open=not bounds.high_open)
            parts[-1] = All((parts[-1], Without(number_fact(clauses, key, above, analyzer))))
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _has_zero(bounds: Bounds) -> bool:
    low = bounds.low < 0 or (bounds.low == 0 and not bounds.low_open)
    return low and (bounds.high > 0 or (bounds.high == 0 and not bounds.high_open))


def of_analyzer(analyzer: str | None) -> tuple[dict[str, str], dict[str, Any]]:
    """(words, values) for `Clauses.make` that hold a statement about facts to one analyzer."""
    if analyzer is None:
        return {"analyzer": "TRUE"}, {}
    named = "analyzer_id = (SELECT id FROM analyzers WHERE name = {analyzer_name})"
    return {"analyzer": named}, {"analyzer_name": analyzer}


def _technical(key: str, bounds: Bounds) -> State:
    return lambda clauses: number_fact(clauses, key, bounds, "technical")


def _named(key: str) -> State:
    return lambda clauses: AnyOf(
        tuple(clauses.make("any_of_metadata", words={"column": column}) for column in COLUMNS[key])
    )


def _metadata(column: str, bounds: Bounds) -> State:
    return lambda clauses: clauses.within("numbers_of_metadata", column, bounds)


def _made(statement: str, **values: Any) -> State:
    return lambda clauses: clauses.make(statement, **values)


def _has_person(clauses: Clauses) -> Part:
    marked = clauses.make("regions", kinds=["face", "person"], least_label="\x01")
    return AnyOf((marked, clauses.make("texts", kind="person")))


HAS_PARTS: Mapping[str, State] = {
    "altitude": _metadata("altitude_m", Bounds()),
    "camera": _named("camera"),
    "caption": _made("texts", kind="caption"),
    "date": _made("taken", first=FIRST_TEXT, behind=LAST_TEXT),
    "face": _made("regions", kinds=["face"], least_label=""),
    "gps": _made("position"),
    "lens": _named("lens"),
    "person": _has_person,
    "place": _named("place"),
    "preview": _made("findings", names=["preview"]),
    "rating": _metadata("rating", Bounds(low=1)),
    "sidecar": _made("sidecars"),
    "tag": _made("any_tag", least=LEAST_TAG_SCORE),
    "text": _made("texts", kind="text"),
}

IS_PARTS: Mapping[str, State] = {
    "blurry": _technical("sharpness", BLURRY),
    "bright": _technical("brightness", BRIGHT),
    "damaged": _made("damaged"),
    "dark": _technical("brightness", DARK),
    "failed": _made("failed"),
    "geotagged": _made("position"),
    "landscape": _made("shape", shape="landscape"),
    "monochrome": _technical("colourfulness", MONOCHROME),
    "portrait": _made("shape", shape="portrait"),
    "raw": _made("format", formats=["raw"]),
    "rejected": _metadata("rating", Bounds(-1, -1)),
    "sharp": _technical("sharpness", SHARP),
    "square": _made("shape", shape="square"),
    "unanalyzed": _made("owed"),
}
