"""Whether photos that look alike by their hashes also look alike to the models: a second opinion by vector."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgd.store.database import Database
from imgd.store.statements import load_statements

CLOSE_BITS = 4
"""Hashes that differ in so few bits need but the lower bar."""
UNSEEN_BITS = 6
"""Photos that no space has a vector of must differ in no more bits than this."""

LOW_BAR, LOW_SHARE = 0.80, 0.95
HIGH_BAR, HIGH_SHARE = 0.87, 0.99
"""A bar is the similarity that this share of any two photos of the library stays below, and never more than the
number. Copies of 379 photos (JPEG of quality 50, half the size, 320 px, cropped by 2 %) have a cosine of at least
0.80 with their original in 99 % and 0.87 in 98 % in the concept space, any two of these photos in 15 % and 4 %."""

_SAMPLE = 1000
_SQL = load_statements("imgd.duplicates", "duplicates")

Space = tuple[int, int]
"""A space's id and the generation of its vectors: only those of one generation can be compared."""
Vectors = Mapping[Space, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Bars:
    low: float
    high: float


class SecondOpinion:
    """Compares photos by their vectors in every space that has both."""

    def __init__(self, database: Database, photo_ids: Sequence[int]) -> None:
        """Calibrate the bars on a sample of `photo_ids`, in an order of no meaning."""
        self._database = database
        chosen = np.random.default_rng(0).permutation(len(photo_ids))[:_SAMPLE]
        by_space: dict[Space, list[npt.NDArray[np.float32]]] = defaultdict(list)
        for vectors in self.read([int(photo_ids[each]) for each in chosen]).values():
            for space, vector in vectors.items():
                by_space[space].append(vector)
        self._bars = {space: _calibrate(np.stack(each)) for space, each in by_space.items() if len(each) > 1}

    @property
    def spaces(self) -> int:
        """How many spaces have a say."""
        return len(self._bars)

    def read(self, photo_ids: Sequence[int]) -> dict[int, dict[Space, npt.NDArray[np.float32]]]:
        """The vectors of whole photos, by photo and space; the first where there are several."""
        found: dict[int, dict[Space, npt.NDArray[np.float32]]] = defaultdict(dict)
        with self._database.read() as connection:
            rows = connection.execute(_SQL["vectors"], {"photo_ids": json.dumps(list(photo_ids))})
            for photo_id, space_id, generation, data in rows:
                found[photo_id].setdefault(
                    (space_id, generation), np.frombuffer(data, np.float16).astype(np.float32)
                )
        return found

    def agrees(self, left: Vectors, right: Vectors, bits: int) -> bool:
        """Whether two photos whose hashes differ in `bits` are alike in every space that has both."""
        shared = [space for space in left if space in right and space in self._bars]
        if not shared:
            return bits <= UNSEEN_BITS
        return all(
            float(left[space] @ right[space])
            >= (self._bars[space].low if bits <= CLOSE_BITS else self._bars[space].high)
            for space in shared
        )


def _calibrate(vectors: npt.NDArray[np.float32]) -> _Bars:
    """The bars of a space from a sample (n, d) of its vectors, L2-normalised."""
    similarities = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    low, high = np.quantile(similarities, (LOW_SHARE, HIGH_SHARE))
    return _Bars(min(LOW_BAR, float(low)), min(HIGH_BAR, float(high)))
