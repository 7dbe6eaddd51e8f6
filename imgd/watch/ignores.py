"""Ignore patterns, as git writes them: `watch.ignore`, and `.imgdignore` files that apply to their own folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import pathspec

IGNORE_FILE: Final = b".imgdignore"

_LARGEST_BYTES = 1 << 20


def check_patterns(patterns: Iterable[str]) -> str | None:
    """Why `patterns` cannot be used; None where they can."""
    try:
        Ignores(patterns)
    except ValueError as error:
        return str(error)
    return None


class Ignores:
    """The patterns of one root. Those of a deeper folder come first, as in git; `!` takes a file back in."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """
        Raises:
            ValueError: when a pattern is not one.
        """
        self._specs: dict[bytes, pathspec.GitIgnoreSpec] = {}
        self._patterns = list(patterns)
        self.active = bool(self._patterns)
        """Whether there is any pattern at all."""
        self._configured = pathspec.GitIgnoreSpec.from_lines(self._patterns)

    def load(self, root: bytes, folder: bytes) -> str:
        """Read the `.imgdignore` of `folder` (relative to `root`), or forget it where there is none.

        Returns why it could not be used, or "".
        """
        self._specs.pop(folder, None)
        self.active = bool(self._specs or self._patterns)
        path = os.path.join(root, folder, IGNORE_FILE)
        try:
            with open(path, "rb") as file:
                text = file.read(_LARGEST_BYTES)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{IGNORE_FILE.decode()} cannot be read: {error.strerror}"
        try:
            self._specs[folder] = pathspec.GitIgnoreSpec.from_lines(os.fsdecode(text).splitlines())
        except ValueError as error:
            return f"{IGNORE_FILE.decode()} has a pattern that is none: {error}"
        self.active = True
        return ""

    def matches(self, path: bytes, *, is_folder: bool) -> bool:
        """Whether `path` (relative to the root) itself is ignored; its parents are not looked at."""
        folder = path
        while folder and self._specs:
            folder = folder.rpartition(b"/")[0]
            if (spec := self._specs.get(folder)) is not None:
                inside = path[len(folder) + 1 :] if folder else path
                verdict = spec.check_file(_shown(inside, is_folder)).include
                if verdict is not None:
                    return verdict
        return bool(self._configured.check_file(_shown(path, is_folder)).include)


def _shown(path: bytes, is_folder: bool) -> str:
    return os.fsdecode(path) + ("/" if is_folder else "")
