"""The text index: text.db, its documents and their words, kept up to date with the library."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imgd.errors import ImgdError, IndexBuildingError, IndexDamagedError, StoreDamagedError, StoreError
from imgd.index.apart import run_apart
from imgd.index.documents import ASSEMBLY
from imgd.index.text_build import build_text
from imgd.index.text_update import TextUpdate
from imgd.store.changes import library_identity, newest_change_seq
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.store.statements import load_statements
from imgd.weights.files import sync_directory

_FEW = 1_000
"""Up to so many photos are built here, which takes a tenth of a second; more of them in a process of their own."""


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What an index says of itself."""

    covered_seq: int
    assembly: int
    library: int


class TextIndex:
    """The documents of all present photos and their words, in a database of its own.

    It is derived from the library: where it is missing, damaged, of another schema or library, or assembled
    otherwise, `refresh` builds it anew in a file beside and puts that in its place. One that can be read serves
    until then. A file that is removed or replaced while it is open is missing, too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sql = load_statements("imgd.index", "text")
        self._library_sql = load_statements("imgd.index", "library")
        self._refreshing = threading.Lock()
        self._gate = threading.Condition()
        self._readers = 0
        self._is_replacing = False
        self._database: Database | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what is open
        self._damage = ""
        self._when_damaged: Callable[[], None] = lambda: None
        self._is_foreign = False  # once it is, it stays so, however far its library comes
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
    def damaged(self) -> bool:
        """Whether it was found damaged, so that the next refresh builds it anew."""
        return bool(self._damage)

    def when_damaged(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, in any thread, when a reader finds the index damaged."""
        self._when_damaged = wake

    @property
    def longest_write_s(self) -> float:
        """The longest write transaction of a refresh so far, in seconds: the longest that another writer can have
        waited for one. No part of the daemon asks; it is here for benchmarks to hold the writes to their aim."""
        return self._longest_write_s

    def covered_seq(self, library: Database) -> int:
        """Every change of `library` up to this number is in the documents, as they are assembled now."""
        if not self.ready:
            return 0
        manifest = self._manifest()
        return manifest.covered_seq if self._is_of(library, manifest) else 0

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write. Not to be nested: while a new index is put in place, this waits.

        Raises:
            IndexBuildingError: when the index is not ready.
            IndexDamagedError: when it is found damaged or gone: then the next refresh rebuilds it.
            StoreError: when it cannot be read.
        """
        with self._gate:
            self._gate.wait_for(lambda: not self._is_replacing)
            database = self._database
            if database is None:
                raise IndexBuildingError("the text index is being built")
            self._readers += 1
        try:
            if not self._is_in_place():  # a new connection would read another file than the old ones
                raise StoreDamagedError(f"{self.path} was removed or replaced")
            with database.read() as connection:
                yield connection
        except StoreDamagedError as error:
            was_known, self._damage = bool(self._damage), str(error)
            if not was_known:  # else a rebuild that fails would be begun again and again without a pause
                self._when_damaged()
            raise IndexDamagedError(error.detail) from error
        finally:
            with self._gate:
                self._readers -= 1
                self._gate.notify_all()

    def refresh(self, library: Database, stopped: Callable[[], bool] = lambda: False) -> int:
        """Bring every document up to the library's newest change, and say how many photos were read for it.

        What a crash or `stopped` leaves undone, the next refresh does.

        Raises:
            StoreError: when the library cannot be read, or the disk is full.
        """
        with self._refreshing:
            database = self._database
            if database is not None and not self._damage:
                try:
                    if self._is_of(library, self._manifest()):
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
        status = path.stat()
        self._file = status.st_dev, status.st_ino
        return database

    def _is_in_place(self) -> bool:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        except OSError:  # what is open can be read all the same
            return True
        return (status.st_dev, status.st_ino) == self._file

    def _manifest(self) -> _Manifest:
        with self.read() as connection:
            covered, _, _, assembly, library = connection.execute(self._sql["manifest"]).fetchone()
        return _Manifest(covered, assembly, library)

    def _is_of(self, library: Database, manifest: _Manifest) -> bool:
        """Whether the documents are assembled as they are now, and of this library: not of another one, nor of
        what this one was before an older copy took its place."""
        with library.read() as connection:
            newest, identity = newest_change_seq(connection), library_identity(connection)
        if manifest.covered_seq > newest or (manifest.covered_seq and manifest.library != identity):
            self._is_foreign = True
        return manifest.assembly == ASSEMBLY and not self._is_foreign

    def _bring_up_to_date(self, database: Database, library: Database, stopped: Callable[[], bool]) -> int:
        update = TextUpdate(database, library, stopped)
        try:
            return update.run()
        finally:
            self._longest_write_s = max(self._longest_write_s, update.longest_write_s)

    def _rebuild(self, library: Database, stopped: Callable[[], bool]) -> int:
        """Build all documents and their words in a file beside, and put it in place."""
        beside = self.path.with_name(self.path.name + ".new")
        _unlink_database(beside)
        try:
            if not self._build(library, beside, stopped):
                return 0
            self._replace(beside)
        finally:
            _unlink_database(beside)
        self._damage, self._is_foreign = "", False
        with self.read() as connection:
            read = int(connection.execute(self._sql["count_documents"]).fetchone()[0])
        # What changed while the build ran.
        return read + self._bring_up_to_date(self._require(), library, stopped)

    def _build(self, library: Database, beside: Path, stopped: Callable[[], bool]) -> bool:
        with library.read() as connection:
            count = connection.execute(self._library_sql["count_photos"], {"limit": _FEW + 1}).fetchone()[0]
        if count > _FEW:
            return run_apart("imgd.index.text_build", [str(library.path), str(beside)], stopped)
        build_text(library.path, beside)
        return True

    def _replace(self, beside: Path | None) -> None:
        """Close the database in use once nobody reads it, and open `beside` in its place."""
        with self._gate:
            self._is_replacing = True
            try:
                self._gate.wait_for(lambda: self._readers == 0)
                old, self._database = self._database, None
                if old is not None:
                    old.close()
                if beside is None:
                    return
                if self.path.exists() and (self._damage or old is None):
                    self.path.replace(self.path.with_name(self.path.name + ".damaged"))
                _unlink_database(self.path, ("-wal", "-shm"))
                beside.replace(self.path)
                sync_directory(self.path.parent)
                self._database = self._open(self.path)
            finally:
                self._is_replacing = False
                self._gate.notify_all()

    def _require(self) -> Database:
        if self._database is None:
            raise StoreError("the text index is closed")
        return self._database


def _unlink_database(path: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm")) -> None:
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
