"""A list of groups of photos, kept as numbers only, in an order that stays the same while it is paged through."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgd.index.matches import Ids


class Kind(enum.StrEnum):
    """Which list."""

    IDENTICAL = "identical"
    """Files with the same content, byte by byte."""
    NEAR = "near"
    """Photos that look the same: a smaller copy, another format, a light edit."""
    BURSTS = "bursts"
    """Shots of one camera in quick succession."""
    PAIRS = "pairs"
    """A RAW file and what its camera (or a converter) made of it."""


class Stopped(Exception):  # noqa: N818 - no error: whoever asked has gone
    """The daemon stops."""


@dataclass(frozen=True, slots=True)
class Listing:
    """`members`: photo ids, group after group; group `n` is `members[starts[n]:starts[n + 1]]`.

    `saved`: bytes that could be saved, a number a group. Groups are in the order of their keys: the largest
    saving first, then the lowest photo id.
    """

    members: Ids
    starts: Ids
    saved: Ids

    def __len__(self) -> int:
        return len(self.saved)

    def group(self, number: int) -> Ids:
        return self.members[self.starts[number] : self.starts[number + 1]]

    def key(self, number: int) -> tuple[int, int]:
        return -int(self.saved[number]), int(self.group(number).min())

    def position(self, key: tuple[int, int]) -> int:
        """The first group behind `key`, which need not be in this list."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.key(middle) <= key:
                low = middle + 1
            else:
                high = middle
        return low


def make_listing(members: Ids, sizes: Ids, saved: Ids) -> Listing:
    """Of groups in any order: `members` group after group, `sizes` and `saved` a number a group."""
    if not len(sizes):
        empty = np.empty(0, np.int64)
        return Listing(empty, np.zeros(1, np.int64), empty)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    order = np.lexsort((np.minimum.reduceat(members, starts[:-1]), -saved))
    lengths = sizes[order]
    places = np.repeat(starts[:-1][order] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return Listing(
        members[places + np.arange(len(members))], np.concatenate([[0], np.cumsum(lengths)]), saved[order]
    )


def listing_of(groups: Sequence[tuple[Sequence[int], int]]) -> Listing:
    """Of (photo ids, bytes saved) pairs."""
    return make_listing(
        np.array([each for ids, _ in groups for each in ids], np.int64),
        np.array([len(ids) for ids, _ in groups], np.int64),
        np.array([saved for _, saved in groups], np.int64),
    )
