"""All spaces of the library, each with its index."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from imgd.index.stored import Space
from imgd.index.vectors import IndexOptions, SpaceIndex
from imgd.store.database import Database
from imgd.store.spaces import read_superseded
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
        self._retired: set[str] = set()

    def all(self) -> list[SpaceIndex]:
        """The index of every space that the library knows now."""
        with self._database.read() as library:
            known = [Space(*row) for row in library.execute(self._sql["spaces"])]
        with self._lock:
            spaces = [space for space in known if space.name not in self._retired]
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

    def serving(self, encoded: Collection[str]) -> list[str]:
        """Of the spaces that queries can be `encoded` into, in their order, those that a search should ask.

        Where the model behind a space has changed, that is the old one until the new one is complete, and from
        then on the new one; but not an old one that has less than half as many vectors as the new one.
        """
        with self._database.read() as library:
            superseded = read_superseded(library)
        left = list(encoded)
        for old in superseded:
            new = [name for name in old.successors if name in left]
            if old.name not in left or not new:
                continue
            if old.complete or 2 * self._size(old.name) < max(self._size(name) for name in new):
                left.remove(old.name)
            else:
                left = [name for name in left if name not in new]
        return left

    def _size(self, name: str) -> int:
        index = self.get(name)
        if index is None:
            return 0
        index.catch_up()
        return index.size

    @contextmanager
    def retired(self, name: str) -> Iterator[None]:
        """Take a space out of service, with its saved index, while its vectors are removed."""
        with self._lock:
            self._retired.add(name)
            index = self._indexes.pop(name, None)
        if index is not None:
            index.discard()
        try:
            yield
        finally:
            with self._lock:
                self._retired.discard(name)
