"""What one source (EXIF, XMP, IPTC, a file's own header) says of a photo; None means that it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from imgd.metadata.dates import Moment


@dataclass(frozen=True, slots=True)
class Position:
    """WGS-84 degrees, north and east positive; altitude in metres above sea level."""

    lat: float
    lon: float
    altitude_m: float | None = None


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """A box that a person or a program drew; `box` is (left, top, width, height), fractions of the photo.

    The fractions are of the picture as stored, before its orientation is applied: so do the programs that
    write such regions. `kind` is `person`, or the lower-case type that the file gives (`pet`, `focus`).
    """

    kind: str
    box: tuple[float, float, float, float]
    label: str


@dataclass(frozen=True, slots=True)
class Record:
    """`original`: when the picture was taken; `digitized`: when it became a file; `modified`: when last saved.

    `gps_utc`: time of the GPS fix, UTC, as a Moment's `local`. Aperture is the f-number; shutter in seconds;
    `exposure_bias_ev` in stops; `direction_deg` clockwise from north; `orientation` 1 to 8 as in EXIF;
    `rating` -1 (rejected) to 5. `hierarchies`: keywords with their parents, outermost first.
    """

    original: Moment | None = None
    digitized: Moment | None = None
    modified: Moment | None = None
    gps_utc: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens_make: str | None = None
    lens: str | None = None
    iso: float | None = None
    aperture: float | None = None
    shutter_s: float | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    flash: bool | None = None
    exposure_bias_ev: float | None = None
    orientation: int | None = None
    position: Position | None = None
    direction_deg: float | None = None
    rating: int | None = None
    title: str | None = None
    description: str | None = None
    artist: str | None = None
    copyright: str | None = None
    software: str | None = None
    width: int | None = None
    height: int | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    country_code: str | None = None
    keywords: tuple[str, ...] = ()
    hierarchies: tuple[tuple[str, ...], ...] = ()
    regions: tuple[NamedRegion, ...] = ()


_SILENT = (None, ())
FIELDS = tuple(field.name for field in fields(Record))


def fill(first: Record, second: Record) -> Record:
    """`first`, with `second` where it says nothing."""
    missing = {name: getattr(second, name) for name in FIELDS if getattr(first, name) in _SILENT}
    return replace(first, **missing)
