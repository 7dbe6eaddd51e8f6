"""All spaces of the library, each with its index."""

from __future__ import annotations

import threading
from pathlib import Path

from imgd.index.stored import Space
from imgd.index.vectors import IndexOptions, SpaceIndex
from imgd.store.database import Database
from imgd.store.statements import load_statements


class SpaceIndexes:
    """The vector indexes by space; a space that an analyzer fills for the first time joins by itself."""

    def __init__(self, database: Database, folder: Path, options: IndexOptions | None = None) -> None:
        """`folder` holds the saved indexes; it is made when the first one is saved."""
        self._database = database
        self._folder = folder
        self._options = options
        self._sql = load_statements("imgd.index", "vectors")
        self._lock = threading.Lock()
        self._indexes: dict[str, SpaceIndex] = {}

    def all(self) -> list[SpaceIndex]:
        """The index of every space that the library knows now."""
        with self._database.read() as library:
            spaces = [Space(*row) for row in library.execute(self._sql["spaces"])]
        with self._lock:
            for space in spaces:
                if space.name not in self._indexes:
                    self._indexes[space.name] = SpaceIndex(self._database, self._folder, space, self._options)
            return [self._indexes[space.name] for space in spaces]

    def get(self, name: str) -> SpaceIndex | None:
        """The index of one space; None when the library has no vector of it."""
        index = self._indexes.get(name)
        if index is not None:
            return index
        return next((each for each in self.all() if each.space.name == name), None)
