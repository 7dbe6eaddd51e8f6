"""Bringing an open text index up to date: many short writes, with merging between them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from imgd.index.documents import Changed, Document, DocumentSource, Position
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

T = TypeVar("T")

_WRITE_S = 0.010
"""What one write aims at. None may take longer than 50 ms, also on a machine that does much else."""
_LEAST_CHUNK, _FIRST_CHUNK, _MOST_CHUNK = 20, 100, 1000
_LEAST_PAGES, _FIRST_PAGES, _MOST_PAGES = 8, 50, 200

_MERGES = 2
"""After each write, so many steps of merging at most: of two large segments there is then one before the next is
full."""

_TIDY_S = 2.0
"""How long a refresh merges on at its end, when everything can be found already."""


class TextUpdate:
    """One refresh of the index in `database` from `library`.

    FTS5 merges nothing while it writes (the migrations say so), for that may take long: it is done between the
    writes, in steps of its own.
    """

    def __init__(self, database: Database, library: Database, stopped: Callable[[], bool]) -> None:
        self.longest_write_s = 0.0
        self._database = database
        self._library = library
        self._stopped = stopped
        self._sql = load_statements("imgd.index", "text")
        self._source = DocumentSource()
        self._chunk = _Pace(_LEAST_CHUNK, _FIRST_CHUNK, _MOST_CHUNK)
        self._pages = _Pace(_LEAST_PAGES, _FIRST_PAGES, _MOST_PAGES)

    def run(self) -> int:
        """Bring every document up to the library's newest change; returns how many photos were read for it.

        A chunk is one transaction, and remembers how far it came: what is left undone, the next refresh does.
        """
        with self._library.read() as connection:
            target = newest_change_seq(connection)
        with self._database.read() as connection:
            covered, at_seq, at_photo, *_ = connection.execute(self._sql["manifest"]).fetchone()
        if covered >= target:
            return 0
        read = self._put_changed(Position(at_seq, at_photo), target)
        self._drop_removed(covered)
        if not self._stopped():
            self._write(lambda connection: connection.execute(self._sql["cover"], {"covered": target}))
            self._tidy()
        return read

    def _put_changed(self, position: Position, target: int) -> int:
        read = 0
        while not self._stopped():
            with self._library.snapshot() as connection:
                chunk = self._source.changed(connection, position, target, self._chunk.amount)
            if chunk is None:
                break
            self._chunk.note(self._write(partial(self._put, chunk=chunk))[1])
            read += len(chunk.documents) + len(chunk.absent)
            position = chunk.position
            self._merge()
        return read

    def _put(self, connection: sqlite3.Connection, chunk: Changed) -> None:
        """The documents of a chunk, and how far they reach. One whose text did not change costs no write."""
        photo_ids = [document[0] for document in chunk.documents] + list(chunk.absent)
        before = {row[0]: row for row in self._known(connection, photo_ids)}
        entering = sorted(each for each in chunk.documents if before.get(each[0]) != each)
        self._exchange(connection, [before[each[0]] for each in entering if each[0] in before], entering)
        self._drop(connection, chunk.absent)
        place = {"at_seq": chunk.position.change_seq, "at_photo": chunk.position.photo_id}
        connection.execute(self._sql["move_on"], place)

    def _exchange(
        self, connection: sqlite3.Connection, leaving: Sequence[Document], entering: Sequence[Document]
    ) -> None:
        """Put documents in place of known ones, both by rising id: FTS5 writes a segment whenever an id falls."""
        connection.executemany(self._sql["leave_words"], leaving)
        connection.executemany(self._sql["put"], entering)
        connection.executemany(self._sql["enter_words"], entering)

    def _drop(self, connection: sqlite3.Connection, photo_ids: Sequence[int]) -> None:
        self._exchange(connection, self._known(connection, photo_ids), [])
        connection.execute(self._sql["drop"], {"photo_ids": json.dumps(photo_ids)})

    def _known(self, connection: sqlite3.Connection, photo_ids: Sequence[int]) -> list[Document]:
        return connection.execute(self._sql["documents"], {"photo_ids": json.dumps(photo_ids)}).fetchall()

    def _drop_removed(self, covered: int) -> None:
        after = 0
        while not self._stopped():
            with self._library.read() as connection:
                photo_ids = self._source.removed(connection, covered, after, self._chunk.amount)
            if not photo_ids:
                return
            self._chunk.note(self._write(partial(self._drop, photo_ids=photo_ids))[1])
            after = photo_ids[-1]
            self._merge()

    def _merge(self) -> bool:
        """A few steps of merging; False when there is nothing left to merge."""

        def step(connection: sqlite3.Connection) -> bool:
            before = connection.total_changes
            connection.execute(self._sql["merge_words"], {"pages": self._pages.amount})
            return connection.total_changes - before > 1  # FTS5's own sign that it did something

        for _ in range(_MERGES):
            merged, took_s = self._write(step)
            if not merged:
                return False
            self._pages.note(took_s)
        return True

    def _tidy(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _TIDY_S and not self._stopped() and self._merge():
            pass

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> tuple[T, float]:
        """One transaction; also returns its seconds, from the lock to when its end is known here."""
        began = 0.0

        def timed(connection: sqlite3.Connection) -> T:
            nonlocal began
            began = time.perf_counter()
            return work(connection)

        result = self._database.write(timed).result()
        took_s = time.perf_counter() - began
        self.longest_write_s = max(self.longest_write_s, took_s)
        return result, took_s


class _Pace:
    """How much to do in one write, so that it takes about `_WRITE_S`."""

    def __init__(self, least: int, first: int, most: int) -> None:
        self._least, self.amount, self._most = least, first, most

    def note(self, took_s: float) -> None:
        """`amount` took so long."""
        wanted = int(self.amount * min(1.5, _WRITE_S / max(took_s, 1e-6)))
        self.amount = min(max(wanted, self._least), self._most)
