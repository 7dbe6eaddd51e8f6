"""Groups of a list with their files, a page at a time."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from imgd.duplicates.listing import Kind, Listing
from imgd.store.database import Database
from imgd.store.statements import load_statements

_MOST_FILES = 1000
"""Files shown of one group; its `count` tells how many there are."""
_PAGE_FILES = 10_000
"""Files that are read for one page, a large last group aside."""

_SQL = load_statements("imgd.duplicates", "duplicates")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a group. `width` and `height` in pixels; `taken_at`: local wall time, ISO 8601."""

    photo_id: int
    path: bytes
    size_bytes: int
    width: int | None
    height: int | None
    format: str | None
    taken_at: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Files that belong together, the one to keep first (of a burst, in the order of time).

    `count`: how many there are in all; `saved_bytes`: what all but the first take, 0 for bursts and pairs.
    """

    files: tuple[File, ...]
    count: int
    size_bytes: int
    saved_bytes: int


def read_groups(
    database: Database, kind: Kind, listing: Listing, start: int, limit: int
) -> tuple[list[Group], int]:
    """Up to `limit` groups from number `start` on, and the number of the first one behind them.

    A group of which files went since the list was made, so that one is left, is left out.
    """
    groups: list[Group] = []
    number, files = start, 0
    while number < len(listing) and len(groups) < limit and files < _PAGE_FILES:
        end = number
        numbers: dict[int, int] = {}
        while end < len(listing) and end - number < limit - len(groups) and len(numbers) < _PAGE_FILES:
            numbers |= dict.fromkeys(listing.group(end).tolist(), end)
            end += 1
        by_group: dict[int, list[tuple[File, tuple[int, int]]]] = {}
        with database.read() as connection:
            for row in connection.execute(_SQL["files"], {"photo_ids": json.dumps(list(numbers))}):
                by_group.setdefault(numbers[row[0]], []).append((_file(row), (row[8], row[9])))
        groups += [_group(kind, by_group[each]) for each in sorted(by_group) if len(by_group[each]) > 1]
        files += len(numbers)
        number = end
    return groups, number


def _file(row: tuple[Any, ...]) -> File:
    photo_id, root, folder, name, size_bytes, width, height, image_format, _device, _inode, taken_at = row
    path = os.path.join(root, folder, name)
    return File(photo_id, path, size_bytes, width, height, image_format, taken_at)


def _group(kind: Kind, found: list[tuple[File, tuple[int, int]]]) -> Group:
    by_time = kind is Kind.BURSTS
    files = sorted(
        (file for file, _ in found),
        key=lambda file: (file.taken_at or "", file.path) if by_time else _worst_last(file),
    )
    size_bytes = sum(file.size_bytes for file in files)
    saved = 0
    if kind is Kind.NEAR:
        saved = size_bytes - files[0].size_bytes
    elif kind is Kind.IDENTICAL:
        saved = (len({place for _, place in found}) - 1) * files[0].size_bytes
    return Group(tuple(files[:_MOST_FILES]), len(files), size_bytes, saved)


def _worst_last(file: File) -> tuple[object, ...]:
    """The largest picture first, then the largest file, then the name that is the original's: copies are
    named with something more (`IMG_1 (1).jpg`, `Copy of IMG_1.jpg`)."""
    name = os.path.basename(file.path)
    return -(file.width or 0) * (file.height or 0), -file.size_bytes, len(name), name, len(file.path), file.path
