"""Analyzers that read the findings of others: theirs are stale once one of these is newer."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence

from imgd.domain import Priority
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "readers")


def declare_reads(connection: sqlite3.Connection, analyzer: str, names: Sequence[str]) -> None:
    """The known `analyzer` reads the findings of the analyzers `names`, and of no others."""
    connection.execute(_SQL["forget"], (analyzer,))
    connection.execute(_SQL["put"], {"analyzer": analyzer, "names": json.dumps(list(names))})


def owe_readers(
    connection: sqlite3.Connection, found: Collection[tuple[int, int]], committed: Collection[tuple[int, int]]
) -> int:
    """Whoever reads one of the findings `found` owes its photos anew, at low priority; returns how many jobs.

    Both are (photo id, analyzer id). `committed`: whoever's turn it was in the same commit, with or without a
    finding: a photo is on its way once at a time, and analyzers work on it in their order, so these have read
    what was found. An analyzer without any finding of a photo yet owes nothing more than it does.
    """
    readers: dict[int, list[int]] = defaultdict(list)
    for read_id, reader_id in connection.execute(_SQL["readers"]):
        readers[read_id].append(reader_id)
    pairs = {(photo_id, reader) for photo_id, read in found for reader in readers.get(read, ())}
    pairs.difference_update(committed)
    if not pairs:
        return 0
    parameters = {"pairs": json.dumps(sorted(pairs)), "priority": int(Priority.REANALYSIS)}
    connection.execute(_SQL["outdate"], {"pairs": parameters["pairs"]})
    return connection.execute(_SQL["owe"], parameters).rowcount
