"""Positions: which vector of which photo stands where in an index, and which of them still count."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Ids

Mask: TypeAlias = npt.NDArray[np.bool_]


class Positions:
    """Ids of vectors, rising, and of their photos, both (n,), by position.

    Thread-safe for one that removes and many that ask: a vector removed during a search may still be found by it.
    """

    def __init__(self, vector_ids: Ids, photo_ids: Ids) -> None:
        self.vector_ids = vector_ids
        self.photo_ids = photo_ids
        self._alive = np.ones(len(vector_ids), np.bool_)
        self._highest_photo = int(photo_ids.max(initial=0))
        self.removed = 0

    def __len__(self) -> int:
        return len(self.vector_ids)

    @classmethod
    def mapped(cls, path: Path, count: int) -> Positions:
        """Those that `save` wrote, mapped into memory.

        Raises:
            ValueError: when there are not `count` of them.
            OSError: when the file cannot be read.
        """
        if path.stat().st_size != count * 16:
            raise ValueError(f"{path.name} does not hold {count} positions")
        if not count:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        ids = np.memmap(path, np.int64, "r", shape=(2, count))
        return cls(ids[0], ids[1])

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(self.vector_ids.tobytes())
            file.write(self.photo_ids.tobytes())

    def remove(self, vector_ids: Ids) -> None:
        """These vectors count no longer; those that are not here are passed over."""
        at = np.searchsorted(self.vector_ids, vector_ids)
        at, vector_ids = at[at < len(self)], vector_ids[at < len(self)]
        self._alive[at[self.vector_ids[at] == vector_ids]] = False
        self.removed = len(self) - int(np.count_nonzero(self._alive))

    def gone(self) -> Ids:
        """Ids of the vectors that were removed."""
        return self.vector_ids[~self._alive]

    def mask(self, within: Ids | None) -> Mask | None:
        """Which positions count, (n,): those not removed, of photos in `within` (rising). None: all do."""
        if within is None:
            return self._alive.copy() if self.removed else None  # a search counts once what it then looks for
        wanted = np.zeros(self._highest_photo + 1, np.bool_)
        wanted[within[: np.searchsorted(within, self._highest_photo, side="right")]] = True
        return wanted[self.photo_ids] & self._alive
