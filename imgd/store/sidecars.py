"""Sidecars: `.xmp` files beside photos. One that is added, edited or removed is a new revision of its photos."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from imgd.domain import Priority, SeenFile
from imgd.store.changes import next_change_seq
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "sidecars")

SIDECAR_EXTENSION: Final = b".xmp"


@dataclass(frozen=True, slots=True)
class SidecarChanges:
    """What to store of sidecars: `put` (photo id, name, size, mtime_ns) and `removed` (photo id, name)."""

    put: list[tuple[int, bytes, int, int]]
    removed: list[tuple[int, bytes]]

    @property
    def photo_ids(self) -> set[int]:
        return {row[0] for row in self.put} | {row[0] for row in self.removed}

    def __bool__(self) -> bool:
        return bool(self.put or self.removed)


def folders_with_sidecars(connection: sqlite3.Connection, folder_ids: Collection[int]) -> set[int]:
    """Those of `folder_ids` that have stored sidecars."""
    if not connection.execute(_SQL["any"]).fetchone()[0]:
        return set()
    rows = connection.execute(_SQL["folders_with_sidecars"], (json.dumps(list(folder_ids)),))
    return {folder_id for (folder_id,) in rows}


def compare_sidecars(connection: sqlite3.Connection, folder_id: int, seen: Sequence[SeenFile]) -> SidecarChanges:
    """What differs between the stored sidecars of a folder and `seen`, which are all that it has.

    `IMG.xmp` belongs to every photo named `IMG` (`IMG.CR2` and `IMG.JPG`), `IMG.CR2.xmp` to `IMG.CR2` alone;
    upper and lower case are alike.
    """
    stored = {
        (photo_id, name): (size, mtime_ns)
        for photo_id, name, size, mtime_ns in connection.execute(_SQL["of_folder"], (folder_id,))
    }
    found: dict[tuple[int, bytes], tuple[int, int]] = {}
    if seen:
        photos = connection.execute(_SQL["photos_of_folder"], (folder_id,))
        for photo_id, file in _match(photos, seen):
            found[photo_id, file.name] = (file.size_bytes, file.mtime_ns)
    return SidecarChanges(
        put=[(*key, *stat) for key, stat in found.items() if stored.get(key) != stat],
        removed=[key for key in stored if key not in found],
    )


def _match(photos: Iterable[tuple[int, bytes]], seen: Sequence[SeenFile]) -> Iterable[tuple[int, SeenFile]]:
    by_base: dict[str, list[SeenFile]] = defaultdict(list)
    for file in seen:
        by_base[_fold(file.name[: -len(SIDECAR_EXTENSION)])].append(file)
    for photo_id, name in photos:
        stem = name.rpartition(b".")[0]
        for base in {_fold(name), _fold(stem)}:
            for file in by_base.get(base, ()):
                yield photo_id, file


def _fold(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape").casefold()


def commit_sidecars(
    connection: sqlite3.Connection, changes: SidecarChanges, analyzer_ids: Collection[int], priority: Priority
) -> None:
    """Store `changes`: their photos get a new revision, and owe those analyzers that read sidecars a job."""
    # A photo may have been removed since the comparison.
    kept = _existing(connection, changes.photo_ids)
    connection.executemany(_SQL["put"], [row for row in changes.put if row[0] in kept])
    connection.executemany(_SQL["remove"], changes.removed)
    parameters = {
        "photos": json.dumps(sorted(kept)),
        "analyzers": json.dumps(list(analyzer_ids)),
        "priority": int(priority),
        "change_seq": next_change_seq(connection),
    }
    connection.execute(_SQL["carry_findings"], parameters)
    connection.execute(_SQL["revise"], parameters)
    connection.execute(_SQL["owe"], parameters)


def _existing(connection: sqlite3.Connection, photo_ids: Collection[int]) -> set[int]:
    rows = connection.execute(
        "SELECT id FROM photos WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(photo_ids)),)
    )
    return {photo_id for (photo_id,) in rows}
