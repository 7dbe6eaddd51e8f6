"""Place names without a network: the city in whose core a coordinate lies, else the nearest populated place."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from imgd.metadata.gazetteer import Gazetteer, Place

MAX_DISTANCE_KM = 50.0
"""Beyond it a photo gets no name. Places of 1,000 people are seldom farther apart on inhabited land, and from
the open sea, a polar station or a desert the nearest town says nothing about the picture."""
CACHE_SIZE = 4_096


class PlaceFinder:
    """Finds the place at a coordinate: the city in whose core it lies, else the nearest place.

    The data list quarters beside their cities (`Intendente` in Lisbon); people look for the city. Loads on
    first use, and keeps what it made of the data in `cache`, where that is given; safe to share between threads.
    `max_distance_km`: beyond it nothing is found. Answers, None included, are remembered for the last CACHE_SIZE
    coordinates, equal to 4 decimals (11 m).
    """

    def __init__(self, max_distance_km: float = MAX_DISTANCE_KM, cache: Path | None = None) -> None:
        self.max_distance_km = max_distance_km
        self._cache = cache
        self._gazetteer: Gazetteer | None = None
        self._remembered: OrderedDict[tuple[float, float], Place | None] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, lat: float, lon: float) -> Place | None:
        """The place within `max_distance_km`; None where there is none or the coordinate is impossible."""
        return self.find_all([(lat, lon)])[0]

    def find_all(self, coordinates: Sequence[tuple[float, float]]) -> list[Place | None]:
        """As `find`, for many (lat, lon) in degrees with one query of the tree."""
        keys = [cache_key(lat, lon) for lat, lon in coordinates]
        with self._lock:
            unknown = [key for key in dict.fromkeys(keys) if key is not None and key not in self._remembered]
            if unknown:
                if self._gazetteer is None:
                    self._gazetteer = Gazetteer(self._cache)
                found = dict(zip(unknown, self._gazetteer.nearest(unknown, self.max_distance_km), strict=True))
            else:
                found = {}
            answers = [
                None if key is None else found[key] if key in found else self._remembered[key] for key in keys
            ]
            self._remember(keys, found)
        return answers

    def _remember(
        self, keys: list[tuple[float, float] | None], found: dict[tuple[float, float], Place | None]
    ) -> None:
        for key in keys:
            if key is not None:
                self._remembered.setdefault(key, found.get(key))
                self._remembered.move_to_end(key)
        while len(self._remembered) > CACHE_SIZE:
            self._remembered.popitem(last=False)


def cache_key(lat: float, lon: float) -> tuple[float, float] | None:
    """The coordinate to 4 decimals, None where it is none on Earth."""
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):
        return None
    return round(lat, 4), round(lon, 4)
