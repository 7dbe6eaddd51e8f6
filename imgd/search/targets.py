"""What a person means by `like:`: a photo of the library, or a file anywhere."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from imgd.errors import ImgdError, QueryError
from imgd.index.spelling import fold
from imgd.index.words import Words
from imgd.store.database import Database
from imgd.store.photos import find_photo_at
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.search", "targets")
_ID = re.compile(r"#([0-9]{1,18})\Z")
_NAMESAKES = 10_000
_NAMESAKES_TOLD = 3
_HINT = "Give a file's path, or a photo of the library by its file name, or by its id as `#123`."


@dataclass(frozen=True, slots=True)
class Place:
    """A photo of the library (its file may be missing), or a file that is none of them (`photo_id` None).

    `path` is absolute.
    """

    path: bytes
    photo_id: int | None = None


class Targets:
    """Finds what is named. Blocking: not for the event loop."""

    def __init__(self, database: Database, words: Words) -> None:
        self._database = database
        self._words = words

    def find(self, target: str, cwd: bytes | None) -> Place:
        """`target` is `#` and a photo's id, a path (a relative one starts at `cwd`), or a file name of the
        library, with or without the folders before it.

        A path comes before a name: what lies there is meant, be it a photo of the library or not.

        Raises:
            QueryError: there is no such photo, or there are several.
        """
        if match := _ID.match(target):
            return self._by_id(int(match[1]))
        try:
            named = os.path.expanduser(target.encode("utf-8", "surrogateescape"))  # noqa: PTH111 - bytes
        except UnicodeEncodeError:
            raise _unknown(target) from None
        if not named or b"\0" in named:
            raise _unknown(target)
        problem = ""
        if cwd is not None or os.path.isabs(named):
            path = os.path.normpath(os.path.join(cwd or b"/", named))
            if place := self._by_path(path):
                return place
            problem = _problem_of(path)
            if not problem:
                return Place(path)
        if not os.path.isabs(named) and (place := self._by_name(os.path.normpath(named), target)):
            return place
        raise _unknown(target, problem)

    def _by_id(self, photo_id: int) -> Place:
        with self._database.read() as library:
            rows = _photos(library, [photo_id])
        if not rows:
            raise QueryError(f"no photo has the id {photo_id}", hint=_HINT)
        return rows[0].place

    def _by_path(self, path: bytes) -> Place | None:
        """The photo there, by the very path or by where its symbolic links lead."""
        with self._database.read() as library:
            for each in dict.fromkeys((path, os.path.realpath(path))):
                if (photo_id := find_photo_at(library, each)) is not None:
                    return Place(each, photo_id)
        return None

    def _by_name(self, named: bytes, target: str) -> Place | None:
        """The one photo whose path ends with `named`, of the present ones if there are any; else the one whose
        name differs from that in case, accents or a missing ending."""
        folder, name = os.path.split(named)
        with self._database.read() as library:
            values = {"name": name, "limit": _NAMESAKES}
            found = [_Namesake.of(*row) for row in library.execute(_SQL["photos_named"], values)]
            found = [each for each in found if each.place.path.endswith(b"/" + named)]
            if not found:
                ending = "/" + fold(folder.decode("utf-8", "replace")) if folder else ""
                known = _photos(library, self._named_nearly(name.decode("utf-8", "replace")))
                found = [each for each in known if each.folder.endswith(ending)]
        places = [each.place for each in found if each.is_present] or [each.place for each in found]
        if len(places) > 1:
            raise _several(target, places)
        return places[0] if places else None

    def _named_nearly(self, name: str) -> list[int]:
        try:
            return self._words.named(name, _NAMESAKES)
        except ImgdError:  # the text index is not ready: names as they are spelt still serve
            return []


@dataclass(frozen=True, slots=True)
class _Namesake:
    place: Place
    is_present: bool

    @classmethod
    def of(cls, photo_id: int, root: bytes, folder: bytes, name: bytes, is_present: int) -> Self:
        return cls(Place(os.path.join(root, folder, name), photo_id), bool(is_present))

    @property
    def folder(self) -> str:
        """Where it lies, without regard to case and accents."""
        return fold(os.path.dirname(self.place.path).decode("utf-8", "replace"))


def _photos(library: sqlite3.Connection, photo_ids: Sequence[int]) -> list[_Namesake]:
    rows = library.execute(_SQL["photos_by_id"], {"photo_ids": json.dumps(photo_ids)})
    return [_Namesake.of(*row) for row in rows]


def _problem_of(path: bytes) -> str:
    """Why the file at `path` cannot be looked at, or ""."""
    try:
        status = os.stat(path)
    except OSError as error:
        return error.strerror or "it cannot be read"
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder"
    return "" if stat.S_ISREG(status.st_mode) else "it is no regular file"


def _unknown(target: str, problem: str = "") -> QueryError:
    why = f": {problem}" if problem else ""
    return QueryError(f"`like:{_shown(target)}` names no photo that can be looked at{why}", hint=_HINT)


def _several(target: str, places: Sequence[Place]) -> QueryError:
    told = ", ".join(
        f"#{each.photo_id} {each.path.decode('utf-8', 'backslashreplace')}" for each in places[:_NAMESAKES_TOLD]
    )
    more = len(places) - _NAMESAKES_TOLD
    return QueryError(
        f"{len(places)} photos are called {_shown(target)}: {told}{f' and {more} more' if more > 0 else ''}",
        hint="Name the one you mean by its id, as `like:#123`, or by its path.",
    )


def _shown(target: str) -> str:
    return target.encode("utf-8", "backslashreplace").decode()
