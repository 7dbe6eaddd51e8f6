"""All spaces of the library, each with its index, and which of them a search asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imgd.index import faiss_file
from imgd.index.stored import Space
from imgd.index.vectors import IndexOptions, SpaceIndex
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.spaces import Chosen, Superseded, have_looked, is_owed, read_chosen, read_superseded, settle
from imgd.store.statements import load_statements


@dataclass(frozen=True, slots=True)
class Known:
    """The spaces of the library: those with an index; those without one, of regions or because no search asks
    them."""

    indexed: tuple[Space, ...]
    other: tuple[Space, ...]


class SpaceIndexes:
    """The vector indexes by space; a space that an analyzer fills for the first time joins by itself.

    A space of regions (faces) has none: no search asks for one. Nor has one whose place others have taken, by
    `[search] meaning`: its vectors stay in the library, and its index is made again when it is wanted again.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        options: IndexOptions | None = None,
        *,
        meaning: Collection[str] = (),
        suffice: Callable[[Collection[str]], bool] = lambda _: True,
    ) -> None:
        """`folder` holds the saved indexes; it is made when the first one is saved.

        `meaning`: names of the analyzers whose spaces are to answer alone; empty: all spaces answer. `suffice`:
        whether the encoders of these spaces can bring words and photos into them, as things are.
        """
        self._database = database
        self._folder = folder
        self._options = options
        self._meaning = frozenset(meaning)
        self._suffice = suffice
        self._sql = load_statements("imgd.index", "vectors")
        self._lock = threading.Lock()
        self._indexes: dict[str, SpaceIndex] = {}
        self._retired: set[str] = set()
        self._was_looked_at = (-1, True)

    def all(self) -> list[SpaceIndex]:
        """The index of every space that has one."""
        known = self.known()
        with self._lock:
            spaces = [space for space in known.indexed if space.name not in self._retired]
            for space in spaces:
                if space.name not in self._indexes:
                    self._indexes[space.name] = SpaceIndex(self._database, self._folder, space, self._options)
            return [self._indexes[space.name] for space in spaces]

    def known(self) -> Known:
        """Every space that the library knows now."""
        with self._database.read() as library:
            found = [(Space(*row), bool(of_regions)) for *row, of_regions in library.execute(self._sql["spaces"])]
            superseded = read_superseded(library) if self._meaning else []
        asked = [space.name for space, of_regions in found if not of_regions]
        if self._meaning:
            asked = self._chosen_of(asked, superseded, self._suffice)
        return Known(
            tuple(space for space, _ in found if space.name in asked),
            tuple(space for space, _ in found if space.name not in asked),
        )

    def get(self, name: str) -> SpaceIndex | None:
        """The index of one space; None when the library has no vector of it, or it has no index."""
        index = self._indexes.get(name)
        if index is not None:
            return index
        return next((each for each in self.all() if each.space.name == name), None)

    def serving(self, encoded: Collection[str], unable: Collection[str] = ()) -> list[str]:
        """Of the spaces that queries can be `encoded` into, in their order, those that a search should ask.

        Where the model behind a space has changed, that is the old one until the new one is complete, and from
        then on the new one; but not an old one that has less than half as many vectors as the new one.

        Where `[search] meaning` names analyzers, it is their spaces alone, once these analyzers have looked at
        every photo, and for as long as none of the spaces is among the `unable` ones.
        """
        with self._database.read() as library:
            superseded = read_superseded(library)
        left = self._generations(superseded, encoded)
        return self._chosen_of(left, superseded, frozenset(unable).isdisjoint) if self._meaning else left

    def _chosen_of(
        self, names: Sequence[str], superseded: Sequence[Superseded], are_able: Callable[[Collection[str]], bool]
    ) -> list[str]:
        """Those of `names` that answer alone, or all of them where none do."""
        chosen = self._chosen()
        needed = chosen.spaces.difference(old.name for old in superseded if old.complete)
        found = [name for name in names if name in chosen.spaces]
        return found if found and chosen.settled and are_able(needed) else list(names)

    def _chosen(self) -> Chosen:
        with self._database.read() as library:
            return read_chosen(library, self._meaning)

    def _generations(self, superseded: Sequence[Superseded], names: Collection[str]) -> list[str]:
        left = list(names)
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

    # ------------------------------------------------------------------ the spaces of `[search] meaning`

    def is_unsettled(self) -> bool:
        """Whether `settle` is worth a look: the spaces of the chosen analyzers may be complete by now, or an index
        is held that no search asks any more."""
        if not self._meaning:
            return False
        unasked = {space.name for space in self.known().other}
        if any(name in unasked for name in self._indexes):
            return True
        return not self._chosen().settled and self._looked_at() != self._was_looked_at

    def settle(self) -> None:
        """Let the chosen analyzers' spaces answer alone from now on, if they are complete, and drop the indexes of
        the others. Not for the event loop."""
        if not self._meaning:
            return
        chosen = self._chosen()
        if not chosen.settled and self._is_complete(chosen):
            self._database.write(lambda library: settle(library, self._meaning)).result()
        for space in self.known().other:
            with self._lock:
                index = self._indexes.pop(space.name, None)
            if index is not None:
                index.discard()
            else:  # of before the daemon's last start
                faiss_file.discard(self._folder, space.name)

    def _is_complete(self, chosen: Chosen) -> bool:
        """Whether the chosen analyzers have looked at every photo, and searches find all that they saw."""
        self._was_looked_at = self._looked_at()
        with self._database.read() as library:
            if not have_looked(library, self._meaning):
                return False
        sizes = [self._size(name) for name in chosen.spaces]
        indexes = filter(None, map(self.get, chosen.spaces))
        return any(sizes) and not any(index.status().waiting for index in indexes)

    def _looked_at(self) -> tuple[int, bool]:
        """What changes when the chosen analyzers may have come further: cheaper than `have_looked`."""
        with self._database.read() as library:
            return newest_change_seq(library), is_owed(library, self._meaning)

    def unindexed(self) -> list[Space]:
        """The spaces of which there is no index: one that is made later on knows nothing of what was before."""
        return [space for space in self.known().other if space.name not in self._indexes]

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
