"""Writing the WAL back into the database, beside the commits: a commit that did it would wait for the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

_EVERY_ROWS = 4_000
"""Changed rows, of some megabytes. Where the WAL then begins anew, its new header is synced by the next commit,
which waits for a busy disk: it should not be often."""

_LARGE_PAGES = 4096
"""Pages (16 MiB) from which the WAL is to begin anew. That takes a moment in which nothing is written and
everything is written back, which only the writer can see to."""


class Checkpointer:
    """A thread with a connection of its own, which writes the WAL back after every few thousand changed rows.

    It holds up neither readers nor the writer. While commits follow one another, each attempt leaves those that
    came meanwhile; `is_large` says when the writer is to write back these few, so that the WAL can begin anew.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], name: str) -> None:
        """`connect` makes a connection that may write."""
        self._connect = connect
        self._due = threading.Event()
        self._working = threading.Lock()
        self._closing = False
        self._written_back = 0
        self.is_large = False
        self._thread = threading.Thread(target=self._run, name=f"checkpoint {name}", daemon=True)
        self._thread.start()

    def committed(self, changes: int) -> None:
        """There was a commit; `changes` counts the rows that were ever changed. Cheap."""
        if changes - self._written_back >= _EVERY_ROWS:
            self._written_back = changes
            self._due.set()

    def write_back(self) -> None:
        """Begin to write back all that there is."""
        self._due.set()

    def finish(self, writer: sqlite3.Connection) -> bool:
        """Write back what is left, by the writer's connection and once the thread is at rest: nothing comes in
        between then, and the WAL begins anew. False where a reader keeps it."""
        self.is_large = False
        with self._working:
            return _write_back(writer)[1]

    def close(self) -> None:
        """Stop after the attempt in hand."""
        self._closing = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        connection = self._connect()
        try:
            while True:
                self._due.wait()
                if self._closing:
                    return
                self._due.clear()
                with self._working:
                    pages, _ = _write_back(connection)
                self.is_large = pages >= _LARGE_PAGES
        finally:
            connection.close()


def _write_back(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Write back what can be without waiting for anybody; how many pages the WAL has, and whether that was all."""
    try:
        _busy, pages, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:  # a full disk, say: the next write meets it too, and has somebody to tell
        return 0, False
    return int(pages), pages == written
