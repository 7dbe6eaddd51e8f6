"""The tail: vectors that the FAISS index does not hold yet, searched exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_BLOCK = 4096  # rows turned to float32 at a time


class Tail:
    """Vectors in rising order of their ids, as float16."""

    def __init__(self, dimensions: int) -> None:
        self._ids = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimensions), np.float16)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, ids: Sequence[int], data: Sequence[bytes]) -> None:
        """`data` are float16 values in native byte order, as stored."""
        needed = self._count + len(ids)
        if needed > len(self._ids):
            room = max(needed, 2 * len(self._ids), 64)
            self._ids = np.concatenate([self._ids[: self._count], np.empty(room - self._count, np.int64)])
            spare = np.empty((room - self._count, self._vectors.shape[1]), np.float16)
            self._vectors = np.concatenate([self._vectors[: self._count], spare])
        self._ids[self._count : needed] = ids
        self._vectors[self._count : needed] = np.frombuffer(b"".join(data), np.float16).reshape(len(ids), -1)
        self._count = needed

    def without_up_to(self, max_id: int) -> Tail:
        """A tail of the vectors with ids above `max_id`."""
        start = int(np.searchsorted(self._ids[: self._count], max_id, side="right"))
        rest = Tail(self._vectors.shape[1])
        rest._ids = self._ids[start : self._count].copy()
        rest._vectors = self._vectors[start : self._count].copy()
        rest._count = self._count - start
        return rest

    def contains(self, vector_id: int) -> bool:
        at = int(np.searchsorted(self._ids[: self._count], vector_id))
        return at < self._count and int(self._ids[at]) == vector_id

    def search(
        self, queries: npt.NDArray[np.float32], k: int, removed: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids and similarities, both (queries, <= k), in no order, without the `removed` ids."""
        count = self._count  # rows appended meanwhile are for the next search
        ids, vectors = self._ids[:count], self._vectors[:count]
        similarities = np.empty((len(queries), count), np.float32)
        for start in range(0, count, _BLOCK):
            similarities[:, start : start + _BLOCK] = (
                queries @ vectors[start : start + _BLOCK].astype(np.float32).T
            )
        if len(removed):
            kept = ~np.isin(ids, removed)
            ids, similarities = ids[kept], similarities[:, kept]
        if len(ids) <= k:
            return np.broadcast_to(ids, similarities.shape), similarities
        best = np.argpartition(-similarities, k - 1, axis=1)[:, :k]
        return ids[best], np.take_along_axis(similarities, best, axis=1)
