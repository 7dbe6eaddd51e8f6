"""Counts of objects for a made library, and tags to compare filters of them with."""

from __future__ import annotations

import sqlite3

import numpy as np
from imgd_concepts.objects import OBJECTS

FAMILY = "bench-objects"
"""The analyzer that has counted them."""

_SHARES = {"person": 0.45, "chair": 0.12, "car": 0.1, "cup": 0.08, "dining_table": 0.08, "dog": 0.05}
"""Of photos that have one or more. Other classes: one in a hundred each."""


def add_counts(connection: sqlite3.Connection, seed: int = 0) -> None:
    """Count objects in every photo of the library: in nine of ten something, in all of them the sum."""
    random = np.random.default_rng(seed)
    photo_ids = np.array([row[0] for row in connection.execute("SELECT id FROM photos ORDER BY id")])
    analyzer = connection.execute(
        "INSERT INTO analyzers (name, version, digest) VALUES (?, '1', '') RETURNING id", (FAMILY,)
    ).fetchone()[0]
    total = np.zeros(len(photo_ids), np.int64)
    for name in OBJECTS:
        key = name.replace(" ", "_")
        having = np.flatnonzero(random.random(len(photo_ids)) < _SHARES.get(key, 0.01))
        counts = random.geometric(0.5, len(having))
        total[having] += counts
        _put(connection, analyzer, f"objects.{key}", photo_ids[having], counts)
    _put(connection, analyzer, "objects", photo_ids, total)


def _put(
    connection: sqlite3.Connection, analyzer: int, key: str, photo_ids: np.ndarray, counts: np.ndarray
) -> None:
    connection.executemany(
        "INSERT INTO facts (photo_id, analyzer_id, key, number) VALUES (?, ?, ?, ?)",
        [
            (photo, analyzer, key, float(each))
            for photo, each in zip(photo_ids.tolist(), counts.tolist(), strict=True)
        ],
    )


def tag_of_as_many(connection: sqlite3.Connection, count: int) -> str:
    """A new tag that `count` photos have."""
    name = f"bench tag of {count}"
    connection.execute("INSERT OR IGNORE INTO labels (label) VALUES (?)", (name,))
    connection.execute(
        "INSERT OR IGNORE INTO tags (photo_id, analyzer_id, label_id, score) "
        "SELECT photos.id, analyzers.id, labels.id, 1.0 FROM photos, analyzers, labels "
        "WHERE analyzers.name = ? AND labels.label = ? ORDER BY photos.id * 7919 % 100003 LIMIT ?",
        (FAMILY, name, count),
    )
    return name
