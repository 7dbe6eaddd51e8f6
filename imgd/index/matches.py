"""What a vector search found: rows of arrays, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ids: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]

_FEW = 50
"""So many times fewer ids are looked up one by one."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The vectors most similar to one query, all three (m,): best first, equally similar ones by vector id.

    A photo with several vectors in the space (its faces, say) can be here several times.
    """

    vector_ids: Ids
    photo_ids: Ids
    similarities: Floats

    def __len__(self) -> int:
        return len(self.vector_ids)

    @classmethod
    def none(cls) -> Matches:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    @classmethod
    def best(cls, vector_ids: Ids, photo_ids: Ids, similarities: Floats, k: int) -> Matches:
        """The `k` best of candidates in any order."""
        order = np.lexsort((vector_ids, -similarities))[:k]
        return cls(vector_ids[order], photo_ids[order], similarities[order])

    @classmethod
    def united(cls, first: Matches, second: Matches, k: int) -> Matches:
        """The `k` best of two."""
        if not len(first) or not len(second):
            longer = first if len(first) else second
            return cls(longer.vector_ids[:k], longer.photo_ids[:k], longer.similarities[:k])
        return cls.best(
            np.concatenate([first.vector_ids, second.vector_ids]),
            np.concatenate([first.photo_ids, second.photo_ids]),
            np.concatenate([first.similarities, second.similarities]),
            k,
        )


def ids_of(listed: str | int | None) -> Ids:
    """The ids of which group_concat made one text: it is read ten times as fast as rows are fetched."""
    return np.fromstring(str(listed), np.int64, sep=",") if listed is not None else np.empty(0, np.int64)


def among(asked: Ids, ids: Ids) -> npt.NDArray[np.bool_]:
    """Which of `asked` are in `ids`, which rise and are 0 or more.

    A mask by id takes a nanosecond or two for each, where np.isin sorts both.
    """
    if not len(asked) or not len(ids):
        return np.zeros(len(asked), np.bool_)
    if len(asked) * _FEW < len(ids):
        at = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
        found: npt.NDArray[np.bool_] = ids[at] == asked
        return found
    mask = np.zeros(int(ids[-1]) + 2, np.bool_)
    mask[ids] = True
    return mask[np.where((asked < 0) | (asked > ids[-1]), len(mask) - 1, asked)]
