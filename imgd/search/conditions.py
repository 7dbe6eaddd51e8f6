"""Sets of photos that filters describe, listed or asked about in whichever way costs less.

A clause alone is listed by its index. Of several, the smallest is listed and its photos are asked about the others
while it is small: asking takes a microsecond or three. Beyond that every clause is listed, which takes 0.1
microseconds a photo, and the lists are combined as masks, of a byte for each photo id that was ever given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Ids, among, ids_of
from imgd.index.positions import Mask
from imgd.search.clauses import MOST_ASKED, All, AnyOf, Clause, Part, Without
from imgd.store.database import Database
from imgd.store.statements import load_statements


@dataclass(frozen=True, slots=True)
class _Listed:
    """The whole set. `mask`: by photo id; where `inverse`, it has ids of photos that are gone or never were, too.
    `count`: of the present photos in it."""

    mask: Mask
    inverse: bool
    count: int


class Condition:
    """The present photos that a tree of filters lets pass. Blocking: not for the event loop.

    `notes`: what a person should know of it, such as names that the library does not have.
    """

    def __init__(self, database: Database, part: Part, notes: Sequence[str] = ()) -> None:
        self.notes = tuple(notes)
        self._database = database
        self._part = part
        self._sql = load_statements("imgd.search", "filters")
        self._can_ask = all(clause.photo_ids is None for clause in _clauses(part))
        self._listed: _Listed | None = None
        self._ids: Ids | None = None

    @property
    def is_inverse(self) -> bool:
        """Whether it is told by what is not in it, and so has most photos of any large library."""
        return _is_inverse(self._part)

    def ids(self, limit: int) -> Ids | None:
        """The photos in rising order; None when there are more than `limit`, which takes no list of them."""
        can_ask = self._ids is None and self._can_ask
        if can_ask and _is_list(self._part):
            return self._finished(self._ask("first", _union(self._part), limit=limit + 1), limit)
        if can_ask and isinstance(self._part, All):
            smallest = self._smallest(self._part)
            if smallest is not None:
                rest = All(tuple(part for part in self._part.parts if part is not smallest))
                return self._finished(self._ask("few", _union(smallest), _asks(rest)), limit)
        if self._ids is None and self._all().count > limit:
            return None
        ids = self.all_ids()
        return ids if len(ids) <= limit else None

    def all_ids(self) -> Ids:
        """The photos in rising order, however many."""
        if self._ids is None:
            listed = self._all()
            mask = listed.mask
            if listed.inverse:
                mask = mask & self._mask_of_every(len(mask))
            self._ids = np.flatnonzero(mask)
        return self._ids

    def keep(self, photo_ids: Ids) -> npt.NDArray[np.bool_]:
        """Which of `photo_ids` are in the set."""
        if self._ids is not None:
            return among(photo_ids, self._ids)
        if self._listed is None and self._can_ask and len(photo_ids) <= MOST_ASKED:
            return among(photo_ids, np.sort(self._kept(photo_ids, self._part)))
        listed = self._all()
        kept = np.zeros(len(photo_ids), np.bool_)
        known = (photo_ids >= 0) & (photo_ids < len(listed.mask))
        kept[known] = listed.mask[photo_ids[known]]
        if listed.inverse and kept.any():
            kept[kept] = among(photo_ids[kept], np.sort(self._kept(photo_ids[kept], All(()))))
        return kept

    # ------------------------------------------------------------------ by asking

    def _smallest(self, all_of: All) -> Part | None:
        """The part that has at most `MOST_ASKED` photos, and the fewest; None where there is none."""
        listable = [part for part in all_of.parts if _is_list(part)]
        if not listable:
            return None
        counts = ", ".join(self._sql["size"].format(statement=_union(part)) for part in listable)
        with self._database.read() as library:
            values = _values(all_of) | {"limit": MOST_ASKED + 1}
            sizes = library.execute(self._sql["sizes"].format(counts=counts), values).fetchone()
        size, place = min(zip(sizes, range(len(sizes)), strict=True))
        return listable[place] if size <= MOST_ASKED else None

    def _finished(self, found: Ids, limit: int) -> Ids | None:
        """`found`, which is the whole set unless it is more than `limit`."""
        if len(found) > limit:
            return None
        self._ids = np.sort(found)
        return self._ids

    def _kept(self, photo_ids: Ids, part: Part) -> Ids:
        return self._ask("kept", "", _asks(part), photo_ids=json.dumps(photo_ids.tolist()))

    def _ask(self, name: str, statement: str, tests: str = "", **values: Any) -> Ids:
        sql = self._sql[name].format(statement=statement, tests=tests)
        with self._database.read() as library:
            return ids_of(library.execute(sql, _values(self._part) | values).fetchone()[0])

    # ------------------------------------------------------------------ by listing

    def _all(self) -> _Listed:
        if self._listed is None:
            self._listed = self._list()
        return self._listed

    def _list(self) -> _Listed:
        known = {each: each.photo_ids for each in _clauses(self._part) if each.photo_ids is not None}
        clauses = [each for each in dict.fromkeys(_clauses(self._part)) if each not in known]
        lists = ", ".join([self._sql["list"].format(statement=each.lists) for each in clauses] or ["NULL"])
        values = _values(self._part)
        with self._database.read() as library:
            statement = self._sql["lists"].format(lists=lists)
            largest, missing, *texts = library.execute(statement, values).fetchone()
            inverse = _is_inverse(self._part)
            count = library.execute(self._sql["count"]).fetchone()[0] if inverse else 0
        size = (largest or 0) + 1
        gone = _mask(ids_of(missing), size)
        masks = {clause: _mask(ids_of(text), size) for clause, text in zip(clauses, texts, strict=False)}
        masks |= {clause: _mask(photo_ids, size) for clause, photo_ids in known.items()}
        mask = _combined(self._part, masks, size) & ~gone
        inside, outside, lost = (int(np.count_nonzero(each)) for each in (mask, ~mask & ~gone, gone))
        return _Listed(mask, inverse, count - lost - outside if inverse else inside)

    def _mask_of_every(self, size: int) -> Mask:
        with self._database.read() as library:
            return _mask(ids_of(library.execute(self._sql["every"]).fetchone()[0]), size)


def _is_inverse(part: Part) -> bool:
    """Whether `part` is told by what is not in it: then it has most photos, and no index lists them."""
    match part:
        case Without(inner):
            return not _is_inverse(inner)
        case All(parts):
            return all(map(_is_inverse, parts))
        case AnyOf(parts):
            return any(map(_is_inverse, parts))
    return False


def _is_list(part: Part) -> bool:
    return isinstance(part, Clause) or (
        isinstance(part, AnyOf) and all(isinstance(each, Clause) for each in part.parts)
    )


def _union(part: Part) -> str:
    return " UNION ALL ".join(f"SELECT photo_id FROM ({each.lists})" for each in _clauses(part))


def _asks(part: Part) -> str:
    match part:
        case Clause(asks=asks):
            return asks
        case Without(inner):
            return f"NOT ({_asks(inner)})"
        case All(parts):
            return " AND ".join(f"({_asks(each)})" for each in parts) or "TRUE"
        case AnyOf(parts):
            return " OR ".join(f"({_asks(each)})" for each in parts) or "FALSE"


def _clauses(part: Part) -> Iterator[Clause]:
    match part:
        case Clause():
            yield part
        case Without(inner):
            yield from _clauses(inner)
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from _clauses(each)


def _values(part: Part) -> dict[str, Any]:
    return {name: value for clause in _clauses(part) for name, value in clause.values.items()}


def _combined(part: Part, masks: Mapping[Clause, Mask], size: int) -> Mask:
    match part:
        case Clause():
            return masks[part]
        case Without(inner):
            return ~_combined(inner, masks, size)
        case All(parts):
            return reduce(
                np.logical_and, (_combined(each, masks, size) for each in parts), np.ones(size, np.bool_)
            )
        case AnyOf(parts):
            return reduce(
                np.logical_or, (_combined(each, masks, size) for each in parts), np.zeros(size, np.bool_)
            )


def _mask(photo_ids: Ids, size: int) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[photo_ids[photo_ids < size]] = True
    return mask
