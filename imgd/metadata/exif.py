"""EXIF: what the camera wrote (CIPA DC-008, EXIF 2.32; tag numbers as there).

Every field is read on its own, so one malformed value costs that value alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from imgd.domain import ByteRange
from imgd.metadata import dates, maker
from imgd.metadata.dates import Moment
from imgd.metadata.record import Position, Record
from imgd.metadata.tiff import Directory, clean_text, open_tiff

_FACTORY_DESCRIPTIONS = frozenset(
    {"OLYMPUS DIGITAL CAMERA", "SONY DSC", "DIGITAL CAMERA", "KONICA MINOLTA DIGITAL CAMERA",
     "MINOLTA DIGITAL CAMERA", "KODAK Digital Still Camera", "Exif_JPEG_PICTURE", "EXIF_JPEG_T422",
     "DCIM\\100MEDIA", "SAMSUNG", "SAMSUNG CAMERA PICTURES", "Camera", "default"}
)  # fmt: skip
"""What cameras write into every photo's description; it describes none of them."""
_UNKNOWN_ISO = 65535


@dataclass(frozen=True, slots=True)
class Directories:
    """The parts of an EXIF structure; the RAW formats that split it (CR3) bring each in a block of its own."""

    image: Directory | None = None
    camera: Directory | None = None
    gps: Directory | None = None
    canon: Directory | None = None


def read(data: ByteRange, start: int, end: int, problems: list[str]) -> Record:
    """The Record of the EXIF structure whose TIFF header is at `start` of `data`."""
    tiff = open_tiff(data, start, end, problems)
    image = tiff.first_directory() if tiff else None
    if image is None:
        return Record()
    directories = Directories(image, image.pointed(0x8769, "camera"), image.pointed(0x8825, "GPS"))
    return read_directories(directories)


def read_directories(directories: Directories) -> Record:
    """The Record of already opened directories."""
    fields = _Fields(directories.camera, directories.image)
    make = fields.text(0x010F)
    note = _maker_facts(make or fields.text(0xC614) or "", directories)
    position, direction, gps_utc = _gps(directories.gps)
    description = fields.text(0x010E)
    return Record(
        original=fields.moment(0x9003, 0x9291, 0x9011) or note.taken,
        digitized=fields.moment(0x9004, 0x9292, 0x9012),
        modified=fields.moment(0x0132, 0x9290, 0x9010),
        gps_utc=gps_utc,
        camera_make=make,
        camera_model=fields.text(0x0110) or fields.text(0xC614),
        lens_make=fields.text(0xA433),
        lens=_lens(fields, note),
        iso=_iso(fields) or note.iso,
        aperture=note.aperture or fields.positive(0x829D) or maker.apex_aperture(fields.number(0x9202)),
        shutter_s=note.shutter_s or fields.positive(0x829A) or maker.apex_shutter(fields.number(0x9201)),
        focal_mm=fields.positive(0x920A),
        focal_35mm=fields.positive(0xA405),
        flash=_flash(fields.number(0x9209)),
        exposure_bias_ev=fields.number(0x9204),
        orientation=_between(fields.number(0x0112), 1, 8),
        position=position,
        direction_deg=direction,
        rating=_between(fields.number(0x4746), 1, 5),
        title=fields.windows_text(0x9C9B),
        description=(None if description in _FACTORY_DESCRIPTIONS else description)
        or fields.windows_text(0x9C9F)
        or fields.windows_text(0x9C9C)
        or fields.comment(0x9286),
        artist=fields.text(0x013B) or fields.windows_text(0x9C9D),
        copyright=fields.text(0x8298),
        software=fields.text(0x0131),
        width=_between(fields.number(0xA002), 1, 10**6),
        height=_between(fields.number(0xA003), 1, 10**6),
        keywords=tuple(part.strip() for part in (fields.windows_text(0x9C9E) or "").split(";") if part.strip()),
    )


class _Fields:
    """Tags looked up in the camera's directory, then in the image's (TIFF/EP keeps all in the latter)."""

    def __init__(self, camera: Directory | None, image: Directory | None) -> None:
        self._holders: dict[int, Directory] = {}
        for directory in (image, camera):
            if directory is not None:
                self._holders.update(dict.fromkeys(directory.entries, directory))

    def text(self, tag: int) -> str | None:
        holder = self._holders.get(tag)
        return holder.text(tag) if holder else None

    def number(self, tag: int) -> float | None:
        holder = self._holders.get(tag)
        return holder.number(tag) if holder else None

    def positive(self, tag: int) -> float | None:
        """A measure whose zero means unknown."""
        value = self.number(tag)
        return value if value is not None and value > 0 else None

    def numbers(self, tag: int) -> tuple[float, ...]:
        holder = self._holders.get(tag)
        return holder.numbers(tag) if holder else ()

    def lens(self, tag: int) -> str | None:
        holder = self._holders.get(tag)
        return maker.lens_from(holder, tag) if holder else None

    def moment(self, tag: int, fraction_tag: int, offset_tag: int) -> Moment | None:
        return dates.from_exif(self.text(tag), self.text(fraction_tag), self.text(offset_tag))

    def windows_text(self, tag: int) -> str | None:
        """Windows Explorer's XP tags: UTF-16, little-endian whatever the file's own order."""
        holder = self._holders.get(tag)
        raw = holder.raw(tag) if holder else b""
        return clean_text(raw.decode("utf-16-le", "replace").split("\0")[0]) or None

    def comment(self, tag: int) -> str | None:
        """UserComment: eight bytes name its character set, then the text."""
        holder = self._holders.get(tag)
        if holder is None:
            return None
        raw = holder.raw(tag)
        charset, body = raw[:8].rstrip(b"\0 "), raw[8:]
        if charset == b"UNICODE":
            text = body.decode("utf-16-le" if holder.tiff.order == "<" else "utf-16-be", "replace")
        elif charset == b"ASCII":
            text = body.decode("latin-1")
        else:
            return None
        return clean_text(text.split("\0")[0]) or None


def _lens(fields: _Fields, note: maker.MakerFacts) -> str | None:
    """The stated name first (EXIF, then the maker's), then one made of numbers."""
    return (
        fields.lens(0xA434)
        or note.lens
        or maker.lens_name(fields.numbers(0xA432))
        or maker.lens_name(fields.numbers(0xC630))  # DNG LensInfo
        or note.lens_range
    )


def _maker_facts(make: str, directories: Directories) -> maker.MakerFacts:
    if directories.canon is not None:
        return maker.canon_note(directories.canon)
    for directory in (directories.camera, directories.image):
        entry = directory.entries.get(0x927C) if directory else None
        if directory is not None and entry is not None:
            return maker.read(make, directory.tiff, entry.position, entry.size_bytes)
    return maker.NOTHING


def _iso(fields: _Fields) -> float | None:
    """The speed; 65535 says that it is too large for the old tag and stands in a newer one (EXIF 2.3, 4.6.5)."""
    for tag in (0x8827, 0x8832, 0x8831, 0x8833):
        for value in fields.numbers(tag):
            if math.isfinite(value) and value > 0 and not (tag == 0x8827 and value == _UNKNOWN_ISO):
                return value
    return None


def _flash(value: float | None) -> bool | None:
    """Bit 0 says whether it fired."""
    return None if value is None or value < 0 else bool(int(value) & 1)


def _between(value: float | None, low: int, high: int) -> int | None:
    return int(value) if value is not None and low <= value <= high else None


def _gps(gps: Directory | None) -> tuple[Position | None, float | None, str | None]:
    if gps is None:
        return None, None, None
    position = None
    lat = _degrees(gps.numbers(2), gps.text(1), "S", 90)
    lon = _degrees(gps.numbers(4), gps.text(3), "W", 180)
    if lat is not None and lon is not None:
        position = Position(lat, lon, _altitude(gps))
    elif 2 in gps.entries and 4 in gps.entries:
        gps.tiff.note("GPS coordinates are malformed")
    direction = gps.number(0x11)
    if direction is not None and not 0 <= direction <= 360:
        direction = None
    return position, direction, _gps_time(gps)


def _degrees(parts: tuple[float, ...], reference: str | None, negative: str, limit: int) -> float | None:
    """Degrees, minutes, seconds to signed degrees; a part after the first that is undefined counts as none."""
    if not parts or not math.isfinite(parts[0]) or not reference:
        return None
    minutes, seconds = ((*parts[1:3], 0.0, 0.0))[:2]
    value = (
        parts[0]
        + (minutes if math.isfinite(minutes) else 0) / 60
        + (seconds if math.isfinite(seconds) else 0) / 3600
    )
    if abs(value) > limit:
        return None
    return -value if reference[0].upper() == negative else value


def _altitude(gps: Directory) -> float | None:
    altitude = gps.number(6)
    if altitude is None or abs(altitude) > 100_000:
        return None
    return -altitude if gps.number(5) == 1 else altitude


def _gps_time(gps: Directory) -> str | None:
    day, clock = gps.text(0x1D), gps.numbers(7)
    if not day or len(clock) < 3 or not all(math.isfinite(part) and 0 <= part < 61 for part in clock[:3]):
        return None
    moment = dates.from_exif(f"{day} {int(clock[0]):02d}:{int(clock[1]):02d}:{int(clock[2]):02d}")
    return moment.local if moment else None
