"""The vectors of one space as the library stores them: the truth that every index is made from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Floats, Ids
from imgd.store.statements import load_statements

Halves: TypeAlias = npt.NDArray[np.float16]

Reading: TypeAlias = Callable[[], AbstractContextManager[sqlite3.Connection]]
"""Lends a connection to the library that cannot write, in autocommit."""


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space as the library knows it."""

    id: int
    name: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Vectors in rising order of their ids: ids and photos' ids (n,), values (n, d), L2-normalised."""

    vector_ids: Ids
    photo_ids: Ids
    values: Halves


class StoredVectors:
    """Reads the vectors of `space`."""

    def __init__(self, read: Reading, space: Space) -> None:
        self.space = space
        self._read = read
        self._sql = load_statements("imgd.index", "vectors")

    def after(self, vector_id: int, limit: int) -> Rows:
        """Up to `limit` vectors with ids above `vector_id`."""
        place = {"space": self.space.id, "after": vector_id, "limit": limit}
        with self._read() as library:
            found = library.execute(self._sql["vectors_after"], place).fetchall()
        return Rows(
            np.array([row[0] for row in found], np.int64),
            np.array([row[1] for row in found], np.int64),
            self._halves([row[2] for row in found]),
        )

    def chunks(self, size: int) -> Iterator[Rows]:
        """All vectors by key range, each chunk read by itself, so that no read transaction stays open."""
        after = 0
        while len((rows := self.after(after, size)).vector_ids):
            after = int(rows.vector_ids[-1])
            yield rows

    def count_after(self, vector_id: int) -> int:
        place = {"space": self.space.id, "after": vector_id}
        with self._read() as library:
            return int(library.execute(self._sql["count_vectors_after"], place).fetchone()[0])

    def removed_since(self, change_seq: int) -> Ids:
        """Ids of vectors that were removed after change `change_seq`."""
        with self._read() as library:
            rows = library.execute(
                self._sql["removed_vectors"], {"space": self.space.id, "seen": change_seq}
            ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def of_ids(self, vector_ids: Ids) -> tuple[Ids, Halves]:
        """Those of the vectors that are still there, in rising order of their ids."""
        with self._read() as library:
            rows = library.execute(
                self._sql["vectors_of_ids"], {"ids": json.dumps(vector_ids.tolist())}
            ).fetchall()
        rows.sort(key=lambda row: row[0])
        return np.array([row[0] for row in rows], np.int64), self._halves([row[1] for row in rows])

    def sample(self, count: int) -> Floats:
        """About `count` vectors (n, d) spread evenly over the space's ids, or all when there are not more."""
        with self._read() as library:
            first, last = library.execute(self._sql["vector_range"], {"space": self.space.id}).fetchone()
            if first is None:
                return np.empty((0, self.space.dimensions), np.float32)
            at = np.unique(np.linspace(first, last, min(count, last - first + 1)).astype(np.int64))
            found = {}
            for position in at.tolist():
                row = library.execute(self._sql["vector_at"], {"space": self.space.id, "at": position}).fetchone()
                if row is not None:
                    found[row[0]] = row[1]
        return self._halves(list(found.values())).astype(np.float32)

    def _halves(self, data: Sequence[bytes]) -> Halves:
        return np.frombuffer(b"".join(data), np.float16).reshape(len(data), self.space.dimensions)
