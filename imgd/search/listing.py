"""Answers of queries that rank nothing, filters alone: the newest first, or by path, page by page.

Such an answer may be most of the library, so it is walked in its order from the cursor on, and never gathered.
"""

from __future__ import annotations

import numpy as np

from imgd.search.cursor import Cursor
from imgd.search.order import Order, Page, Placed, path_key
from imgd.search.restriction import Restriction
from imgd.store.database import Database
from imgd.store.statements import load_statements

_FIRST_STEP, _LAST_STEP = 200, 10_000
_LARGEST_ID = (1 << 63) - 1
_AFTER_ALL = "\U0010ffff"  # behind every moment


class Listing:
    """Lists the photos that a restriction lets pass. Blocking: not for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._order = Order(database)
        self._sql = load_statements("imgd.search", "search")

    def page(self, restriction: Restriction, sort: str, after: Cursor | None, limit: int) -> Page:
        """The `limit` photos that follow `after`."""
        if restriction.ids is not None:
            return self._order.page(dict.fromkeys(restriction.ids.tolist(), 1.0), sort, after, limit)
        return self._walk(restriction, sort, after, limit)

    def _walk(self, restriction: Restriction, sort: str, after: Cursor | None, limit: int) -> Page:
        found: list[Placed] = []
        step = max(_FIRST_STEP, limit + 1)
        place = after
        while len(found) <= limit:
            placed = self._by_path(place, step) if sort == "path" else self._by_date(place, step)
            if placed:
                kept = restriction.keep(np.array([each.photo_id for each in placed], np.int64))
                found += [each for each, keeps in zip(placed, kept.tolist(), strict=True) if keeps]
                place = Cursor(placed[-1].key, placed[-1].photo_id, 0)
            if len(placed) < step:
                break
            step = min(2 * step, _LAST_STEP)
        return Page(tuple(found[:limit]), len(found) > limit)

    def _by_date(self, after: Cursor | None, count: int) -> list[Placed]:
        """The newest first; those without a date come last, the one registered last first."""
        placed: list[Placed] = []
        with self._database.read() as library:
            if after is None or after.key:
                moment, photo_id = (after.key, after.photo_id) if after is not None else (_AFTER_ALL, 0)
                values = {"moment": moment, "photo_id": photo_id, "limit": count}
                placed = [Placed(*row) for row in library.execute(self._sql["by_date"], values)]
            if len(placed) < count:
                below = after.photo_id if after is not None and not after.key else _LARGEST_ID
                values = {"photo_id": below, "limit": count - len(placed)}
                placed += [Placed(row[0], "") for row in library.execute(self._sql["undated"], values)]
        return placed

    def _by_path(self, after: Cursor | None, count: int) -> list[Placed]:
        root, folder, name = after.key.split(b"\0", 2) if after is not None else (b"", b"", b"")  # type: ignore[union-attr,arg-type]
        placed: list[Placed] = []
        with self._database.read() as library:
            for root_id, path in library.execute(self._sql["roots_from"], (root,)).fetchall():
                here = path == root
                values = {
                    "root_id": root_id,
                    "folder": folder if here else b"",
                    "name": name if here else b"",
                    "limit": count - len(placed),
                }
                rows = library.execute(self._sql["by_path"], values)
                placed += [Placed(row[0], path_key(*row[1:])) for row in rows]
                if len(placed) == count:
                    break
        return placed
