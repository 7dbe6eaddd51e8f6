"""Directories of a TIFF: how much of a hostile one is read, and what garbage in one says."""

from __future__ import annotations

import struct

import pytest

from imgd.decode import tiff

STRIPS, SUB_IFDS = 273, 330


def chain(directories: int, entries: int, values: int, tag: int, body: bytes) -> bytes:
    """Linked directories, in each `entries` tags from `tag` on, all with the same `values` 32-bit integers."""
    size = 2 + 12 * entries + 4
    shared = 8 + directories * size
    out = b"II*\0" + struct.pack("<I", 8)
    for number in range(directories):
        packed = b"".join(struct.pack("<HHII", tag + each, 4, values, shared) for each in range(entries))
        following = 8 + (number + 1) * size if number + 1 < directories else 0
        out += struct.pack("<H", entries) + packed + struct.pack("<I", following)
    return out + body


def held(data: bytes) -> int:
    return sum(len(value) for each in tiff.directories(data) for value in each.tags.values())


def test_a_list_of_many_strips_is_read_whole() -> None:
    (directory,) = tiff.directories(chain(1, 1, 60_000, STRIPS, struct.pack("<60000I", *range(1, 60_001))))
    assert len(directory.tags[STRIPS]) == 60_000


@pytest.mark.parametrize(
    ("directories", "entries", "values"), [(2, 1_000, 60_000), (60, 1_000, 2), (60, 20, 9_000)]
)
def test_values_are_bounded_over_all_directories(directories: int, entries: int, values: int) -> None:
    data = chain(directories, entries, values, 1_000, b"\1\2\3\4" * values)
    found = list(tiff.directories(data))
    assert len(found) == directories
    assert 0 < held(data) <= 1 << 20
    assert sum(len(each.tags) for each in found) <= 4_096


def test_a_million_sub_directories_that_lead_nowhere_are_not_looked_at() -> None:
    data = chain(60, 1, 17_000, SUB_IFDS, struct.pack("<I", 4) * 17_000)
    assert len(list(tiff.directories(data))) == 60


def test_a_directory_of_more_entries_than_there_are_says_nothing_of_the_file_s_size() -> None:
    whole = chain(1, 1, 1, STRIPS, b"")
    link = whole[:-4] + struct.pack("<I", len(whole))  # into what follows, as some writers leave it
    assert tiff.last_byte(link + b"\xee\x77" * 50) == 8 + 2 + 12
