"""`near:38.7,-9.1,20km`, `near:lisbon,20km`: circles on the Earth, and the photos that were taken in them."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.errors import QueryError
from imgd.index.matches import Ids
from imgd.search.numbers import refused
from imgd.search.query import Filter

Numbers: TypeAlias = npt.NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
USUAL_KM = 10.0
"""How far off is near, where nothing is said of it."""

_KM = {"km": 1.0, "": 1.0, "m": 1e-3, "mi": 1.609344}
_DEGREES = r"[+-]?\d{1,3}(?:\.\d+)?"
_CIRCLE = re.compile(
    rf"(?:(?P<lat>{_DEGREES})\s*,\s*(?P<lon>{_DEGREES})|(?P<name>[^\d\s,.+-][^,]*))"
    r"(?:\s*,\s*(?P<radius>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*))?"
)

Locate: TypeAlias = Callable[[str], tuple[float, float] | None]
"""(lat, lon) of a place, by its name."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All within `radius_km` of a position in degrees, along the surface."""

    lat: float
    lon: float
    radius_km: float


def read_circle(condition: Filter, example: str, locate: Locate) -> Circle | None:
    """The circle that a filter names; None where its middle is a place that is not known.

    Raises:
        QueryError: where it names none, or none on Earth.
    """
    found = _CIRCLE.fullmatch(condition.value.strip().lower())
    if found is None or condition.comparison:
        raise refused(condition, "no position", example)
    unit = found["unit"] or ""
    if unit not in _KM:
        raise refused(condition, f"no distance in {', '.join(each for each in _KM if each)}", example)
    radius_km = float(found["radius"]) * _KM[unit] if found["radius"] else USUAL_KM
    middle = locate(found["name"].strip()) if found["name"] else (float(found["lat"]), float(found["lon"]))
    if middle is None:
        return None
    lat, lon = middle
    if abs(lat) > 90 or abs(lon) > 180:
        raise QueryError(
            f"`{condition.value}` is no position on Earth (column {condition.value_column})",
            column=condition.value_column,
            hint=f"Latitudes run from -90 to 90, longitudes from -180 to 180: `{example}`.",
        )
    return Circle(lat, lon, radius_km)


def photos_within(library: sqlite3.Connection, statement: str, circle: Circle) -> Ids:
    """Photos taken in `circle`: those of a box around it by the index, then by their great-circle distances."""
    angle = circle.radius_km / EARTH_RADIUS_KM
    south, north = circle.lat - math.degrees(angle), circle.lat + math.degrees(angle)
    box = {"south": south, "north": north, "west": -180.0, "east": 180.0, "west2": 1.0, "east2": 0.0}
    if south > -90 and north < 90:
        # Where the circle reaches farthest to the east it touches a meridian.
        reach = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(circle.lat)))))
        box |= _longitudes(circle.lon - reach, circle.lon + reach)
    rows = np.array(library.execute(statement, box).fetchall(), np.float64).reshape(-1, 3)
    inside = _distances_km(circle, rows[:, 1], rows[:, 2]) <= circle.radius_km
    photo_ids: Ids = rows[inside, 0].astype(np.int64)
    return photo_ids


def _longitudes(west: float, east: float) -> dict[str, float]:
    """One range, or two where it crosses the date line."""
    if west < -180:
        return {"west": -180.0, "east": east, "west2": west + 360, "east2": 180.0}
    if east > 180:
        return {"west": west, "east": 180.0, "west2": -180.0, "east2": east - 360}
    return {"west": west, "east": east, "west2": 1.0, "east2": 0.0}


def _distances_km(circle: Circle, lats: Numbers, lons: Numbers) -> Numbers:
    """By the haversine formula, which is exact enough for metres and for half the Earth."""
    lat, lats = math.radians(circle.lat), np.radians(lats)
    across = np.radians(lons) - math.radians(circle.lon)
    half = np.sin((lats - lat) / 2) ** 2 + math.cos(lat) * np.cos(lats) * np.sin(across / 2) ** 2
    distances: Numbers = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    return distances
