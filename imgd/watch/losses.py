"""Sudden losses: whether so much of a root is gone that nothing of it is forgotten until a person says so."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from imgd.store.database import Database
from imgd.store.roots import confirm, hold_if_sudden, release_if_back

_INTERVAL_S: Final = 1.0


class Losses:
    """The losses of one root. A deleted tree shows as one loss for each of its folders, and a look at them all
    reads each missing photo: so they are looked at together, at most once in a second."""

    def __init__(self, database: Database, root_id: int) -> None:
        self._database = database
        self._root_id = root_id
        self._noted = False
        self._next_look = 0.0
        self.held = False
        """Whether the purge is held. Set where the library's writes are made, so that it follows their order."""

    def note(self) -> None:
        """Photos went missing."""
        self._noted = True

    @property
    def next_due(self) -> float:
        """When (monotonic) `look` has something to do."""
        return self._next_look if self._noted else float("inf")

    def look(self) -> None:
        """Hold the purge where what was noted is too much."""
        if time.monotonic() < self.next_due:
            return
        self._noted = False

        def work(connection: sqlite3.Connection) -> None:
            self.held = hold_if_sudden(connection, self._root_id, time.time())

        self._database.write(work).result()
        self._next_look = time.monotonic() + _INTERVAL_S

    def look_after_scan(self, connection: sqlite3.Connection, now: float) -> None:
        """The same in the transaction that ends a full scan; a hold ends where the photos are back."""
        hold_if_sudden(connection, self._root_id, now)
        self.held = release_if_back(connection, self._root_id)

    def confirm(self) -> None:
        """A person says that what is missing is meant to be gone."""

        def work(connection: sqlite3.Connection) -> None:
            confirm(connection, self._root_id, time.time())
            self.held = False

        self._database.write(work).result()
