"""Answers of queries that rank nothing, filters alone: the newest first, or by path, page by page.

Such an answer may be most of the library: then the library is walked in its order from the cursor on, and the page
is soon full. Where it is not, the photos lie further down, and both are brought together as lists of ids.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from imgd.index.matches import Ids, ids_of
from imgd.search.cursor import Cursor
from imgd.search.order import Order, Page, Placed, path_key
from imgd.search.restriction import Restriction
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

_FIRST_STEP, WALKED = 200, 1_000
_LARGEST_ID = (1 << 63) - 1
_AFTER_ALL = "\U0010ffff"  # behind every moment


class Listing:
    """Lists the photos that a restriction lets pass. Blocking: not for the event loop."""

    def __init__(self, database: Database, walked: int = WALKED) -> None:
        """`walked`: photos that are looked at one after the other before lists are made."""
        self._database = database
        self._walked = walked
        self._orders: dict[str, tuple[int, Ids]] = {}
        self._order = Order(database)
        self._sql = load_statements("imgd.search", "search")

    def page(self, restriction: Restriction, sort: str, after: Cursor | None, limit: int) -> Page:
        """The `limit` photos that follow `after`."""
        if restriction.ids is not None:
            return self._order.page(dict.fromkeys(restriction.ids.tolist(), 1.0), sort, after, limit)
        return self._walk(restriction, sort, after, limit)

    def _walk(self, restriction: Restriction, sort: str, after: Cursor | None, limit: int) -> Page:
        found: list[Placed] = []
        place, walked, step = after, 0, max(_FIRST_STEP, limit + 1)
        while walked < self._walked:
            placed = self._by_path(place, step) if sort == "path" else self._by_date(place, step)
            if placed:
                kept = restriction.keep(np.array([each.photo_id for each in placed], np.int64))
                found += [each for each, keeps in zip(placed, kept.tolist(), strict=True) if keeps]
                place = Cursor(placed[-1].key, placed[-1].photo_id)
            if len(placed) < step or len(found) > limit:
                return Page(tuple(found[:limit]), len(found) > limit)
            walked, step = walked + step, 2 * step
        return self._gather(restriction, sort, after, limit)

    def _gather(self, restriction: Restriction, sort: str, after: Cursor | None, limit: int) -> Page:
        allowed = restriction.all_ids()
        ordered = self._ids_by_path(after) if sort == "path" else self._ids_by_date(after, allowed)
        mask = np.zeros(max(allowed.max(initial=0), ordered.max(initial=0)) + 1, np.bool_)
        mask[allowed] = True
        found = ordered[mask[ordered]][: limit + 1]
        page = self._order.page(dict.fromkeys(found.tolist(), 1.0), sort, None, limit)
        return Page(page.photos, len(found) > limit)

    def _ids_by_date(self, after: Cursor | None, allowed: Ids) -> Ids:
        every = self._ordered("date")
        undated = np.setdiff1d(allowed, every, assume_unique=True)[::-1]
        if after is None:
            return np.concatenate([every, undated])
        if not after.key:
            return undated[undated < after.photo_id]
        dated = _behind(every, after.photo_id)
        if dated is None:
            values = {"moment": after.key, "photo_id": after.photo_id}
            with self._database.read() as library:
                dated = ids_of(library.execute(self._sql["dated_ids"], values).fetchone()[0])
        return np.concatenate([dated, undated])

    def _ids_by_path(self, after: Cursor | None) -> Ids:
        every = self._ordered("path")
        if after is None:
            return every
        found = _behind(every, after.photo_id)
        if found is None:
            with self._database.read() as library:
                found = self._read_by_path(library, *_parts(after))
        return found

    def _ordered(self, sort: str) -> Ids:
        """The ids of all dated photos, or of all photos by path, in that order. They are kept until the library
        changes, 8 bytes a photo."""
        with self._database.snapshot() as library:
            newest = newest_change_seq(library)
            known = self._orders.get(sort)
            if known is not None and known[0] == newest:
                return known[1]
            if sort == "path":
                ids = self._read_by_path(library, b"", b"", b"")
            else:
                values = {"moment": _AFTER_ALL, "photo_id": 0}
                ids = ids_of(library.execute(self._sql["dated_ids"], values).fetchone()[0])
        self._orders[sort] = newest, ids
        return ids

    def _read_by_path(self, library: sqlite3.Connection, root: bytes, folder: bytes, name: bytes) -> Ids:
        found = [np.empty(0, np.int64)]
        for root_id, path in library.execute(self._sql["roots_from"], (root,)).fetchall():
            here = path == root
            values = {"root_id": root_id, "folder": folder if here else b"", "name": name if here else b""}
            found.append(ids_of(library.execute(self._sql["ids_by_path"], values).fetchone()[0]))
        return np.concatenate(found)

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
        root, folder, name = _parts(after)
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


def _behind(ordered: Ids, photo_id: int) -> Ids | None:
    """What follows a photo in an order; None where the photo is not in it any more."""
    at = np.flatnonzero(ordered == photo_id)
    return ordered[at[0] + 1 :] if len(at) else None


def _parts(cursor: Cursor | None) -> tuple[bytes, bytes, bytes]:
    """Root, folder and name of the last photo of the page before."""
    if cursor is None or not isinstance(cursor.key, bytes):
        return b"", b"", b""
    root, folder, name, *_ = (*cursor.key.split(b"\0", 2), b"", b"")
    return root, folder, name
