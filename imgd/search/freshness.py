"""How much of the library the words of an answer are about."""

from __future__ import annotations

from imgd.errors import ImgdError
from imgd.index.text import TextIndex
from imgd.search.notes import Notes
from imgd.store.changes import count_changed, newest_change_seq
from imgd.store.database import Database

_DIRTY_COUNTED = 10_000


class Freshness:
    """Compares the text index with the library. Blocking: not for the event loop."""

    def __init__(self, database: Database, text_index: TextIndex) -> None:
        self._database = database
        self._text_index = text_index

    def tell(self, notes: Notes) -> None:
        """Note how many changed photos the text index does not have yet, or that it cannot be asked at all."""
        try:
            covered = self._text_index.covered_seq(self._database)
            if not self._text_index.ready:
                with self._text_index.read():
                    pass
        except ImgdError as error:
            notes.add(f"words cannot be searched now: {error.detail or error}")
            return
        with self._database.read() as library:
            if covered >= newest_change_seq(library):
                return
            dirty = count_changed(library, covered, _DIRTY_COUNTED)
        if dirty:
            more = "more than " if dirty == _DIRTY_COUNTED else ""
            photos = "photo" if dirty == 1 else "photos"
            notes.add(f"the words of {more}{dirty:,} changed {photos} are not in the index yet")
