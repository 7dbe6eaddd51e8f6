"""Asking the text index: ranked photos for an FTS5 expression, and which of their words it met."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from imgd.index.documents import FIELDS
from imgd.index.matches import Ids, among, ids_of
from imgd.index.spelling import fold
from imgd.index.text import TextIndex
from imgd.store.statements import load_statements

MARK, UNMARK = "\x02", "\x03"

RANKED_MOST = 5_000
"""So many matches of one expression are ranked at most: scoring costs about 1 us each, and a word can be in every
document."""

_NAMES_COMPARED = 5_000
_FIRST_ID, _LAST_ID = 0, (1 << 63) - 1


class Ranked(list[int]):
    """Photo ids, best first.

    `bounded`: more than `RANKED_MOST` photos matched, and only some of them were ranked.
    """

    def __init__(self, photo_ids: Iterable[int] = (), *, bounded: bool = False) -> None:
        super().__init__(photo_ids)
        self.bounded = bounded


@dataclass(frozen=True, slots=True)
class Marked:
    """An entry (one line of one field of a document) that an expression met; met words between MARK and UNMARK."""

    field: str
    entry: str

    @property
    def plain(self) -> str:
        return self.entry.replace(MARK, "").replace(UNMARK, "")


class Words:
    """Questions to the text index. `match` is an FTS5 expression throughout."""

    def __init__(self, text_index: TextIndex) -> None:
        self._index = text_index
        self._sql = load_statements("imgd.index", "text")

    def ranked(self, match: str, limit: int, within: Ids | None = None) -> Ranked:
        """The `limit` best photos, by BM25 with weights by field; only those of `within` (in rising order).

        Where more than `RANKED_MOST` match, that many are ranked: the newest that match by their people and tags
        alone, up to half, and else the newest of all (the highest photo ids). Older ones are left out, and the
        answer is marked as `bounded`.
        """
        with self._index.read() as connection:
            chosen, bounded = self._to_rank(connection, match, within)
            values = {"match": match, "limit": limit}
            if chosen is None:
                rows = connection.execute(self._sql["ranked"], values).fetchall()
            elif len(chosen):
                values |= {"within": _json(chosen), "first": int(chosen[0]), "last": int(chosen[-1])}
                rows = connection.execute(self._sql["ranked_within"], values).fetchall()
            else:
                rows = []
        return Ranked((row[0] for row in rows), bounded=bounded)

    def matching(self, match: str, limit: int | None = None, within: Ids | None = None) -> Ids:
        """Ids of the photos that match, in rising order: those of `within` (in rising order), at most `limit`."""
        with self._index.read() as connection:
            return self._matching(connection, match, limit, within)

    def count(self, match: str, limit: int | None = None) -> int:
        """How many photos match; `limit`, where it is that many or more."""
        with self._index.read() as connection:
            values = {"match": match, "limit": _unlimited(limit)}
            return int(connection.execute(self._sql["count_matching"], values).fetchone()[0])

    def named(self, name: str, limit: int) -> list[int]:
        """Photos whose file's name is `name`, with or without its ending; the newest (the highest ids) first.

        Case, accents and doubled spaces make no difference. Of photos whose names begin with these words
        the newest 5,000 are compared, so an older one is missed where `name` is how very many others begin.
        """
        asked = fold(name)
        if not any(each.isalnum() for each in asked):
            return []
        with self._index.read() as connection:
            begun = self._newest(connection, f"name : ^ {quoted(name)}", _NAMES_COMPARED)
            names = connection.execute(self._sql["names"], {"photo_ids": _json(begun)}).fetchall()
        return [photo_id for photo_id, known in names if asked in _spellings(known)][:limit]

    def marked(self, match: str, photo_ids: Iterable[int]) -> dict[int, list[Marked]]:
        """For each photo that matches, the entries that met the expression, in the order of `FIELDS`.

        The words of these documents alone are asked, so that it takes the same time whatever else matches.
        """
        with self._index.read() as connection:
            values = {"photo_ids": json.dumps(list(photo_ids))}
            documents = connection.execute(self._sql["documents"], values).fetchall()
        with closing(sqlite3.connect(":memory:")) as few:
            few.execute(self._sql["few_words"])
            few.executemany(self._sql["enter_words"], documents)
            rows = few.execute(self._sql["marked"], {"match": match}).fetchall()
        return {row[0]: _marked_entries(row) for row in rows}

    def _to_rank(self, connection: sqlite3.Connection, match: str, within: Ids | None) -> tuple[Ids | None, bool]:
        """The photos to rank, None where that is all that match, and whether others that match are left out."""
        strong = f"{{person tag}} : ({match})"
        if within is None:
            found = self._newest(connection, match, RANKED_MOST + 1)
            if len(found) <= RANKED_MOST:
                return None, False
            first = self._newest(connection, strong, RANKED_MOST // 2)
        else:
            found = self._matching(connection, match, None, within)
            if len(found) <= RANKED_MOST:
                return found, False
            first = self._matching(connection, strong, None, found)[-RANKED_MOST // 2 :]
        others = found[~among(found, first)]
        return np.union1d(first, others[len(first) - RANKED_MOST :]), True

    def _matching(self, connection: sqlite3.Connection, match: str, limit: int | None, within: Ids | None) -> Ids:
        if within is None:
            values = {"match": match, "limit": _unlimited(limit), "first": _FIRST_ID, "last": _LAST_ID}
            return self._ids(connection, "matching", values)
        if not len(within):
            return within
        values = {"match": match, "limit": -1, "first": int(within[0]), "last": int(within[-1])}
        found = self._ids(connection, "matching", values)
        return found[among(found, within)][:limit]

    def _newest(self, connection: sqlite3.Connection, match: str, limit: int) -> Ids:
        """The highest ids that match, in rising order."""
        return self._ids(connection, "newest_matching", {"match": match, "limit": limit})[::-1]

    def _ids(self, connection: sqlite3.Connection, statement: str, values: dict[str, object]) -> Ids:
        return ids_of(connection.execute(self._sql[statement], values).fetchone()[0])


def quoted(text: str) -> str:
    """`text` as a string of FTS5, in which no character has a meaning of its own."""
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def _marked_entries(row: sqlite3.Row | tuple[object, ...]) -> list[Marked]:
    return [
        Marked(field, entry)
        for field, text in zip(FIELDS, row[1:], strict=True)
        for entry in str(text).split("\n")
        if MARK in entry
    ]


def _spellings(name: str) -> tuple[str, str]:
    """A document's `name`, which begins with the file's name, folded: with and without its ending."""
    whole = fold(name.split("\n", 1)[0])
    stem = whole.rpartition(".")[0]
    return whole, stem or whole


def _json(photo_ids: Ids) -> str:
    return json.dumps(photo_ids.tolist())


def _unlimited(limit: int | None) -> int:
    return -1 if limit is None else limit
