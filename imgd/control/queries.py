"""What `show` and `failed` read of the library. All reads block: call them in a thread."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from typing import Any

import msgspec

from imgd.control.paths import path_exact, path_text
from imgd.control.protocol import (
    FailedAnswer,
    FailedJob,
    FindingAnswer,
    JobAnswer,
    PhotoAnswer,
    RegionAnswer,
    SidecarAnswer,
    TagAnswer,
    TextAnswer,
    VectorAnswer,
)
from imgd.control.services import PhotoName
from imgd.errors import CursorError, PhotoUnknownError
from imgd.store.database import Database
from imgd.store.photos import find_photo_at
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.control", "queries")
_NS = 1_000_000_000
_LARGEST_ID = (1 << 63) - 1  # SQLite's integers


class LibraryQueries:
    """Answers about single photos and failed jobs, out of the library database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, photo: PhotoName) -> PhotoAnswer:
        """Everything known of one photo, from one state of the library.

        Raises:
            PhotoUnknownError: when the library has no photo of this id or path.
        """
        with self._database.snapshot() as connection:
            return _read_photo(connection, _find(connection, photo))

    def failed(self, after: str, limit: int) -> FailedAnswer:
        """Up to `limit` failed jobs behind the cursor `after`, by photo.

        Raises:
            CursorError: when the cursor is not one of an earlier answer.
        """
        photo_id, analyzer_id = _cursor(after)
        with self._database.read() as connection:
            rows = connection.execute(
                _SQL["failed"], {"photo_id": photo_id, "analyzer_id": analyzer_id, "limit": limit}
            ).fetchall()
        failed = []
        for row in rows:
            path = os.path.join(*row[2:5])
            failed.append(FailedJob(row[0], path_text(path), row[5], row[6], row[7], path_exact(path)))
        return FailedAnswer(tuple(failed), f"{rows[-1][0]}:{rows[-1][1]}" if len(rows) == limit else "")


def _cursor(after: str) -> tuple[int, int]:
    if not after:
        return 0, 0
    photo_id, _, analyzer_id = after.partition(":")
    try:
        cursor = int(photo_id), int(analyzer_id)
    except ValueError:
        cursor = -1, -1
    if not all(0 <= id_ <= _LARGEST_ID for id_ in cursor):
        raise CursorError(f"`after={after}` is no cursor")
    return cursor


def _find(connection: sqlite3.Connection, photo: PhotoName) -> int:
    if photo.path is None:
        known = photo.photo_id is not None and photo.photo_id <= _LARGEST_ID
        row = connection.execute(_SQL["photo_by_id"], {"photo_id": photo.photo_id}).fetchone() if known else None
        if row is None:
            raise PhotoUnknownError(f"no photo has the id {photo.photo_id}")
        return int(row[0])
    photo_id = find_photo_at(connection, os.path.normpath(photo.path))
    if photo_id is None:
        raise PhotoUnknownError(path_text(photo.path))
    return photo_id


def _read_photo(connection: sqlite3.Connection, photo_id: int) -> PhotoAnswer:
    of_photo = {"photo_id": photo_id}
    row = connection.execute(_SQL["photo"], of_photo).fetchone()
    (_, root, folder, name, state, size, mtime_ns, added_at, revision, missing_since) = row[:10]
    (image_format, width, height, route, damage, fingerprint, content_hash) = row[10:]
    path = os.path.join(root, folder, name)
    return PhotoAnswer(
        photo_id=photo_id,
        path=path_text(path),
        path_base64=path_exact(path),
        root=path_text(root),
        state=state,
        size_bytes=size,
        modified_at=mtime_ns / _NS,
        added_at=added_at,
        revision=revision,
        missing_since=missing_since,
        format=image_format,
        width=width,
        height=height,
        route=route,
        damage=damage,
        fingerprint=fingerprint.hex() if fingerprint is not None else None,
        content_hash=content_hash.hex() if content_hash is not None else None,
        metadata=_read_metadata(connection, of_photo),
        sidecars=tuple(
            SidecarAnswer(path_text(name), size, mtime_ns / _NS)
            for name, size, mtime_ns in connection.execute(_SQL["sidecars"], of_photo)
        ),
        findings=_read_findings(connection, of_photo, revision),
        jobs=tuple(
            JobAnswer(analyzer, state, attempts, reason, not_before or None)
            for analyzer, state, attempts, reason, not_before in connection.execute(_SQL["jobs"], of_photo)
        ),
    )


def _read_metadata(connection: sqlite3.Connection, of_photo: dict[str, int]) -> dict[str, str | int | float]:
    cursor = connection.execute(_SQL["metadata"], of_photo)
    row = cursor.fetchone()
    if row is None:
        return {}
    columns = [column[0] for column in cursor.description]
    return {
        column: value
        for column, value in zip(columns, row, strict=True)
        if value is not None and column != "photo_id"
    }


def _read_findings(
    connection: sqlite3.Connection, of_photo: dict[str, int], revision: int
) -> tuple[FindingAnswer, ...]:
    tags = _by_analyzer(connection, "tags", of_photo)
    texts = _by_analyzer(connection, "texts", of_photo)
    regions = _by_analyzer(connection, "regions", of_photo)
    vectors = _by_analyzer(connection, "vectors", of_photo)
    return tuple(
        FindingAnswer(
            analyzer=name,
            version=version if made_by == generation else "",
            generation=made_by,
            revision=made_of,
            analyzed_at=analyzed_at,
            route=route,
            stale=made_by != generation or made_of != revision,
            facts=msgspec.json.decode(facts),
            tags=tuple(TagAnswer(*tag) for tag in tags[id_]),
            texts=tuple(TextAnswer(*text) for text in texts[id_]),
            regions=tuple(
                RegionAnswer(kind, label, score, tuple(box), quality)
                for kind, label, score, *box, quality in regions[id_]
            ),
            vectors=tuple(VectorAnswer(*vector) for vector in vectors[id_]),
        )
        for id_, name, version, generation, made_by, made_of, analyzed_at, facts, route in connection.execute(
            _SQL["findings"], of_photo
        )
    )


def _by_analyzer(connection: sqlite3.Connection, statement: str, of_photo: dict[str, int]) -> dict[int, list[Any]]:
    rows: dict[int, list[Any]] = defaultdict(list)
    for analyzer_id, *row in connection.execute(_SQL[statement], of_photo):
        rows[analyzer_id].append(tuple(row))
    return rows
