"""`path:2019/trip/IMG_12*`: what it says of folders, and what of file names.

A part with a slash behind it is a folder, anywhere in the path, with all that is in it. The last part without one
is a file, with or without its ending, or such a folder. A star stands for anything but a slash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgd.index.spelling import fold
from imgd.search.vocabulary import Folder


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`folder`: the parts before the last slash, folded, with a slash before them where the path is whole from its
    start on; `name`: what stands behind it, as typed."""

    folder: str
    name: str

    @classmethod
    def of(cls, value: str) -> PathPattern:
        typed = f"{Path.home()}{value[1:]}" if value.startswith("~/") else value
        folder, _, name = re.sub("/+", "/", typed.removeprefix("./")).rpartition("/")
        if folder or not typed.startswith("/"):
            return cls(fold(folder), name)
        return cls("/", name)

    def folders(self, known: Sequence[Folder]) -> list[int]:
        """Folders all of whose photos are meant, those within them included."""
        whole = f"{self.folder.rstrip('/')}/{fold(self.name)}" if self.folder else fold(self.name)
        return _matching(known, whole.rstrip("/") if self.name else self.folder, "(?:/.*)?")

    def folders_of_names(self, known: Sequence[Folder]) -> list[int] | None:
        """Folders in which names are looked for; None for all."""
        return _matching(known, self.folder, "") if self.folder else None

    @property
    def is_beginning(self) -> bool:
        """Whether the name is typed from its start on, so that an index finds it."""
        return "*" not in self.name[:-1] and self.name != "*"

    @property
    def like(self) -> str:
        """The name as a pattern of LIKE with `\\` as its escape."""
        escaped = re.sub(r"([\\%_])", r"\\\1", self.name)
        return escaped.replace("*", "%")

    def likes(self) -> list[str]:
        """The patterns of LIKE that a name may meet: whole, or up to its ending."""
        return [self.like] if self.name.endswith("*") else [self.like, f"{self.like}.%"]

    def ranges(self) -> list[tuple[bytes, bytes]]:
        """(first, behind) of the names that begin so, as typed, in capitals and in small letters."""
        begin, star, _ = self.name.partition("*")
        found = []
        for each in dict.fromkeys((begin, begin.upper(), begin.lower())):
            start = each.encode()
            if star:
                found.append((start, start + b"\xff"))
            else:
                found += [(start, start + b"\x00"), (start + b".", start + b"/")]
        return found


def _matching(known: Sequence[Folder], parts: str, behind: str) -> list[int]:
    body = "[^/]*".join(map(re.escape, parts.strip("/").split("*")))
    anchor = "/" if parts.startswith("/") else "/?(?:.*/)?"
    found = re.compile(f"{anchor}{body}{behind if body else '.*'}", re.DOTALL)
    return [folder.id for folder in known if found.fullmatch(folder.path)]
