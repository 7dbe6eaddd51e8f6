"""Vectors of a made library with queries of three kinds, and what exact search finds for them."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from looks import DIMENSIONS, SPACE, Floats, centres, far_vectors, photo_vectors, text_vectors
from world import CLUSTERS, Integers

from imgd.store.changes import next_change_seq
from imgd.store.database import Database
from imgd.store.migrate import migrations

KINDS = ("photo-like", "text-like", "far off")
TOP = 100
_BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """Queries (q, d) of each kind, and the exact similarities (q, n) of every vector, in the order of the ids."""

    queries: dict[str, Floats]
    similarities: dict[str, Floats]

    def best(self, kind: str, row: int, within: Integers | None = None) -> set[int]:
        """The ids (1, 2, ...) of the most similar vectors, by float32; `within`: of these ids only."""
        values = self.similarities[kind][row]
        if within is not None:
            values, numbers = values[within - 1], within
        else:
            numbers = np.arange(1, len(values) + 1)
        top = min(TOP, len(values))
        return set(numbers[np.argpartition(-values, top - 1)[:top]].tolist())


def make_queries(count: int, random: np.random.Generator) -> dict[str, Floats]:
    clusters = random.integers(0, CLUSTERS, count)
    return dict(
        zip(
            KINDS,
            (
                photo_vectors(clusters, random),
                text_vectors(centres()[clusters], random),
                far_vectors(count, random),
            ),
            strict=True,
        )
    )


def blocks(count: int, seed: int) -> Iterator[Floats]:
    random = np.random.default_rng(seed)
    for start in range(0, count, _BLOCK):
        yield photo_vectors(random.integers(0, CLUSTERS, min(_BLOCK, count - start)), random)


def fill(path: Path, count: int, queries: dict[str, Floats], seed: int = 0) -> tuple[Database, Question]:
    """A library of `count` photos with a vector each, photo and vector of the same id, and the truth about it."""
    database = Database(path, migrations())
    database.write(_found).result()
    similarities: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
    first = 1
    for block in blocks(count, seed):
        for kind in KINDS:
            similarities[kind].append(queries[kind] @ block.T)
        database.write(functools.partial(_put, first=first, block=block)).result()
        first += len(block)
    return database, Question(queries, {kind: np.hstack(parts) for kind, parts in similarities.items()})


def _found(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO roots (id, path, display_path) VALUES (1, x'2f70', '/p')")
    connection.execute("INSERT INTO folders (id, root_id, path, display_path) VALUES (1, 1, x'', '')")
    connection.execute("INSERT INTO analyzers (id, name, version, digest) VALUES (1, 'looks', '1', '')")
    connection.execute("INSERT INTO spaces (id, name, dimensions) VALUES (1, ?, ?)", (SPACE, DIMENSIONS))


def _put(connection: sqlite3.Connection, first: int, block: Floats) -> None:
    change_seq = next_change_seq(connection)
    numbers = range(first, first + len(block))
    connection.executemany(
        "INSERT INTO photos (id, folder_id, name, display_name, size, mtime_ns, device, inode, added_at,"
        " change_seq) VALUES (?, 1, ?, ?, 1, 1, 1, ?, 0, ?)",
        ((number, b"%d" % number, str(number), number, change_seq) for number in numbers),
    )
    connection.executemany(
        "INSERT INTO vectors (id, space_id, photo_id, analyzer_id, generation, data) VALUES (?, 1, ?, 1, 1, ?)",
        ((number, number, row.tobytes()) for number, row in zip(numbers, block.astype(np.float16), strict=True)),
    )
