"""All pairs of 64-bit codes that differ in few bits, without comparing each with each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Codes: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.int64]

_BANDS = 4
_WIDTH = 64 // _BANDS
_CHUNK = 1 << 16


def close_pairs(codes: Codes, least: int, most: int) -> Iterator[tuple[Places, Places]]:
    """Pairs (two arrays of places in `codes`) that differ in `least` to `most` bits, in chunks.

    A pair can come more than once. Multi-index hashing (Norouzi, Punjani and Fleet, Fast search in Hamming space
    with multi-index hashing, 2012, section 3): of four bands of 16 bits, one differs in at most `most` // 4 bits.
    The bits of a band lie apart in the code, for neighbouring bits of a perceptual hash go together.
    """
    wide, rest = divmod(most, _BANDS)
    for band in range(_BANDS):
        radius = wide if band <= rest else wide - 1
        keys = _band(codes, band)
        for mask in _masks(radius):
            for left, right in _pairs(keys, mask):
                distance = np.bitwise_count(codes[left] ^ codes[right])
                fits = (distance >= least) & (distance <= most)
                if fits.any():
                    yield left[fits], right[fits]


def _band(codes: Codes, band: int) -> _Keys:
    """Every fourth bit of each code, from bit `band` on."""
    values = np.zeros(len(codes), np.uint16)
    for bit in range(_WIDTH):
        shifted = (codes >> np.uint64(_BANDS * bit + band)) & np.uint64(1)
        values |= shifted.astype(np.uint16) << np.uint16(bit)
    return _Keys(values)


def _masks(radius: int) -> Iterator[int]:
    """Every number of 16 bits with at most `radius` bits set."""
    for count in range(radius + 1):
        for bits in itertools.combinations(range(_WIDTH), count):
            yield sum(1 << bit for bit in bits)


class _Keys:
    """The codes by the value of one band: those of value `v` are `order[starts[v]:starts[v + 1]]`."""

    def __init__(self, values: npt.NDArray[np.uint16]) -> None:
        self.order = np.argsort(values, kind="stable")
        self.values = values[self.order].astype(np.int64)
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << _WIDTH))])


def _pairs(keys: _Keys, mask: int) -> Iterator[tuple[Places, Places]]:
    """Every pair whose bands differ in exactly the bits of `mask`."""
    others = keys.values ^ mask
    if mask:
        lefts = np.flatnonzero(keys.values < others)
        begins, ends = keys.starts[others[lefts]], keys.starts[others[lefts] + 1]
    else:
        lefts = np.arange(len(keys.values))
        begins, ends = lefts + 1, keys.starts[keys.values + 1]
    counts = ends - begins
    paired = counts > 0
    lefts, begins, counts = lefts[paired], begins[paired], counts[paired]
    totals = np.cumsum(counts)
    at = 0
    while at < len(lefts):
        done = int(totals[at - 1]) if at else 0
        end = max(at + 1, int(np.searchsorted(totals, done + _CHUNK, side="right")))
        some = counts[at:end]
        within = np.arange(int(some.sum())) - np.repeat(np.cumsum(some) - some, some)
        yield keys.order[np.repeat(lefts[at:end], some)], keys.order[np.repeat(begins[at:end], some) + within]
        at = end
