"""Which files of a root count: photos and sidecars, but nothing hidden, temporary, ignored or imgd's own."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from dataclasses import dataclass

from imgd.store.sidecars import SIDECAR_EXTENSION
from imgd.watch.ignores import Ignores

# Names that copying programs, editors and network shares use for what is not (yet) a photo. Those that end in
# `~`, `.part`, `.tmp` and the like have no photo's extension anyway.
_TEMPORARY_PREFIXES = (b"._", b".~", b"~$", b".#", b".goutputstream-", b".syncthing.", b".nfs")
_SUSPECT = b".~"
_DOT = ord(".")
_FOREIGN_FOLDERS = frozenset(
    {
        b"@eadir",
        b"#recycle",
        b"#snapshot",
        b"$recycle.bin",
        b"lost+found",
        b"system volume information",
        b".appledouble",
        b"._appledouble",
        b".spotlight-v100",
        b".fseventsd",
        b".thumbnails",
        b".dtrash",
        b".stversions",
    }
)
_FOREIGN_FOLDER_PREFIXES = (b".trash",)
_FOREIGN_FOLDER_SUFFIXES = (b".lrdata",)


class FileKind(enum.Enum):
    """What a file is to imgd."""

    PHOTO = enum.auto()
    SIDECAR = enum.auto()


@dataclass(frozen=True, slots=True)
class FilterRules:
    """What is alike for every root. `extensions`: of photos, lower case with the dot; `own_folders`: absolute
    directories that imgd writes to, wherever they lie."""

    extensions: frozenset[str]
    ignore: tuple[str, ...] = ()
    hidden: bool = False
    own_folders: tuple[bytes, ...] = ()


class Filter:
    """The rules, applied to one root. Paths are relative to it."""

    def __init__(self, root: bytes, rules: FilterRules) -> None:
        self.root = root
        self.ignores = Ignores(rules.ignore)
        self._kinds = {os.fsencode(extension): FileKind.PHOTO for extension in rules.extensions}
        self._kinds[SIDECAR_EXTENSION] = FileKind.SIDECAR
        self._hidden = rules.hidden
        self._own = frozenset(_inside(root, rules.own_folders))

    def kind(self, folder: bytes, name: bytes) -> FileKind | None:
        """What the file `name` of `folder` is; None where it does not count. Its folders are not looked at."""
        kind = self._kinds.get(name[name.rfind(b".") :].lower())
        if kind is None:
            return None
        if name[0] in _SUSPECT and (
            (name[0] == _DOT and not self._hidden) or name.startswith(_TEMPORARY_PREFIXES)
        ):
            return None
        if self.ignores.active and self.ignores.matches(_join(folder, name), is_folder=False):
            return None
        return kind

    def enters(self, folder: bytes) -> bool:
        """Whether a scan goes into `folder`, given that it went into its parent."""
        if not folder:
            return True
        name = folder.rpartition(b"/")[2].lower()
        if name[:1] == b"." and not self._hidden:
            return False
        if name in _FOREIGN_FOLDERS or name.startswith(_FOREIGN_FOLDER_PREFIXES):
            return False
        if name.endswith(_FOREIGN_FOLDER_SUFFIXES) or folder in self._own:
            return False
        return not self.ignores.matches(folder, is_folder=True)

    def reaches(self, folder: bytes) -> bool:
        """Whether a scan from the root comes into `folder`: it and all its parents are entered."""
        while folder:
            if not self.enters(folder):
                return False
            folder = folder.rpartition(b"/")[0]
        return True


def _inside(root: bytes, folders: Iterable[bytes]) -> Iterable[bytes]:
    for folder in folders:
        if folder.startswith(root.rstrip(b"/") + b"/"):
            yield folder[len(root.rstrip(b"/")) + 1 :]


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
