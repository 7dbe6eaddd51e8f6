"""A copy of an analyzed photo: what it may be a copy of, and how it takes over what was found of that."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from imgd.domain import Decoded, FileStat, Outcome, Twin
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "twins")

_LOOK = 32
_MAX_TWINS = 4
_COPY = ("copy_finding", "copy_facts", "copy_texts", "copy_tags", "copy_regions", "copy_vectors")


def read_twins(
    connection: sqlite3.Connection, photo_ids: Sequence[int], analyzer_ids: Collection[int]
) -> dict[int, tuple[Twin, ...]]:
    """What those of `photo_ids` that were never read may be copies of: a few analyzed photos of the same size
    each, those whose content hash is known first. `analyzer_ids`: those whose findings a copy can take over."""
    found: dict[int, list[Twin]] = defaultdict(list)
    wanted = {"photos": json.dumps(photo_ids), "analyzers": json.dumps(sorted(analyzer_ids)), "look": _LOOK}
    for photo_id, twin_id, revision, fingerprint, content_hash, root, folder, name, *stat, current in (
        connection.execute(_SQL["candidates"], wanted) if analyzer_ids else ()
    ):
        if current != "[]" and len(found[photo_id]) < _MAX_TWINS:
            path = os.path.join(root, folder, name)
            analyzers = tuple(json.loads(current))
            twin = Twin(twin_id, revision, path, FileStat(*stat), fingerprint, content_hash, analyzers)
            found[photo_id].append(twin)
    return {photo_id: tuple(twins) for photo_id, twins in found.items()}


def split_stale(
    connection: sqlite3.Connection, outcomes: Sequence[Outcome]
) -> tuple[list[Outcome], list[Outcome]]:
    """`outcomes` without those that would take over a finding that is not current any more, and these."""
    copies = [each for each in outcomes if each.same is not None]
    if not copies:
        return list(outcomes), []
    pairs = [(each.same.photo_id, each.same.revision, each.analyzer_id) for each in copies if each.same]
    current = {position for (position,) in connection.execute(_SQL["current"], (json.dumps(pairs),))}
    stale = [each for position, each in enumerate(copies) if position not in current]
    gone = {id(each) for each in stale}
    return [each for each in outcomes if id(each) not in gone], stale


def describe_copies(connection: sqlite3.Connection, decoded: Sequence[Decoded]) -> None:
    """Note the content hash of copies and of what they are copies of, and what is known of the latter's pixels."""
    copies = [(each, each.same) for each in decoded if each.same is not None]
    hashes = [
        (same.content_hash, photo_id, revision)
        for each, same in copies
        for photo_id, revision in ((each.photo_id, each.revision), (same.photo_id, same.revision))
    ]
    connection.executemany(_SQL["put_hash"], hashes)
    # Of one whose own pixels were decoded all is known.
    bare = [(each, same) for each, same in copies if each.report.route == "metadata"]
    connection.executemany(
        _SQL["describe"],
        [{"photo": each.photo_id, "twin": same.photo_id, "twin_revision": same.revision} for each, same in bare],
    )


def copy_findings(
    connection: sqlite3.Connection, copies: Sequence[Outcome], generations: Mapping[int, int], now: float
) -> None:
    """Store what `copies` take over; what that replaces is gone already. The facts that fill the table
    `metadata` are not among it: they come of sidecars, too."""
    parameters = [
        {
            "photo": each.photo_id,
            "analyzer": each.analyzer_id,
            "revision": each.revision,
            "twin": each.same.photo_id,
            "generation": generations[each.analyzer_id],
            "now": now,
        }
        for each in copies
        if each.same is not None
    ]
    for statement in _COPY:
        connection.executemany(_SQL[statement], parameters)
