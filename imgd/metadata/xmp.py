"""XMP: what programs and people wrote, inside a file or in a sidecar.

Names as in XMP part 2, the MWG guidelines 2.0, IPTC Core and Extension 2019, and Microsoft's People Tag schema.
"""

from __future__ import annotations

import math
import re
from typing import Final

from imgd.metadata import dates, maker, rdf
from imgd.metadata.rdf import Struct
from imgd.metadata.record import NamedRegion, Position, Record

_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_XMP: Final = "{http://ns.adobe.com/xap/1.0/}"
_EXIF: Final = "{http://ns.adobe.com/exif/1.0/}"
_EXIF_EX: Final = "{http://cipa.jp/exif/1.0/}"
_AUX: Final = "{http://ns.adobe.com/exif/1.0/aux/}"
_TIFF: Final = "{http://ns.adobe.com/tiff/1.0/}"
_PHOTOSHOP: Final = "{http://ns.adobe.com/photoshop/1.0/}"
_LIGHTROOM: Final = "{http://ns.adobe.com/lightroom/1.0/}"
_DIGIKAM: Final = "{http://www.digikam.org/ns/1.0/}"
_MWG: Final = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA: Final = "{http://ns.adobe.com/xmp/sType/Area#}"
_OLD_AREA: Final = "{http://ns.adobe.com/xap/1.0/sType/Area#}"
_MP: Final = "{http://ns.microsoft.com/photo/1.2/}"
_MPRI: Final = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
_MPREG: Final = "{http://ns.microsoft.com/photo/1.2/t/Region#}"
_MS_RATINGS: Final = ("{http://ns.microsoft.com/photo/1.0/}Rating", "{http://ns.microsoft.com/photo/1.0}Rating")
_CORE: Final = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_EXT: Final = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"

_MAX_REGIONS: Final = 500
_LONGEST_COORDINATE: Final = 80
_COORDINATE: Final = re.compile(
    r"\s*(-?\d+(?:\.\d+)?)(?:[,;\s]+(\d+(?:\.\d+)?))?(?:[,;\s]+(\d+(?:\.\d+)?))?\s*([NSEWnsew]?)\s*"
)


def read(packet: bytes, problems: list[str]) -> Record:
    """The Record of one packet; one that cannot be parsed is a problem and says nothing."""
    try:
        found = rdf.parse(packet)
    except ValueError as error:
        problems.append(str(error))
        return Record()
    location = _location(found)
    return Record(
        original=dates.from_xmp(found.text(f"{_EXIF}DateTimeOriginal"))
        or dates.from_xmp(found.text(f"{_PHOTOSHOP}DateCreated")),
        digitized=dates.from_xmp(found.text(f"{_EXIF}DateTimeDigitized"))
        or dates.from_xmp(found.text(f"{_XMP}CreateDate")),
        modified=dates.from_xmp(found.text(f"{_TIFF}DateTime")) or dates.from_xmp(found.text(f"{_XMP}ModifyDate")),
        camera_make=found.text(f"{_TIFF}Make"),
        camera_model=found.text(f"{_TIFF}Model"),
        lens_make=found.text(f"{_EXIF_EX}LensMake"),
        lens=_lens(found),
        iso=_positive(found.text(f"{_EXIF}ISOSpeedRatings", f"{_EXIF_EX}PhotographicSensitivity")),
        aperture=_positive(found.text(f"{_EXIF}FNumber")),
        shutter_s=_positive(found.text(f"{_EXIF}ExposureTime")),
        focal_mm=_positive(found.text(f"{_EXIF}FocalLength")),
        focal_35mm=_positive(found.text(f"{_EXIF}FocalLengthIn35mmFilm")),
        flash=_flash(found),
        exposure_bias_ev=_number(found.text(f"{_EXIF}ExposureBiasValue")),
        orientation=_between(_number(found.text(f"{_TIFF}Orientation")), 1, 8),
        position=_position(found),
        direction_deg=_number(found.text(f"{_EXIF}GPSImgDirection")),
        rating=_rating(found),
        title=found.text(f"{_DC}title", f"{_PHOTOSHOP}Headline"),
        description=found.text(f"{_DC}description", f"{_TIFF}ImageDescription"),
        artist=", ".join(found.items(f"{_DC}creator")) or found.text(f"{_TIFF}Artist"),
        copyright=found.text(f"{_DC}rights", f"{_TIFF}Copyright"),
        software=found.text(f"{_TIFF}Software", f"{_XMP}CreatorTool"),
        width=_between(_number(found.text(f"{_EXIF}PixelXDimension")), 1, 10**6),
        height=_between(_number(found.text(f"{_EXIF}PixelYDimension")), 1, 10**6),
        city=found.text(f"{_PHOTOSHOP}City") or _part(location, "City"),
        region=found.text(f"{_PHOTOSHOP}State") or _part(location, "ProvinceState"),
        country=found.text(f"{_PHOTOSHOP}Country") or _part(location, "CountryName"),
        country_code=found.text(f"{_CORE}CountryCode") or _part(location, "CountryCode"),
        keywords=tuple(dict.fromkeys(found.items(f"{_DC}subject"))),
        hierarchies=_hierarchies(found),
        regions=tuple([*_mwg_regions(found), *_microsoft_regions(found)][:_MAX_REGIONS]),
    )


def _location(found: Struct) -> Struct | None:
    """The place that the picture shows, else the one it was taken at (IPTC Extension; a list or one alone)."""
    for name in (f"{_EXT}LocationShown", f"{_EXT}LocationCreated"):
        if listed := next(found.structs(name), None):
            return listed
        if alone := found.struct(name):
            return alone
    return None


def _part(location: Struct | None, name: str) -> str | None:
    return location.text(f"{_EXT}{name}") if location else None


def _number(text: str | None) -> float | None:
    """A decimal or a rational `28/10`."""
    top, _, bottom = (text or "").partition("/")
    try:
        value = float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _positive(text: str | None) -> float | None:
    value = _number(text)
    return value if value is not None and value > 0 else None


def _between(value: float | None, low: int, high: int) -> int | None:
    return int(value) if value is not None and low <= value <= high else None


def _rating(found: Struct) -> int | None:
    """xmp:Rating, -1 (rejected) to 5, where 0 means that nobody rated; else Windows' own, in percent."""
    value = _number(found.text(f"{_XMP}Rating"))
    if value is not None:
        return _between(round(value), -1, 5) or None
    percent = _number(found.text(*_MS_RATINGS))
    return None if percent is None or not 1 <= percent <= 99 else 1 + round((percent - 1) / 24.5)


def _lens(found: Struct) -> str | None:
    name = found.text(f"{_EXIF_EX}LensModel", f"{_AUX}Lens")
    if name and not name.strip("-0 ?.").isdigit():
        return name
    info = [_number(part) for part in (found.text(f"{_AUX}LensInfo") or "").split()[:4]]
    info = info or [_number(part) for part in found.items(f"{_EXIF_EX}LensSpecification")[:4]]
    return maker.lens_name(tuple(math.nan if value is None else value for value in info))


def _flash(found: Struct) -> bool | None:
    fired = (found.struct(f"{_EXIF}Flash") or Struct({}, {})).text(f"{_EXIF}Fired")
    if fired is not None:
        return fired.lower() == "true"
    value = _number(found.text(f"{_EXIF}Flash"))
    return None if value is None else bool(int(value) & 1)


def _hierarchies(found: Struct) -> tuple[tuple[str, ...], ...]:
    """Keywords with their parents: Lightroom parts them by `|`, digiKam by `/`."""
    paths = [item.split("|") for item in found.items(f"{_LIGHTROOM}hierarchicalSubject")]
    paths += [item.split("/") for item in found.items(f"{_DIGIKAM}TagsList")]
    cleaned = (tuple(part.strip() for part in path if part.strip()) for path in paths)
    return tuple(dict.fromkeys(path for path in cleaned if path))


def _position(found: Struct) -> Position | None:
    lat = _degrees(found.text(f"{_EXIF}GPSLatitude"), found.text(f"{_EXIF}GPSLatitudeRef"), 90)
    lon = _degrees(found.text(f"{_EXIF}GPSLongitude"), found.text(f"{_EXIF}GPSLongitudeRef"), 180)
    if lat is None or lon is None:
        return None
    altitude = _number(found.text(f"{_EXIF}GPSAltitude"))
    if altitude is not None and found.text(f"{_EXIF}GPSAltitudeRef") == "1":
        altitude = -abs(altitude)
    return Position(lat, lon, altitude)


def _degrees(text: str | None, reference: str | None, limit: int) -> float | None:
    """`DDD,MM.mmk` or `DDD,MM,SSk` (XMP part 2, 1.2.7.4), or plain signed degrees with a separate reference."""
    read = _COORDINATE.fullmatch((text or "")[:_LONGEST_COORDINATE])
    if read is None:
        return None
    whole = abs(float(read[1])) + float(read[2] or 0) / 60 + float(read[3] or 0) / 3600
    letter = (read[4] or (reference or "")[:1]).upper()
    negative = read[1].startswith("-") or letter in {"S", "W"}
    return None if whole > limit else -whole if negative else whole


def _mwg_regions(found: Struct) -> list[NamedRegion]:
    """MWG 2.0, 5.9: the centre and size of each area, as fractions."""
    container = found.struct(f"{_MWG}Regions")
    regions = []
    for each in container.structs(f"{_MWG}RegionList") if container else ():
        area = each.struct(f"{_MWG}Area")
        name = each.text(f"{_MWG}Name") or ""
        if area is None or not name:
            continue
        x, y, w, h = (_number(area.text(f"{_AREA}{key}", f"{_OLD_AREA}{key}")) for key in "xywh")
        if x is None or y is None:
            continue
        w, h = w or 0.0, h or 0.0
        kind = (each.text(f"{_MWG}Type") or "Face").lower()
        box = _inside((x - w / 2, y - h / 2, w, h))
        if box is not None:
            regions.append(NamedRegion("person" if kind == "face" else kind, box, name))
    return regions


def _microsoft_regions(found: Struct) -> list[NamedRegion]:
    """Windows people tags: `left, top, width, height` as fractions."""
    info = found.struct(f"{_MP}RegionInfo")
    regions = []
    for each in info.structs(f"{_MPRI}Regions") if info else ():
        numbers = [_number(part) for part in (each.text(f"{_MPREG}Rectangle") or "").split(",")]
        name = each.text(f"{_MPREG}PersonDisplayName")
        if not name or len(numbers) != 4 or None in numbers:
            continue
        left, top, width, height = (value or 0.0 for value in numbers)
        if box := _inside((left, top, width, height)):
            regions.append(NamedRegion("person", box, name))
    return regions


def _inside(box: tuple[float, float, float, float]) -> tuple[float, float, float, float] | None:
    """The part of the box inside the photo, or None where none is."""
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], 1.0), min(box[1] + box[3], 1.0)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
