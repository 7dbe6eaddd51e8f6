"""The order of an answer: photos that were found, as one page of them, by score, date or path."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from imgd.search.cursor import Cursor, Key
from imgd.store.database import Database
from imgd.store.statements import load_statements


@dataclass(frozen=True, slots=True)
class Placed:
    """A photo, and what it is sorted by."""

    photo_id: int
    key: Key


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an answer, in its order. `more`: something follows."""

    photos: tuple[Placed, ...] = ()
    more: bool = False

    def last(self, candidates: int = 0, first: int = 0) -> Cursor:
        """The place of the last photo, of which there is one."""
        last = self.photos[-1]
        return Cursor(last.key, last.photo_id, candidates, first)


class Order:
    """Sorts photos that were found. Blocking: not for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_statements("imgd.search", "search")

    def page(self, scores: Mapping[int, float], sort: str, after: Cursor | None, limit: int) -> Page:
        """The `limit` photos that follow `after`; equal keys in the order of ids, for dates the newer first."""
        if sort == "score":
            return _by_score(scores, after, limit)
        placed = self._by_date(scores) if sort == "date" else self._by_path(scores)
        follow = [each for each in placed if after is None or _follows(each, after, sort)]
        return Page(tuple(follow[:limit]), len(follow) > limit)

    def _by_date(self, photo_ids: Iterable[int]) -> list[Placed]:
        with self._database.read() as library:
            rows = library.execute(self._sql["moments"], {"photo_ids": json.dumps(list(photo_ids))}).fetchall()
        return [Placed(*row) for row in sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)]

    def _by_path(self, photo_ids: Iterable[int]) -> list[Placed]:
        with self._database.read() as library:
            rows = library.execute(self._sql["paths"], {"photo_ids": json.dumps(list(photo_ids))}).fetchall()
        placed = [Placed(photo_id, path_key(root, folder, name)) for photo_id, root, folder, name, _ in rows]
        return sorted(placed, key=lambda each: (each.key, each.photo_id))


def _by_score(scores: Mapping[int, float], after: Cursor | None, limit: int) -> Page:
    photo_ids = np.fromiter(scores, np.int64, len(scores))
    values = np.fromiter(scores.values(), np.float64, len(scores))
    if after is not None:
        least = float(after.key)
        follow = (values < least) | ((values == least) & (photo_ids > after.photo_id))
        photo_ids, values = photo_ids[follow], values[follow]
    best = np.lexsort((photo_ids, -values))[:limit]
    placed = map(Placed, photo_ids[best].tolist(), values[best].tolist())
    return Page(tuple(placed), len(photo_ids) > limit)


def path_key(root: bytes, folder: bytes, name: bytes) -> bytes:
    """What photos are sorted by for their paths: the files of a folder stand before those of its subfolders."""
    return b"\0".join((root, folder, name))


def _follows(placed: Placed, cursor: Cursor, sort: str) -> bool:
    here, there = (placed.key, placed.photo_id), (cursor.key, cursor.photo_id)
    return here < there if sort == "date" else here > there
