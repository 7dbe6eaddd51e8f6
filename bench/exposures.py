"""What the cameras of a made library wrote into their files."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from events import Event
from world import Camera, towns

METADATA_COLUMNS = (
    "taken_at", "taken_offset_s", "camera_make", "camera_model", "lens", "iso", "aperture", "shutter_s",
    "focal_mm", "orientation", "rating", "lat", "lon", "altitude_m", "city", "region", "country", "country_code",
)  # fmt: skip
_ISOS = (50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0)
_APERTURES = (1.4, 1.8, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0)
_SHUTTERS = (1 / 4000, 1 / 2000, 1 / 1000, 1 / 500, 1 / 250, 1 / 125, 1 / 60, 1 / 30, 1 / 8, 1.0, 4.0)


def make_metadata(
    camera: Camera,
    event: Event,
    moment: datetime.datetime,
    draw: Sequence[float],
    *,
    upright: bool,
    width: int,
    height: int,
) -> dict[str, Any]:
    """The facts of the metadata analyzer; `draw` are eight numbers from 0 to 1."""
    made: dict[str, Any] = {
        "taken_at": f"{moment:%Y-%m-%dT%H:%M:%S}", "taken_offset_s": 3600,
        "camera_make": camera.make, "camera_model": camera.model,
        "lens": camera.lenses[int(draw[3] ** 2 * len(camera.lenses))],
        "iso": _ISOS[min(int(abs(draw[4] - draw[5]) * 11), 8)],
        "aperture": _APERTURES[int((draw[5] + draw[6]) / 2 * len(_APERTURES))],
        "shutter_s": _SHUTTERS[int((draw[4] + draw[7]) / 2 * len(_SHUTTERS))],
        "focal_mm": camera.focals_mm[int(draw[6] * len(camera.focals_mm))],
        "flash": draw[7] < 0.1, "orientation": 6 if upright else 1, "width": width, "height": height,
    }  # fmt: skip
    if draw[2] > 0.9:
        made["rating"] = 1 + int((draw[2] - 0.9) * 50)
    if event.has_gps and draw[1] < 0.97:
        town = towns()[event.town]
        made |= {
            "lat": round(town.lat + (draw[4] - 0.5) * 0.1, 6), "lon": round(town.lon + (draw[5] - 0.5) * 0.1, 6),
            "altitude_m": round(600 * draw[6] ** 3, 1), "city": town.city, "region": town.region,
            "country": town.country, "country_code": town.country_code,
        }  # fmt: skip
    return made
