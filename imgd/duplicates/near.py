"""Near-duplicates: photos of one picture in other sizes, formats or with light edits."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.duplicates.bursts import find_runs
from imgd.duplicates.hamming import Codes, Places, close_pairs
from imgd.duplicates.likeness import CLOSE_BITS, SecondOpinion
from imgd.duplicates.listing import Listing, Stopped, listing_of
from imgd.duplicates.shots import Runs, Unit, units
from imgd.index.matches import Ids
from imgd.store.database import Database
from imgd.store.statements import load_statements

MOST_BITS = 8
"""Of copies of 379 photos, 98 % (halved, or 320 px), 99 % (JPEG of quality 50) and 96 % (cropped by 2 %) differ
from their original in no more than this; of 71,631 pairs of different photos one does, both of them blank."""

LEAST_CONTRAST = 0.02
"""A photo with less (a lens cap, an empty page) has a hash of noise alone."""

MOST_STRETCH = 1.4
"""A picture may have been stretched from 4:3 to a square, say; one that lies and one that stands are not one."""

_SQL = load_statements("imgd.duplicates", "duplicates")
_PAGE = 16384
_EDGES = 4096
_SAME_HASH = 32
"""With so many others of its hash a photo is compared; all copies of a picture are found through each other."""

Edges: TypeAlias = tuple[Places, Places]
Stop: TypeAlias = Callable[[], bool]
Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """What of a photo decides with whom it can be one picture."""

    proportion: float
    pixels: int
    size_bytes: int
    units: tuple[tuple[Unit, Hashable], ...]


def list_near(database: Database, stopped: Stop) -> Listing:
    """Groups of photos that look the same. Saved is what all but the largest picture take.

    Not of one group are the shots of a burst, a RAW and its JPEG, and bit-identical files, of which only the first
    is looked at.
    """
    hashes, photo_ids = _read_hashes(database, stopped)
    if len(photo_ids) < 2:
        return listing_of([])
    groups = _Groups(len(photo_ids))
    matcher = _Matcher(database, photo_ids, find_runs(database, stopped), groups)
    for least, most in ((0, 0), (1, CLOSE_BITS), (CLOSE_BITS + 1, MOST_BITS)):
        edges = _equal(hashes) if not most else _alike(hashes, least, most)
        for left, right in edges:
            for start in range(0, len(left), _EDGES):
                if stopped():
                    raise Stopped
                matcher.join(left[start : start + _EDGES], right[start : start + _EDGES], hashes)
    return listing_of(groups.listed(photo_ids))


def _read_hashes(database: Database, stopped: Stop) -> tuple[Codes, Ids]:
    """Perceptual hashes and their photos, in the order of the hashes."""
    hashes, photo_ids = array("Q"), array("q")
    place = ("", 0)
    while not stopped():
        with database.read() as connection:
            rows = connection.execute(
                _SQL["phashes"], {"text": place[0], "photo_id": place[1], "limit": _PAGE}
            ).fetchall()
        if not rows:
            return np.array(hashes, np.uint64), np.array(photo_ids, np.int64)
        hashes.extend(int(row[0], 16) for row in rows)
        photo_ids.extend(row[1] for row in rows)
        place = rows[-1]
    raise Stopped


def _equal(hashes: Codes) -> Iterator[Edges]:
    """Pairs of photos with the same hash; `hashes` is sorted."""
    for step in range(1, _SAME_HASH):
        left = np.flatnonzero(hashes[:-step] == hashes[step:])
        if not len(left):
            return
        yield left, left + step


def _alike(hashes: Codes, least: int, most: int) -> Iterator[Edges]:
    """Pairs of photos whose hashes differ in `least` to `most` bits, of each hash the first few."""
    codes, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    for left, right in close_pairs(codes, least, most):
        for start in range(0, len(left), _EDGES):
            some_left, some_right = left[start : start + _EDGES], right[start : start + _EDGES]
            yield first[some_left], first[some_right]
            for k in range(1, _SAME_HASH):
                more_left, more_right = counts[some_left] > k, counts[some_right] > k
                if not (more_left.any() or more_right.any()):
                    break
                yield first[some_left][more_left] + k, first[some_right][more_left]
                yield first[some_left][more_right], first[some_right][more_right] + k


class _Groups:
    """Photos (by place) that are one picture so far: a union-find, in which every group keeps its units."""

    def __init__(self, count: int) -> None:
        self._parents: npt.NDArray[np.int32] = np.arange(count, dtype=np.int32)
        self._sides: dict[int, dict[Unit, Hashable]] = {}
        self._members: dict[int, list[tuple[int, int, int]]] = {}

    def root(self, place: int) -> int:
        parents = self._parents
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = int(parents[place])
        return place

    def apart(self, left: Places, right: Places) -> npt.NDArray[np.bool_]:
        """Which of these pairs are not known to be of one group."""
        return np.array(
            [self.root(a) != self.root(b) for a, b in zip(left.tolist(), right.tolist(), strict=True)], np.bool_
        )

    def join(self, left: int, right: int, looks: tuple[_Look, _Look]) -> None:
        """Make two photos' groups one, unless that would hold two shots of a burst, or a RAW and its JPEG."""
        roots = (self.root(left), self.root(right))
        if roots[0] == roots[1]:
            return
        for root, look in zip(roots, looks, strict=True):
            if root not in self._members:
                self._members[root] = [(root, look.pixels, look.size_bytes)]
                self._sides[root] = dict(look.units)
        keep, give = sorted(roots, key=lambda root: -len(self._members[root]))
        sides = self._sides[keep]
        if any(sides.get(unit, side) != side for unit, side in self._sides[give].items()):
            return
        self._parents[give] = keep
        self._members[keep] += self._members.pop(give)
        sides |= self._sides.pop(give)

    def listed(self, photo_ids: Ids) -> list[tuple[list[int], int]]:
        """(photo ids, bytes that could be saved) of every group of two or more."""
        found = []
        for members in self._members.values():
            if len(members) > 1:
                best = max(members, key=lambda member: member[1:])
                saved = sum(size_bytes for _, _, size_bytes in members) - best[2]
                found.append(([int(photo_ids[place]) for place, *_ in members], saved))
        return found


class _Matcher:
    """Looks closer at pairs of photos whose hashes are alike."""

    def __init__(self, database: Database, photo_ids: Ids, runs: Runs, groups: _Groups) -> None:
        self._database = database
        self._photo_ids = photo_ids
        self._runs = runs
        self._groups = groups
        self._opinion = SecondOpinion(database, photo_ids.tolist())

    def join(self, left: Places, right: Places, hashes: Codes) -> None:
        """Join the pairs that are one picture, those with the nearest hashes first."""
        apart = self._groups.apart(left, right)
        left, right = left[apart], right[apart]
        if not len(left):
            return
        looks = self._read(np.unique(np.concatenate([left, right])))
        bits = np.bitwise_count(hashes[left] ^ hashes[right])
        order = np.argsort(bits, kind="stable")
        pairs = [
            (a, b, count)
            for a, b, count in zip(left[order].tolist(), right[order].tolist(), bits[order].tolist(), strict=True)
            if a in looks and b in looks and _are_alike(looks[a], looks[b])
        ]
        seen = self._opinion.read(sorted({int(self._photo_ids[place]) for a, b, _ in pairs for place in (a, b)}))
        for a, b, count in pairs:
            vectors = seen.get(int(self._photo_ids[a]), {}), seen.get(int(self._photo_ids[b]), {})
            if self._opinion.agrees(*vectors, count):
                self._groups.join(a, b, (looks[a], looks[b]))

    def _read(self, places: Places) -> dict[int, _Look]:
        """By place; photos that are out of reach, blank, or copies of another file are left out."""
        photo_ids = self._photo_ids[places]
        runs = dict(zip(photo_ids.tolist(), self._runs.of(photo_ids).tolist(), strict=True))
        place_of = dict(zip(photo_ids.tolist(), places.tolist(), strict=True))
        with self._database.read() as connection:
            rows = connection.execute(_SQL["looks"], {"photo_ids": json.dumps(photo_ids.tolist())}).fetchall()
        return {place_of[row[0]]: _look(row, runs[row[0]]) for row in rows if _has_detail(row)}


def _has_detail(row: Row) -> bool:
    contrast = row[8]
    return not isinstance(contrast, float) or contrast >= LEAST_CONTRAST


def _look(row: Row, run: int) -> _Look:
    _, folder_id, name, image_format, width, height, size_bytes, taken_at, _ = row
    return _Look(
        width / height,
        width * height,
        size_bytes,
        tuple(units(folder_id, name, image_format, taken_at, run)),
    )


def _are_alike(left: _Look, right: _Look) -> bool:
    stretch = left.proportion / right.proportion
    return 1 / MOST_STRETCH <= stretch <= MOST_STRETCH
