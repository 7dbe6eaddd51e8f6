"""Conditions as trees of clauses, and a clause as SQL: once to list its photos, once to ask about single ones."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from imgd.index.matches import Ids
from imgd.search.numbers import Bounds
from imgd.store.statements import load_statements

MOST_ASKED = 4_000
"""Photos that are asked about one by one; beyond that a list of all is made."""

_NO_LIMIT = {"low": -math.inf, "high": math.inf}

_LISTING = {
    "of_photo": "",
    "of_id": "",
    "plus": "",
    "by_people": "INDEXED BY texts_of_people",
}
_ASKING = {
    "of_photo": "photo_id = found.id AND",
    "of_id": "photos.id = found.id AND",
    "plus": "+",
    "by_people": "",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """Photos of one statement of filters.sql. `lists` finds them by an index, `asks` tells whether `found.id` is
    one of them. Both are SQL with the named parameters `values`.

    `photo_ids`: those of a clause that is known already and too long for a statement; it has no SQL.
    """

    lists: str
    asks: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    photo_ids: Ids | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class All:
    """Photos that are in every part."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Photos that are in at least one part."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Photos that are not in the part."""

    part: Part


Part: TypeAlias = Clause | All | AnyOf | Without


class Clauses:
    """Makes clauses whose parameters have names of their own, so that they can stand in one statement."""

    def __init__(self) -> None:
        self._sql = load_statements("imgd.search", "filters")
        self._numbers = itertools.count(1)

    def make(self, statement: str, *, asks: str = "", words: Mapping[str, str] = {}, **values: Any) -> Clause:
        """The clause of a statement; `asks` names another one for single photos. `words`: SQL to fill in as it is;
        `values`: parameters, lists as JSON."""
        named: dict[str, Any] = {}
        places: dict[str, str] = {}
        for name, value in values.items():
            parameter = f"p{next(self._numbers)}"
            named[parameter] = json.dumps(value) if isinstance(value, list) else value
            places[name] = f":{parameter}"
        asked = self._filled(asks or statement, words, places | _ASKING)
        listed = self._filled(statement, words, places | _LISTING)
        return Clause(listed, self._sql["about"].format(statement=asked), named)

    def _filled(self, statement: str, words: Mapping[str, str], places: Mapping[str, str]) -> str:
        text = self._sql[statement]
        for word, meant in words.items():
            text = text.replace(f"{{{word}}}", meant)
        return text.format_map(places)

    def within(
        self,
        statement: str,
        column: str,
        bounds: Bounds,
        words: Mapping[str, str] = {},
        **values: Any,
    ) -> Clause:
        """The clause of a statement with `{bounds}`, which `column` is to keep."""
        texts = []
        for name, limit, sign in (
            ("low", bounds.low, ">" if bounds.low_open else ">="),
            ("high", bounds.high, "<" if bounds.high_open else "<="),
        ):
            if limit != _NO_LIMIT[name]:
                texts.append(f"{{plus}}{column} {sign} {{{name}}}")
                values[name] = limit
        if not texts:
            texts.append(f"{{plus}}{column} >= {{low}}")
            values["low"] = -sys.float_info.max
        return self.make(statement, words={**words, "bounds": " AND ".join(texts)}, **values)

    def listed(self, photo_ids: Ids) -> Clause:
        """Photos that are known already."""
        if len(photo_ids) > MOST_ASKED:
            return Clause(f"known {next(self._numbers)}", "", photo_ids=photo_ids)
        return self.make("listed", asks="listed_photos", photo_ids=photo_ids.tolist())

    def nothing(self) -> Clause:
        return self.make("listed", asks="listed_photos", photo_ids=[])
