"""Moments as photos tell them: a local wall time, and its offset from UTC where that is known.

A camera writes the time its clock showed. imgd keeps that reading as it is (`2019-03-04T10:11:12.000`), so that
a search for a day finds the photographer's day, and keeps the offset beside it. Impossible and placeholder
dates (`0000:00:00`) are absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST_YEAR = 1826
"""The oldest photograph that exists; an earlier year is a fault of a clock or of a writer."""
LAST_YEAR = 2200
MAX_OFFSET_S = 14 * 3600
"""UTC+14 is the farthest time zone in use (Line Islands)."""
_LONGEST = 80
_GPS_SLACK_S = 150
"""A GPS fix is older than the exposure by up to a few minutes; zones differ by multiples of 15 minutes."""

_EXIF = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?\s*(.*)"
)
_XMP = re.compile(
    r"(\d{4})(?:[-:](\d{2})(?:[-:](\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?)?)?\s*(\S*)\s*"
)
_OFFSET = re.compile(r"([+\-−])(\d{2}):?(\d{2})")
_NAMED = re.compile(
    r"(?<!\d)(19[5-9]\d|20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:\s{1,3}at\s{1,3}|[-_ T.]{1,3})([01]\d|2[0-3])[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(\d{3}(?!\d))?"
)
_NAMED_DAY = re.compile(r"(?<!\d)(19[5-9]\d|20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Moment:
    """`local`: wall time as `YYYY-MM-DDTHH:MM:SS.fff`; `offset_s`: seconds east of UTC, None where unknown."""

    local: str
    offset_s: int | None = None

    @property
    def second(self) -> str:
        """The wall time to the second."""
        return self.local[:19]


def from_exif(date: str | None, fraction: str | None = None, offset: str | None = None) -> Moment | None:
    """EXIF's `YYYY:MM:DD HH:MM:SS` with its SubSecTime and OffsetTime (EXIF 2.31, 4.6.5)."""
    found = _EXIF.match(_short(date))
    if found is None:
        return None
    year, month, day, hour, minute, second, own_fraction, rest = found.groups()
    return _moment(
        (year, month, day, hour, minute, second), own_fraction or fraction, offset_seconds(offset or rest)
    )


def from_xmp(text: str | None) -> Moment | None:
    """An XMP date (ISO 8601, XMP part 1, 8.2.1.1), from a year alone to fractions of a second with a zone."""
    found = _XMP.fullmatch(_short(text))
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    return _moment(tuple(parts), fraction, offset_seconds(zone))


def from_iptc(date: str | None, time: str | None) -> Moment | None:
    """IIM's `CCYYMMDD` and `HHMMSS±HHMM` (IPTC IIM 4.2, datasets 2:55 and 2:60)."""
    digits = re.sub(r"\D", "", _short(date))
    if len(digits) != 8:
        return None
    clock = re.fullmatch(r"(\d{2}):?(\d{2}):?(\d{2})\s*(\S*)", _short(time))
    hour, minute, second, zone = clock.groups() if clock else ("00", "00", "00", "")
    return _moment((digits[:4], digits[4:6], digits[6:], hour, minute, second), None, offset_seconds(zone))


def from_file_name(name: str) -> Moment | None:
    """The date in names such as `IMG_20190304_101112.jpg` and `2019-03-04 10.11.12.jpg`, or the day alone."""
    if "-WA" not in name and (found := _NAMED.search(name)):
        year, _, month, day, hour, minute, second, fraction = found.groups()
        return _moment((year, month, day, hour, minute, second), fraction, None)
    if found := _NAMED_DAY.search(name):
        return _moment((found[1], found[3], found[4], "00", "00", "00"), None, None)
    return None


def from_unix(seconds: int) -> Moment | None:
    """Seconds since 1970 of the camera's own wall time; the first day is a clock that was never set."""
    if not 86_400 <= seconds < 2**32:
        return None
    return Moment(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"))


def from_parts(*parts: int) -> Moment | None:
    """A wall time given as numbers: year, month, day, hour, minute, second."""
    return _moment(tuple(str(part) for part in parts), None, None)


def offset_seconds(text: str | None) -> int | None:
    """`+02:00`, `-0500` or `Z` as seconds east of UTC."""
    text = _short(text)
    if text in {"Z", "z"}:
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    if seconds > MAX_OFFSET_S or int(found[3]) > 59:
        return None
    return seconds if found[1] == "+" else -seconds


def offset_from_gps(local: str, utc: str | None) -> int | None:
    """The zone that explains the difference between a camera's wall time and the GPS time of its position."""
    if utc is None:
        return None
    difference = (datetime.fromisoformat(local) - datetime.fromisoformat(utc)).total_seconds()
    nearest = round(difference / 900) * 900
    if abs(difference - nearest) > _GPS_SLACK_S or abs(nearest) > MAX_OFFSET_S:
        return None
    return nearest


def _short(text: str | None) -> str:
    """No moment takes as much; patterns with several optional parts take long over pages of blanks."""
    return (text or "").strip()[:_LONGEST]


def _moment(parts: tuple[str | None, ...], fraction: str | None, offset_s: int | None) -> Moment | None:
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in parts)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        # A leap second (60) is the first moment of the next minute for datetime.
        moment = datetime(year, month or 1, day or 1, hour, minute, min(second, 59))  # noqa: DTZ001 - wall time
    except ValueError:
        return None
    digits = re.match(r"\d*", (fraction or "").strip())
    moment += timedelta(milliseconds=int((digits[0] if digits else "").ljust(3, "0")[:3]))
    return Moment(moment.isoformat(timespec="milliseconds"), offset_s)
