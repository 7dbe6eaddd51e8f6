"""Folders of a root: a photo's path is its folder's and its own name."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from imgd.store.changes import next_change_seq
from imgd.store.staging import Row, batches
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "folders")

_NAMES_A_STATEMENT = 1000


def find_folders(connection: sqlite3.Connection, root_id: int, paths: Iterable[bytes]) -> dict[bytes, int]:
    """Ids of those of `paths` (relative to the root) that are stored."""
    found: dict[bytes, int] = {}
    wanted = list(dict.fromkeys(paths))
    for start in range(0, len(wanted), _NAMES_A_STATEMENT):
        chunk = wanted[start : start + _NAMES_A_STATEMENT]
        statement = _SQL["ids"].replace(":names", ",".join("?" * len(chunk)))
        found.update(connection.execute(statement, (root_id, *chunk)).fetchall())
    return found


def add_folders(connection: sqlite3.Connection, root_id: int, paths: Iterable[bytes]) -> dict[bytes, int]:
    """Ids of all of `paths`, stored where they were not."""
    wanted = list(dict.fromkeys(paths))
    ids = find_folders(connection, root_id, wanted)
    rows: list[Row] = [(root_id, path, path.decode("utf-8", "replace")) for path in wanted if path not in ids]
    for statement, parameters in batches(_SQL["add"], rows, 3):
        ids.update(connection.execute(statement, parameters).fetchall())
    return ids


def count_rows(connection: sqlite3.Connection, folder_ids: Collection[int]) -> dict[int, int]:
    """How many photos each folder has, missing ones included: a quarter of the work of `count_present`."""
    return dict(connection.execute(_SQL["count_rows"], (json.dumps(list(folder_ids)),)).fetchall())


def count_present(connection: sqlite3.Connection, folder_ids: Collection[int]) -> dict[int, int]:
    """How many present photos each folder has; those without any are left out."""
    if not folder_ids:
        return {}
    return dict(connection.execute(_SQL["count_present"], (json.dumps(list(folder_ids)),)).fetchall())


def page_folders(
    connection: sqlite3.Connection, root_id: int, folder: bytes, after: bytes, limit: int
) -> list[tuple[int, bytes]]:
    """(id, path) of up to `limit` folders at or below `folder`, in the order of their paths, behind `after`."""
    parameters = {"root_id": root_id, "folder": folder, "after": after, "limit": limit}
    return connection.execute(_SQL["page"], parameters).fetchall()


def move_folder(connection: sqlite3.Connection, root_id: int, source: bytes, target: bytes) -> None:
    """A folder was renamed within its root: everything below it keeps its rows."""
    parameters = {
        "root_id": root_id,
        "source": source,
        "target": target,
        "display_source": source.decode("utf-8", "replace"),
        "display_target": target.decode("utf-8", "replace"),
        "change_seq": next_change_seq(connection),
    }
    for step in ("move_free_paths", "move_touch", "move_into_existing", "move_rename"):
        connection.execute(_SQL[step], parameters)
