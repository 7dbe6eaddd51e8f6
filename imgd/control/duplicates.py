"""Duplicates as they travel over the socket."""

from __future__ import annotations

from imgd.control.paths import path_exact, path_text
from imgd.control.protocol import DuplicateFile, DuplicateGroup, DuplicatesAnswer
from imgd.duplicates.finder import Page
from imgd.duplicates.listing import Kind
from imgd.errors import RequestError


def duplicates_kind(name: str) -> Kind:
    """The list of this name.

    Raises:
        RequestError: there is none.
    """
    try:
        return Kind(name)
    except ValueError:
        raise RequestError(f"`kind={name}` is no list", hint=f"There are {', '.join(Kind)}.") from None


def duplicates_answer(kind: Kind, page: Page) -> DuplicatesAnswer:
    """The page as an answer."""
    groups = tuple(
        DuplicateGroup(
            tuple(
                DuplicateFile(
                    file.photo_id,
                    path_text(file.path),
                    file.size_bytes,
                    file.width,
                    file.height,
                    file.format,
                    file.taken_at,
                    path_exact(file.path),
                )
                for file in group.files
            ),
            group.count,
            group.size_bytes,
            group.saved_bytes,
        )
        for group in page.groups
    )
    return DuplicatesAnswer(kind, groups, page.found, page.after, page.pending, page.notes)
