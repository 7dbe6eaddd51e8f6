"""From which similarity on two photos of a library are alike by more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgd.index.vectors import SpaceIndex

OUTSTANDING = 2.0
"""How many scatters above the centre two photos must be alike. Of the pairs of 58 photos with known objects, 7 %
share a kind of object other than `person`; of those above the limit, 50 % do. 1.5 makes it 33 %; 2.5 makes it 77 %
and leaves two thirds of the photos without another one that is like them."""

NEAREST = 2 / 3
"""How far of the way from the centre to being the same (1.0) the limit may lie. In a library of one kind of photo
(portraits, a time lapse) the centre is near 1 already, and scatters would put the limit beyond what a copy has."""

COPY = 0.995
"""What a copy reaches at least, the rounding of stored vectors and of indexes included."""

SAME = 16.0
"""How many scatters being the same counts in a ranking: alone it scores 0.476 (`rank.score`), in every library. By
the library's own scatters that would depend on how much its photos differ: between 0.13 and 0.5."""

SAMPLE = 1000
"""Photos whose pairs are compared."""

_RENEW_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class PhotoCutoff:
    """Similarity of two photos by chance: the median of the library's pairs, and the distance from it to their
    84th percentile, as in a `Cutoff`."""

    centre: float
    scatter: float

    @property
    def least(self) -> float:
        """The similarity from which two photos count as alike."""
        nearest = self.centre + NEAREST * (1.0 - self.centre)
        return min(self.centre + OUTSTANDING * self.scatter, nearest, COPY)

    @property
    def scale(self) -> tuple[float, float]:
        """From which similarity on likeness counts in a ranking, and how much more counts as one scatter there."""
        centre = min(self.centre, COPY)
        return centre, (1.0 - centre) / SAME


class PhotoCutoffs:
    """The limits of all spaces, measured when first asked for and again when a space has changed enough."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, PhotoCutoff]] = {}

    def of_photos(self, index: SpaceIndex) -> PhotoCutoff | None:
        """The limit of `index`; None while it has no vectors. Reads the library: not for the event loop."""
        index.catch_up()
        newest_id = index.newest_id
        known = self._known.get(index.space.name)
        if known is not None and newest_id - known[0] <= _RENEW_SHARE * index.size:
            return known[1]
        vectors = index.sample(SAMPLE)
        if not len(vectors):
            return None
        pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        centre, upper = np.percentile(pairs, (50.0, 84.13)) if len(pairs) else (0.0, 0.0)
        cutoff = PhotoCutoff(float(centre), float(upper - centre))
        self._known[index.space.name] = (newest_id, cutoff)
        return cutoff
