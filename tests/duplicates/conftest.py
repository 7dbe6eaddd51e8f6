"""A library over real files, filled by plain SQL with what analyzers would have said of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import xxhash
from grown_library import Library, stored

from imgd.store.changes import next_change_seq

CAMERA = "EOS R6"


class Shelf(Library):
    """One root with real files."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "photos"
        self.root.mkdir()
        super().__init__(folder / "library.db")

    def add(
        self,
        path: str,
        content: bytes = b"a picture",
        *,
        phash: int | None = None,
        contrast: float = 0.2,
        vector: npt.NDArray[np.float32] | None = None,
        image_format: str = "jpeg",
        size: tuple[int, int] = (600, 400),
        taken_at: str | None = None,
        camera: str | None = CAMERA,
        shutter_s: float | None = None,
        write: bool = True,
    ) -> int:
        """A photo whose file has `content`, analyzed."""
        file = self.root / path
        if write:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        stat = os.stat(file)
        fingerprint = xxhash.xxh3_128(content[: 1 << 16] + content[-(1 << 16) :]).digest()

        def work(connection: sqlite3.Connection) -> int:
            photo_id = connection.execute(
                "INSERT INTO photos (folder_id, name, display_name, size, mtime_ns, device, inode, fingerprint,"
                " width, height, format, added_at, change_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
                (
                    self._folder(connection, str(Path(path).parent).lstrip(".")),
                    os.fsencode(file.name),
                    file.name,
                    stat.st_size,
                    stat.st_mtime_ns,
                    stat.st_dev,
                    stat.st_ino,
                    fingerprint,
                    *size,
                    image_format,
                    next_change_seq(connection),
                ),
            ).lastrowid
            if phash is not None:
                connection.execute(
                    "INSERT INTO facts VALUES (?, 1, 'phash', NULL, ?), (?, 1, 'contrast', ?, NULL)",
                    (photo_id, f"{phash:016x}", photo_id, contrast),
                )
            if vector is not None:
                connection.execute(
                    "INSERT INTO vectors (space_id, photo_id, analyzer_id, generation, data)"
                    " VALUES (1, ?, 2, 1, ?)",
                    (photo_id, stored(vector)),
                )
            connection.execute(
                "INSERT INTO metadata (photo_id, taken_at, camera_model, shutter_s) VALUES (?, ?, ?, ?)",
                (photo_id, taken_at, camera, shutter_s),
            )
            assert photo_id is not None
            return photo_id

        return self._do(work)

    def unplug(self) -> None:
        self.do("UPDATE roots SET state = 'offline'")

    def do(self, statement: str, *values: object) -> None:
        def work(connection: sqlite3.Connection) -> None:
            next_change_seq(connection)
            connection.execute(statement, values)

        self._do(work)

    def _found(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO roots (id, path, display_path) VALUES (1, ?, ?)", (bytes(self.root), str(self.root))
        )
        connection.execute(
            "INSERT INTO analyzers (id, name, version, digest)"
            " VALUES (1, 'technical', '1', ''), (2, 'sees', '1', '')"
        )
        connection.execute("INSERT INTO spaces (id, name, dimensions) VALUES (1, 'sight', 16)")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.database.close()


def groups_of(listing: object) -> list[set[int]]:
    """The groups of a Listing, in its order."""
    return [set(listing.group(number).tolist()) for number in range(len(listing))]  # type: ignore[attr-defined, arg-type]


@pytest.fixture
def groups() -> object:
    return groups_of
