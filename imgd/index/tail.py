"""The tail: vectors that the built index does not hold yet, searched exactly."""

from __future__ import annotations

from itertools import pairwise

import faiss
import numpy as np

from imgd.index.matches import Floats, Ids, Matches
from imgd.index.positions import Positions
from imgd.index.scalar import half_index, selector
from imgd.index.stored import Halves, Rows

_BLOCK = 4096


class Tail:
    """Vectors in rising order of their ids.

    One thread changes it, many search it, without a lock: what is appended later is in new blocks.
    """

    def __init__(self) -> None:
        self._blocks: tuple[_Block, ...] = ()

    def __len__(self) -> int:
        return sum(len(block.positions) for block in self._blocks)

    @property
    def removed(self) -> int:
        """How many are masked."""
        return sum(block.positions.removed for block in self._blocks)

    def append(self, rows: Rows) -> None:
        """Take in vectors with ids above all that are here."""
        blocks = list(self._blocks)
        start = 0
        if blocks and len(blocks[-1].positions) < _BLOCK:
            last = blocks.pop()
            start = min(_BLOCK - len(last.positions), len(rows.vector_ids))
            blocks.append(last.with_more(_part(rows, 0, start)))
        bounds = [*range(start, len(rows.vector_ids), _BLOCK), len(rows.vector_ids)]
        self._blocks = (*blocks, *(_Block(_part(rows, *bound)) for bound in pairwise(bounds)))

    def remove(self, vector_ids: Ids) -> None:
        """These are found no longer; those that are not here are passed over."""
        for block in self._blocks:
            block.positions.remove(vector_ids)

    def without_up_to(self, max_id: int) -> Tail:
        """A tail of the vectors with ids above `max_id`."""
        rest = Tail()
        for block in self._blocks:
            ids = block.positions.vector_ids
            start = int(np.searchsorted(ids, max_id, side="right"))
            if start < len(ids):
                rest.append(_part(block.rows(), start, len(ids)))
                rest.remove(block.positions.gone())
        return rest

    def search(self, queries: Floats, k: int, within: Ids | None) -> list[Matches]:
        """The `k` best for each of `queries` (n, d), of the photos `within` where given."""
        found = [Matches.none() for _ in queries]
        for block in self._blocks:
            more = block.search(queries, k, within)
            found = [Matches.united(*each, k) for each in zip(found, more, strict=True)]
        return found


class _Block:
    """Up to `_BLOCK` vectors, which stay as they are."""

    def __init__(self, rows: Rows) -> None:
        self.positions = Positions(rows.vector_ids, rows.photo_ids)
        self._index = half_index(rows.values)

    def rows(self) -> Rows:
        count, bytes_a_vector = len(self.positions), self._index.code_size
        codes = faiss.rev_swig_ptr(self._index.codes.data(), count * bytes_a_vector)
        values: Halves = codes.view(np.float16).reshape(count, -1)
        return Rows(self.positions.vector_ids, self.positions.photo_ids, values)

    def with_more(self, rows: Rows) -> _Block:
        mine = self.rows()
        joined = _Block(
            Rows(
                np.concatenate([mine.vector_ids, rows.vector_ids]),
                np.concatenate([mine.photo_ids, rows.photo_ids]),
                np.concatenate([mine.values, rows.values]),
            )
        )
        joined.positions.remove(self.positions.gone())
        return joined

    def search(self, queries: Floats, k: int, within: Ids | None) -> list[Matches]:
        mask = self.positions.mask(within)
        if mask is not None and not mask.any():
            return [Matches.none() for _ in queries]
        k = min(k, len(self.positions))
        similarities, at = self._index.search(queries, k, params=selector(mask))
        found = []
        for row, values in zip(at, similarities, strict=True):
            kept = row >= 0  # FAISS fills up with -1 where the mask leaves fewer
            ids = self.positions.vector_ids[row[kept]], self.positions.photo_ids[row[kept]]
            found.append(Matches.best(*ids, values[kept], k))
        return found


def _part(rows: Rows, start: int, stop: int) -> Rows:
    return Rows(rows.vector_ids[start:stop], rows.photo_ids[start:stop], rows.values[start:stop])
