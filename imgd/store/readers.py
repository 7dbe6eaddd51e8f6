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
    """Whoever reads one of the findings `found` owes its photos anew, as soon as these were owed: what reads
    a new analyzer does not wait until that has come to the end of the library. Returns how many jobs.

    Both are (photo id, analyzer id), and what is `found` is still owed. `committed`: whoever's turn it was in
    the same commit, with or without a finding: a photo is on its way once at a time, and analyzers work on it
    in their order, so these have read what was found. An analyzer without any finding of a photo yet owes
    nothing more than it does. Where a person asked for what is found, nobody asked for its readers.
    """
    readers: dict[int, list[int]] = defaultdict(list)
    for read_id, reader_id in connection.execute(_SQL["readers"]):
        readers[read_id].append(reader_id)
    outdating = [
        (photo_id, read_id)
        for photo_id, read_id in found
        if any((photo_id, reader) not in committed for reader in readers.get(read_id, ()))
    ]
    if not outdating:
        return 0
    bounds = {"most": int(Priority.EVENT), "least": int(Priority.REANALYSIS)}
    stale = sorted(
        (photo_id, reader, priority)
        for photo_id, read_id, priority in connection.execute(
            _SQL["urgency"], bounds | {"found": json.dumps(outdating)}
        )
        for reader in readers[read_id]
        if (photo_id, reader) not in committed
    )
    connection.execute(_SQL["outdate"], {"pairs": json.dumps(stale)})
    return connection.execute(_SQL["owe"], {"pairs": json.dumps(stale)}).rowcount
