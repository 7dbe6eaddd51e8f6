"""One SQLite file: a single write thread that owns the write connection, and readers of their own."""

from __future__ import annotations

import errno
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

from imgd.errors import DiskFullError, StoreBusyError, StoreDamagedError, StoreError
from imgd.store.checkpoint import Checkpointer
from imgd.store.migrate import Migration, migrate

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

_BUSY_TIMEOUT_S = 30.0
_IDLE_READERS = 4
_WAL_LIMIT_BYTES = 64 << 20
_KEPT_S = 1.0
_CHECKPOINT_AFTER_S = 5.0
"""Once nothing was written for so long, the WAL is written back, and a fifth of it later emptied; while a reader
needs it, that is tried again and again."""


class Database:
    """A WAL database. `write` runs work in the write thread, each piece in a transaction of its own;
    `read` lends a read-only connection.

    The WAL is written back beside the commits. It grows only while somebody reads an older state in one
    transaction. Once nobody does, SQLite writes it from its start again and shortens it to 64 MiB; when nothing is
    written for a while it is emptied.
    """

    def __init__(self, path: Path, steps: list[Migration]) -> None:
        """Open `path` (made with mode 0600 where it is not there) and bring it to the newest schema.

        Raises:
            StoreError: as `migrate`, or when the file is damaged or cannot be opened.
        """
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._kept_at = 0.0
        self._work: queue.SimpleQueue[tuple[Work[object], Future[object]] | None] = queue.SimpleQueue()
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(_IDLE_READERS)
        self._closed = False
        with named_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = NORMAL")
            self._writer.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
            migrate(self._writer, steps)
            self._writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._checkpointer = Checkpointer(self._connect, path.name)
        self._thread = threading.Thread(target=self._run_writes, name=f"write {path.name}", daemon=True)
        self._thread.start()

    def write(self, work: Work[T]) -> Future[T]:
        """Run `work(connection)` in the write thread inside BEGIN IMMEDIATE ... COMMIT.

        The future is done after the commit; any exception rolls back and is the future's.
        """
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(StoreError(f"{self.path} is closed"))
        else:
            self._work.put((work, future))  # type: ignore[arg-type]
        return future

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write, in autocommit: each statement sees the newest commit."""
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        try:
            with named_errors(self.path):
                yield connection
        finally:
            if connection.in_transaction:
                connection.rollback()
            try:
                if self._closed:
                    raise queue.Full
                self._readers.put_nowait(connection)
            except queue.Full:
                connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As `read`, in one read transaction: all statements see one state. Keep it short: it pins the WAL."""
        with self.read() as connection:
            connection.execute("BEGIN")
            yield connection

    def close(self) -> None:
        """Finish the writes that were asked for, then close every connection."""
        if self._closed:
            return
        self._closed = True
        self._work.put(None)
        self._thread.join()
        self._checkpointer.close()
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _run_writes(self) -> None:
        checkpointed = False  # the daemon before may have left a WAL behind
        written_back = False
        while True:
            quiet_s = _CHECKPOINT_AFTER_S / 5 if written_back else _CHECKPOINT_AFTER_S
            try:
                item = self._work.get(timeout=None if checkpointed else quiet_s)
            except queue.Empty:
                if written_back:
                    checkpointed = self._checkpoint()
                else:  # so that there is nothing left to do while nobody can write
                    self._checkpointer.write_back()
                    written_back = True
                continue
            if item is None:
                return
            checkpointed = written_back = False
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._transact(work)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future must see it
                future.set_exception(error)
            else:
                future.set_result(result)
                self._checkpointer.committed(self._writer.total_changes)
                if self._checkpointer.is_large or self._is_overgrown():
                    self._kept_at = 0.0 if self._checkpointer.finish(self._writer) else time.monotonic()

    def _is_overgrown(self) -> bool:
        """Whether commits come faster than they are written back, so that they have to wait for it. While a reader
        keeps the WAL that would help nothing, and is tried once a second."""
        if time.monotonic() - self._kept_at < _KEPT_S:
            return False
        try:
            return self._wal.stat().st_size > _WAL_LIMIT_BYTES
        except OSError:
            return False

    def _checkpoint(self) -> bool:
        """Put what is in the WAL into the database and empty the WAL; False where a reader still needs it."""
        try:
            self._writer.execute("PRAGMA busy_timeout = 0")  # else later writes would wait for the reader
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error:  # a full disk, say: the next write meets it too, and has somebody to tell
            return True
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000:.0f}")
        return not busy

    def _transact(self, work: Work[T]) -> T:
        with named_errors(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return result


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """sqlite3's errors as imgd's, where a person can do something about them."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFullError(f"no room to write {path}") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamagedError(f"{path}: {error}") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusyError(f"{path}: {error}") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            raise StoreError(
                f"{path}: {error}", hint="Check the permissions, the disk, and whether the filesystem is writable."
            ) from error
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no room to write {path}") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR):
            raise StoreError(
                f"{path}: {error.strerror}", hint="Check its permissions, or set `paths.state_dir`."
            ) from error
        raise
