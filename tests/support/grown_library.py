"""A small library, filled by plain SQL: the store's own code is not needed to test what reads it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgd.store.changes import next_change_seq
from imgd.store.database import Database
from imgd.store.findings import UNTAGGED
from imgd.store.migrate import migrations


class Library:
    """A library database that grows photo by photo; every method is one committed change."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, migrations())
        self._inodes = itertools.count(1)
        self._do(self._found)

    def _found(self, connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO roots (id, path, display_path) VALUES (1, x'2f70', '/p')")
        connection.execute("INSERT INTO analyzers (id, name, version, digest) VALUES (1, 'any', '1', '')")

    def add(self, name: str, *, folder: str = "", **said: object) -> int:
        return self.add_many([name], folder=folder, **said)[0]

    def add_many(self, names: Sequence[str], *, folder: str = "", **said: object) -> list[int]:
        """Photos of one commit; `said` as for `say`, the same of each."""

        def work(connection: sqlite3.Connection) -> list[int]:
            change_seq = next_change_seq(connection)
            folder_id = self._folder(connection, folder)
            rows = [(folder_id, name.encode(), name, next(self._inodes), change_seq) for name in names]
            photo_ids = [
                connection.execute(
                    "INSERT INTO photos (folder_id, name, display_name, size, mtime_ns, device, inode, added_at,"
                    " change_seq) VALUES (?, ?, ?, 1, 1, 1, ?, 0, ?)",
                    row,
                ).lastrowid
                for row in rows
            ]
            for photo_id in photo_ids:
                self._say(connection, photo_id, **said)
            return photo_ids

        return self._do(work)

    def say(self, photo_id: int, **said: object) -> None:
        """Replace what is known of a photo: tags={label: score}, texts=[(kind, text)], regions=[(kind, label)],
        vectors={space: values}, metadata={column: value}. Keywords and labels of objects become tags, too."""

        def work(connection: sqlite3.Connection) -> None:
            change_seq = next_change_seq(connection)
            for table in ("tags", "texts", "regions", "vectors", "metadata"):
                connection.execute(f"DELETE FROM {table} WHERE photo_id = ?", (photo_id,))
            self._say(connection, photo_id, **said)
            connection.execute("UPDATE photos SET change_seq = ? WHERE id = ?", (change_seq, photo_id))

        self._do(work)

    def rename(self, photo_id: int, name: str) -> None:
        self.rename_to(photo_id, name.encode(), name)

    def rename_to(self, photo_id: int, name: bytes, display_name: str) -> None:
        self._change(photo_id, "name = ?, display_name = ?", name, display_name)

    def lose(self, photo_id: int) -> None:
        self._change(photo_id, "state = 'missing', missing_since = 1.0")

    def find_again(self, photo_id: int) -> None:
        self._change(photo_id, "state = 'present', missing_since = NULL")

    def remove(self, photo_id: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            next_change_seq(connection)
            connection.execute("DELETE FROM photos WHERE id = ?", (photo_id,))

        self._do(work)

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return connection.execute(statement, values).fetchall()

    def vector_ids(self, photo_id: int) -> list[int]:
        return [row[0] for row in self.ask("SELECT id FROM vectors WHERE photo_id = ?", photo_id)]

    def _change(self, photo_id: int, what: str, *values: object) -> None:
        def work(connection: sqlite3.Connection) -> None:
            change_seq = next_change_seq(connection)
            connection.execute(
                f"UPDATE photos SET {what}, change_seq = ? WHERE id = ?", (*values, change_seq, photo_id)
            )

        self._do(work)

    def _folder(self, connection: sqlite3.Connection, folder: str) -> int:
        connection.execute(
            "INSERT OR IGNORE INTO folders (root_id, path, display_path) VALUES (1, ?, ?)",
            (folder.encode(), folder),
        )
        return connection.execute("SELECT id FROM folders WHERE display_path = ?", (folder,)).fetchone()[0]

    def _say(self, connection: sqlite3.Connection, photo_id: int, **said: object) -> None:
        keywords = {text: 1.0 for kind, text in said.get("texts", ()) if kind == "keyword"}
        labels = {label: 0.9 for kind, label in said.get("regions", ()) if label and kind not in UNTAGGED}
        for label, score in (labels | keywords | dict(said.get("tags", {}))).items():
            connection.execute("INSERT OR IGNORE INTO labels (label) VALUES (?)", (label,))
            connection.execute(
                "INSERT INTO tags SELECT ?, 1, id, ? FROM labels WHERE label = ?", (photo_id, score, label)
            )
        for ordinal, (kind, text) in enumerate(said.get("texts", ())):
            connection.execute("INSERT INTO texts VALUES (?, 1, ?, ?, ?)", (photo_id, ordinal, kind, text))
        for ordinal, (kind, label) in enumerate(said.get("regions", ())):
            connection.execute(
                "INSERT INTO regions (photo_id, analyzer_id, ordinal, kind, label, score, box_left, box_top,"
                " box_width, box_height) VALUES (?, 1, ?, ?, ?, 0.9, 0, 0, 1, 1)",
                (photo_id, ordinal, kind, label),
            )
        for space, values in dict(said.get("vectors", {})).items():
            self._put_vector(connection, photo_id, space, values)
        if metadata := dict(said.get("metadata", {})):
            columns = ", ".join(metadata)
            marks = ", ".join("?" * len(metadata))
            connection.execute(
                f"INSERT INTO metadata (photo_id, {columns}) VALUES (?, {marks})", (photo_id, *metadata.values())
            )

    def _put_vector(
        self, connection: sqlite3.Connection, photo_id: int, space: str, values: npt.NDArray[np.float32]
    ) -> None:
        connection.execute("INSERT OR IGNORE INTO spaces (name, dimensions) VALUES (?, ?)", (space, len(values)))
        connection.execute(
            "INSERT INTO vectors (space_id, photo_id, analyzer_id, generation, data)"
            " SELECT id, ?, 1, 1, ? FROM spaces WHERE name = ?",
            (photo_id, stored(values), space),
        )

    def _do(self, work: Callable[[sqlite3.Connection], object]) -> object:
        return self.database.write(work).result()


def stored(values: npt.NDArray[np.float32]) -> bytes:
    """L2-normalised float16, as the store keeps vectors."""
    return (values / np.linalg.norm(values)).astype(np.float16).tobytes()
