"""Documents: what the text index knows of a photo, assembled from its findings, many photos at once."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from imgd.store.statements import load_statements

FIELDS = ("person", "tag", "caption", "text", "name", "folder", "place", "camera", "other")

Document: TypeAlias = tuple[int, str, str, str, str, str, str, str, str, str]
"""The photo's id, then its text for each of `FIELDS`; entries of one field stand on lines of their own."""

ASSEMBLY = 2
"""How documents are assembled, as a number. It is raised when the same findings give another document than before,
so that an index of the old ones is built anew."""

LEAST_TAG_SCORE = 0.4
"""A tag that its analyzer believes less than this is a guess: it is shown, but it is no word of the photo.

Chosen on 211 photos with captions and object boxes, of 0.2, 0.35, 0.4 and 0.5: recall of captions and mean average
precision of classes are best there. 0.5 finds less for things that no photo shows, and less for those it does.
"""

_Entries: TypeAlias = defaultdict[int, list[str]]
_KINDS = ("person", "caption", "text", "place", "camera")
"""Kinds of texts that have a field of their own name; those of all others stand in `other`."""

_BOUNDARY = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a refresh has come: all photos up to (`change_seq`, `photo_id`) have their documents."""

    change_seq: int
    photo_id: int


@dataclass(frozen=True, slots=True)
class Changed:
    """One chunk of changed photos: the documents of those that are there, the ids of those that are not."""

    documents: Sequence[Document]
    absent: Sequence[int]
    position: Position


class DocumentSource:
    """Reads documents out of connections to the library."""

    def __init__(self) -> None:
        self._sql = load_statements("imgd.index", "library")

    def changed(self, library: sqlite3.Connection, after: Position, target_seq: int, limit: int) -> Changed | None:
        """The next `limit` photos changed after `after` and not after `target_seq`; None when there are none.

        `library` is in a read transaction, so that ids and findings are of one state.
        """
        place = {"at_seq": after.change_seq, "at_photo": after.photo_id, "target": target_seq}
        found = library.execute(self._sql["changed_at"], place | {"limit": limit}).fetchall()
        if len(found) < limit:
            found += library.execute(self._sql["changed_after"], place | {"limit": limit - len(found)}).fetchall()
        if not found:
            return None
        photo_ids = [photo_id for photo_id, _ in found]
        documents = self.assemble(library, photo_ids)
        absent = set(photo_ids).difference(document[0] for document in documents)
        return Changed(documents, sorted(absent), Position(found[-1][1], found[-1][0]))

    def following(self, library: sqlite3.Connection, after: int, limit: int) -> list[int]:
        """Ids of the `limit` photos after the photo `after`."""
        return [row[0] for row in library.execute(self._sql["next_photos"], {"after": after, "limit": limit})]

    def removed(self, library: sqlite3.Connection, covered_seq: int, after: int, limit: int) -> list[int]:
        """Ids, above `after`, of photos removed since `covered_seq`."""
        rows = library.execute(
            self._sql["removed_photos"], {"covered": covered_seq, "after": after, "limit": limit}
        )
        return [row[0] for row in rows]

    def assemble(self, library: sqlite3.Connection, photo_ids: Sequence[int]) -> list[Document]:
        """The documents of those of `photo_ids` that are present.

        An entry that several analyzers or regions give stands in its field once.
        """
        values = {"photo_ids": json.dumps(photo_ids), "least_score": LEAST_TAG_SCORE}
        said: dict[str, _Entries] = {kind: defaultdict(list) for kind in _KINDS}
        other: _Entries = defaultdict(list)
        tags: _Entries = defaultdict(list)
        for photo_id, kind, text in library.execute(self._sql["document_texts"], values):
            said.get(kind, other)[photo_id].append(text)
        for entries, statement in ((said["person"], "document_people"), (tags, "document_tags")):
            for photo_id, label in library.execute(self._sql[statement], values):
                entries[photo_id].append(label)
        person, caption, text, place, camera = (said[kind].get for kind in _KINDS)
        return [
            (
                photo_id, _lines(person(photo_id, ())), _lines(tags.get(photo_id, ())),
                _lines(caption(photo_id, ())), _lines(text(photo_id, ())), name_words(name), folder,
                _lines((*place(photo_id, ()), city, region, country)),
                _lines((*camera(photo_id, ()), make, model, lens)), _lines((*other.get(photo_id, ()), year)),
            )
            for photo_id, name, folder, city, region, country, make, model, lens, year
            in library.execute(self._sql["document_photos"], values)
        ]  # fmt: skip


def name_words(name: str) -> str:
    """A file name as it is searched: whole, and with its parts where letters meet digits or a capital.

    The tokenizer already parts words at `_`, `-`, `.` and spaces: `IMG_1234.jpg` needs nothing, while
    `DSC01234.NEF` becomes `DSC01234.NEF` and `DSC 01234.NEF` on a line of its own.
    """
    parted = _BOUNDARY.sub(" ", name)
    return name if parted == name else f"{name}\n{parted}"


def _lines(entries: Iterable[str | None]) -> str:
    """One entry a line, each once."""
    return "\n".join(dict.fromkeys(filter(None, entries)))
