"""A built index: the FAISS index of a space, mapped from its file, and how it is searched."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from imgd.index.matches import Floats, Ids, Matches
from imgd.index.positions import Mask, Positions
from imgd.index.scalar import best_of, half_index, selector
from imgd.index.shapes import Kind, Layers
from imgd.index.sieve import passing
from imgd.index.stored import StoredVectors

REREAD = 300
"""Of the best by codes, so many are compared by their stored values: with 200 of them the codes cost no recall."""

MEASURED_AT = 100
"""The number of vectors asked for at which a breadth was found to suffice."""

_THREADS = min(4, os.cpu_count() or 1)
_SPARE = 1.25
_BY_BREADTH = 0.6  # how much deeper the sieve must be for more: by how a normal distribution thins out


@dataclass(frozen=True, slots=True)
class Breadth:
    """How wide a sieve searches: its best `depth` go on, out of `lists` lists where it has lists (else 0)."""

    depth: int = 0
    lists: int = 0


@dataclass(frozen=True, slots=True)
class Narrowness:
    """Where a search within some of the vectors changes its way, by how many those are.

    Up to `few` of them are all read from the store (5 us each). Up to `gathered` their codes are gathered (0.15 us
    each, and three times as much above it), and above that all are passed over by a bitmap. Above a share of
    `wide` of the index, the sieve serves, the deeper the fewer they are: at 0.05 both take 8 ms of 500,000 x 512.
    """

    few: int = 1_000
    gathered: int = 10_000
    wide: float = 0.05


class BuiltIndex:
    """Vectors by position in a FAISS index. Searches hold no lock; each takes one core for each query."""

    def __init__(
        self,
        kind: Kind,
        layers: Layers,
        positions: Positions,
        breadth: Breadth,
        *,
        stored: StoredVectors,
        narrowness: Narrowness | None = None,
    ) -> None:
        self.kind = kind
        self.positions = positions
        self._breadth = breadth
        self._stored = stored
        self._narrowness = narrowness or Narrowness()
        self._codes = layers.codes
        self._sieve = layers.sieve

    def search(self, queries: Floats, k: int, within: Ids | None) -> list[Matches]:
        """The `k` best for each of `queries` (n, d), of the photos `within` where given."""
        mask = self.positions.mask(within)
        count = len(self.positions) if mask is None else int(np.count_nonzero(mask))
        # The setting is the calling thread's own. FAISS gives a query to one thread, so that several searches at
        # once share the cores; more threads than queries would only wait for each other.
        faiss.omp_set_num_threads(min(len(queries), _THREADS))
        if not count:
            return [Matches.none() for _ in queries]
        if self.kind is Kind.EXACT:
            return [self._matches(*found, k) for found in self._scan(queries, min(k, count), mask)]
        if mask is not None and count <= self._narrowness.few:
            return self._exactly(queries, np.flatnonzero(mask), k)
        wanted = min(count, max(k, min(2 * k + 50, REREAD)))
        is_wide = count > self._narrowness.wide * len(self.positions)
        ask = self._sift if self._sieve is not None and is_wide else self._scan
        found = ask(queries, wanted, mask)
        return [self._reread(query, *each, k) for query, each in zip(queries, found, strict=True)]

    def _scan(self, queries: Floats, k: int, mask: Mask | None) -> list[tuple[Ids, Floats]]:
        """The best by the codes of all that count."""
        if mask is not None and np.count_nonzero(mask) <= self._narrowness.gathered:
            few = np.flatnonzero(mask)
            return [best_of(self._codes, few, query[np.newaxis], k) for query in queries]
        similarities, at = self._codes.search(queries, k, params=selector(mask))
        return [(row[row >= 0], values[row >= 0]) for row, values in zip(at, similarities, strict=True)]

    def _sift(self, queries: Floats, k: int, mask: Mask | None) -> list[tuple[Ids, Floats]]:
        """The best by codes of those that pass the sieve."""
        wanted = self._breadth.depth * max(1.0, k / (2 * MEASURED_AT + 50)) ** _BY_BREADTH
        share = 1.0 if mask is None else float(np.count_nonzero(mask)) / len(mask) / _SPARE
        depth = min(len(self.positions), math.ceil(wanted / share))
        passed = passing(self._sieve, queries, depth, self._breadth.lists)
        found = []
        for query, row in zip(queries, passed, strict=True):
            positions = np.sort(row if mask is None else row[mask[row]])
            if mask is not None and len(positions) < wanted / _SPARE and depth < len(self.positions):
                # What is searched within lies further from the query than the rest, so that too little passes.
                found += self._scan(query[np.newaxis], k, mask)
            else:
                found.append(best_of(self._codes, positions, query[np.newaxis], k))
        return found

    def _exactly(self, queries: Floats, positions: Ids, k: int) -> list[Matches]:
        """The best of `positions`, by their stored values."""
        at, values = self._read(positions)
        if not len(at):
            return [Matches.none() for _ in queries]
        similarities, order = half_index(values).search(queries, min(k, len(at)))
        return [self._matches(at[row], each, k) for row, each in zip(order, similarities, strict=True)]

    def _reread(self, query: Floats, at: Ids, similarities: Floats, k: int) -> Matches:
        """The `k` best of candidates, best first by codes, once the stored values have chosen among the first."""
        few, values = self._read(np.sort(at[:REREAD]))
        if len(few):
            exact, order = half_index(values).search(query[np.newaxis], len(few))
            few, values_of_few = few[order[0]], exact[0]
        else:
            values_of_few = np.empty(0, np.float32)
        rest = slice(REREAD, None)
        return self._matches(
            np.concatenate([few, at[rest]]), np.concatenate([values_of_few, similarities[rest]]), k
        )

    def _read(self, positions: Ids) -> tuple[Ids, Any]:
        """The stored values at `positions` (rising); those that were removed meanwhile are left out."""
        ids = self.positions.vector_ids[positions]
        found, values = self._stored.of_ids(ids)
        return (positions if len(found) == len(ids) else positions[np.isin(ids, found)]), values

    def _matches(self, at: Ids, similarities: Floats, k: int) -> Matches:
        return Matches.best(self.positions.vector_ids[at], self.positions.photo_ids[at], similarities, k)
