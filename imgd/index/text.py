"""The text index: text.db, its documents and their words, kept up to date with the library."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from imgd.errors import ImgdError, StoreDamagedError, StoreError
from imgd.index.documents import Changed, DocumentSource, Position
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.store.statements import load_statements

_CHUNK_S = 0.015  # what one write transaction aims at; no search may wait for one longer than 50 ms
_LEAST_CHUNK, _FIRST_CHUNK, _MOST_CHUNK = 20, 100, 1000
_REBUILD_CHUNK = 4000


class TextIndex:
    """The documents of all present photos and their words, in a database of its own.

    It is derived from the library: where it is missing, damaged or of another schema, `refresh` builds it anew
    in a file beside and puts that in its place; until then `ready` is false.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sql = load_statements("imgd.index", "text")
        self._source = DocumentSource()
        self._refreshing = threading.Lock()
        self._gate = threading.Condition()
        self._readers = 0
        self._database: Database | None = None
        self._damage = ""
        self._longest_write_s = 0.0
        if path.exists():
            try:
                self._database = self._open(path)
            except (ImgdError, sqlite3.Error) as error:
                self._damage = str(error)

    @property
    def ready(self) -> bool:
        """Whether it can be searched now."""
        return self._database is not None

    @property
    def longest_write_s(self) -> float:
        """The longest write transaction of a refresh so far, in seconds: the longest that a search can have waited
        for one. No part of the daemon asks; it is here for benchmarks to hold the chunks to their aim."""
        return self._longest_write_s

    def covered_seq(self) -> int:
        """Every change of the library up to this number is in the documents."""
        if not self.ready:
            return 0
        with self.read() as connection:
            return int(connection.execute(self._sql["manifest"]).fetchone()[0])

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write.

        Raises:
            StoreError: when the index is not ready, or is found damaged: then the next refresh rebuilds it.
        """
        with self._gate:
            database = self._database
            if database is None:
                raise StoreError("the text index is being built", hint="Try again in a moment.")
            self._readers += 1
        try:
            with database.read() as connection:
                yield connection
        except StoreDamagedError as error:
            self._damage = str(error)
            raise
        finally:
            with self._gate:
                self._readers -= 1
                self._gate.notify_all()

    def refresh(self, library: Database, stopped: Callable[[], bool] = lambda: False) -> int:
        """Bring every document up to the library's newest change, and say how many photos were read for it.

        A chunk is one transaction, and remembers how far it came: what a crash or `stopped` leaves undone,
        the next refresh does.
        """
        with self._refreshing:
            database = self._database
            if database is not None and not self._damage and not self._is_ahead_of(library):
                try:
                    return self._bring_up_to_date(database, library, stopped)
                except StoreDamagedError as error:
                    self._damage = str(error)
            return self._rebuild(library, stopped)

    def check(self) -> None:
        """Compare the words with the documents.

        Raises:
            StoreDamagedError: when they disagree.
        """
        if self._database is not None:
            self._database.write(lambda connection: connection.execute(self._sql["check_words"])).result()

    def close(self) -> None:
        """Wait for a refresh and for readers, then close."""
        with self._refreshing:
            self._replace(None)

    def _open(self, path: Path) -> Database:
        database = Database(path, migrations("imgd.index"))
        try:
            with database.read() as connection:
                connection.execute(self._sql["manifest"]).fetchone()[0]
        except BaseException:
            database.close()
            raise
        return database

    def _is_ahead_of(self, library: Database) -> bool:
        """Whether the documents are of another library than this one, which is younger."""
        with library.read() as connection:
            newest = newest_change_seq(connection)
        return self.covered_seq() > newest

    def _bring_up_to_date(self, database: Database, library: Database, stopped: Callable[[], bool]) -> int:
        with library.read() as connection:
            target = newest_change_seq(connection)
        with database.read() as connection:
            covered, at_seq, at_photo = connection.execute(self._sql["manifest"]).fetchone()
        if covered >= target:
            return 0
        read = self._put_changed(database, library, Position(at_seq, at_photo), target, stopped)
        self._drop_removed(database, library, covered, stopped)
        if not stopped():
            _execute(database, self._sql["cover"], {"covered": target}).result()
        return read

    def _put_changed(
        self, database: Database, library: Database, position: Position, target: int, stopped: Callable[[], bool]
    ) -> int:
        read, limit = 0, _FIRST_CHUNK
        while not stopped():
            with library.snapshot() as connection:
                chunk = self._source.changed(connection, position, target, limit)
            if chunk is None:
                break
            took_s = self._write_chunk(database, chunk)
            read += len(chunk.documents) + len(chunk.absent)
            position = chunk.position
            limit = min(max(int(limit * min(1.5, _CHUNK_S / max(took_s, 1e-6))), _LEAST_CHUNK), _MOST_CHUNK)
        return read

    def _write_chunk(self, database: Database, chunk: Changed) -> float:
        """Put one chunk's documents and how far they reach in one transaction; returns its seconds."""

        def put(connection: sqlite3.Connection) -> float:
            began = time.perf_counter()
            connection.executemany(self._sql["put"], chunk.documents)
            connection.executemany(self._sql["drop"], [(photo_id,) for photo_id in chunk.absent])
            place = {"at_seq": chunk.position.change_seq, "at_photo": chunk.position.photo_id}
            connection.execute(self._sql["move_on"], place)
            return began

        began = database.write(put).result()
        took_s = time.perf_counter() - began
        self._longest_write_s = max(self._longest_write_s, took_s)
        return took_s

    def _drop_removed(
        self, database: Database, library: Database, covered: int, stopped: Callable[[], bool]
    ) -> None:
        after = 0
        while not stopped():
            with library.read() as connection:
                photo_ids = self._source.removed(connection, covered, after, _FIRST_CHUNK)
            if not photo_ids:
                return
            _execute_many(database, self._sql["drop"], [(photo_id,) for photo_id in photo_ids]).result()
            after = photo_ids[-1]

    def _rebuild(self, library: Database, stopped: Callable[[], bool]) -> int:
        """Build all documents in a file beside, their words in one go at the end, and put it in place."""
        beside = self.path.with_name(self.path.name + ".new")
        _unlink_database(beside)
        database = self._open(beside)
        try:
            read = self._fill(database, library, stopped)
        finally:
            database.close()
        if stopped():
            _unlink_database(beside)
            return 0
        self._replace(beside)
        self._damage = ""
        # What changed while the rebuild ran.
        return read + self._bring_up_to_date(self._require(), library, stopped)

    def _fill(self, database: Database, library: Database, stopped: Callable[[], bool]) -> int:
        with library.read() as connection:
            target = newest_change_seq(connection)
        with database.read() as connection:
            triggers = connection.execute(self._sql["triggers"]).fetchall()

        def drop_triggers(connection: sqlite3.Connection) -> None:
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")

        def finish(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["rebuild_words"])
            for _, script in triggers:
                connection.execute(script)
            connection.execute(self._sql["cover"], {"covered": target})

        database.write(drop_triggers).result()
        read, position = 0, Position(0, 0)
        while not stopped():
            with library.snapshot() as snapshot:
                chunk = self._source.changed(snapshot, position, target, _REBUILD_CHUNK)
            if chunk is None:
                # A photo removed meanwhile is among the removed ones of the refresh that follows.
                database.write(finish).result()
                break
            _execute_many(database, self._sql["put"], chunk.documents)
            place = {"at_seq": chunk.position.change_seq, "at_photo": chunk.position.photo_id}
            _execute(database, self._sql["move_on"], place).result()
            position = chunk.position
            read += len(chunk.documents)
        return read

    def _replace(self, beside: Path | None) -> None:
        """Close the database in use once nobody reads it, and open `beside` in its place."""
        with self._gate:
            old, self._database = self._database, None
            self._gate.wait_for(lambda: self._readers == 0)
            if old is not None:
                old.close()
            if beside is None:
                return
            if self.path.exists() and (self._damage or old is None):
                self.path.replace(self.path.with_name(self.path.name + ".damaged"))
            _unlink_database(self.path)
            beside.replace(self.path)
            sync_folder(self.path.parent)
            self._database = self._open(self.path)

    def _require(self) -> Database:
        if self._database is None:
            raise StoreError("the text index is closed")
        return self._database


def _execute(database: Database, statement: str, values: Mapping[str, int]) -> Future[sqlite3.Cursor]:
    return database.write(lambda connection: connection.execute(statement, values))


def _execute_many(
    database: Database, statement: str, rows: Sequence[tuple[object, ...]]
) -> Future[sqlite3.Cursor]:
    return database.write(lambda connection: connection.executemany(statement, rows))


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable: a rename before this may be undone by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
