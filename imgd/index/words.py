"""Asking the text index: ranked photos for an FTS5 expression, and which of their words it met."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgd.index.documents import FIELDS
from imgd.index.text import TextIndex
from imgd.store.statements import load_statements

MARK, UNMARK = "\x02", "\x03"


@dataclass(frozen=True, slots=True)
class Entries:
    """What a photo is known by exactly: its people, its tags, and its file name."""

    people: tuple[str, ...]
    tags: tuple[str, ...]
    name: str


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

    def ranked(self, match: str, limit: int) -> list[int]:
        """Photo ids, best first by BM25 with weights by field."""
        return self._ids("ranked", match=match, limit=limit)

    def matching(self, match: str) -> set[int]:
        """Photo ids of all documents that match."""
        return set(self._ids("matching", match=match))

    def count(self, match: str) -> int:
        with self._index.read() as connection:
            return int(connection.execute(self._sql["count_matching"], {"match": match}).fetchone()[0])

    def newest(self, limit: int, besides: str = "") -> list[int]:
        """Photo ids, the last registered first, without those that match `besides`."""
        if besides:
            return self._ids("newest_except", match=besides, limit=limit)
        return self._ids("newest", limit=limit)

    def entries(self, photo_ids: Iterable[int]) -> dict[int, Entries]:
        """What those photos are known by exactly."""
        with self._index.read() as connection:
            rows = connection.execute(self._sql["entries"], {"photo_ids": json.dumps(list(photo_ids))}).fetchall()
        return {
            photo_id: Entries(_split(person), _split(tag), name.split("\n", 1)[0])
            for photo_id, person, tag, name in rows
        }

    def marked(self, match: str, photo_ids: Sequence[int]) -> dict[int, list[Marked]]:
        """For each photo that matches, the entries that met the expression, in the order of `FIELDS`."""
        found: dict[int, list[Marked]] = {}
        with self._index.read() as connection:
            for photo_id in photo_ids:
                row = connection.execute(self._sql["marked"], {"match": match, "photo_id": photo_id}).fetchone()
                if row is not None:
                    found[photo_id] = _marked_entries(row)
        return found

    def _ids(self, statement: str, **values: object) -> list[int]:
        with self._index.read() as connection:
            return [row[0] for row in connection.execute(self._sql[statement], values)]


def _marked_entries(row: sqlite3.Row | tuple[object, ...]) -> list[Marked]:
    return [
        Marked(field, entry)
        for field, text in zip(FIELDS, row[1:], strict=True)
        for entry in str(text).split("\n")
        if MARK in entry
    ]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()
