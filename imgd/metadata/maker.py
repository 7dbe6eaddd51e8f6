"""Maker notes: what a camera says in its maker's own format, as far as a photo's plain facts need it.

Each maker's note is a TIFF directory with a head and an offset base of its own. The layouts are those that
ExifTool's tag tables and Exiv2's makernote documentation describe.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from imgd.metadata import dates
from imgd.metadata.dates import Moment
from imgd.metadata.tiff import Directory, Tiff, decode_text, open_tiff

_CANON_NO_LENS = frozenset({0, 65535})


@dataclass(frozen=True, slots=True)
class MakerFacts:
    """`lens`: the name that the note states; `lens_range`: a name made of its focal lengths and apertures.

    `aperture` (f-number) and `shutter_s` are set only where the EXIF has them rounded or not at all.
    """

    lens: str | None = None
    lens_range: str | None = None
    iso: float | None = None
    aperture: float | None = None
    shutter_s: float | None = None
    taken: Moment | None = None


NOTHING = MakerFacts()


def read(make: str, tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    """What the note at `position` of `tiff`'s data says; NOTHING where its layout is not known."""
    # A note is private and often moved by editors that leave its offsets stale: its faults are not the photo's.
    quiet = Tiff(tiff.data, tiff.base, tiff.end, tiff.order, [])
    head = tiff.data[position : position + 16]
    make = make.lower()
    for known, reader in _SIGNED.items():
        if head.startswith(known):
            return reader(quiet, position, size_bytes)
    for known_make, reader in _UNSIGNED.items():
        if make.startswith(known_make):
            return reader(quiet, position, size_bytes)
    return NOTHING


def lens_name(numbers: tuple[float, ...]) -> str | None:
    """`24-70mm f/2.8` from shortest and longest focal length in mm and the widest aperture at each."""
    if len(numbers) < 2 or not all(0 < focal < 10_000 for focal in numbers[:2]):
        return None
    name = f"{_range(numbers[0], numbers[1])}mm"
    apertures = [value for value in numbers[2:4] if math.isfinite(value) and 0 < value < 100]
    return f"{name} f/{_range(apertures[0], apertures[-1])}" if apertures else name


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g}-{high:.4g}"


def apex_aperture(value: float | None) -> float | None:
    """f-number = 2^(Av/2) (EXIF 2.32, annex C)."""
    return 2 ** (value / 2) if value is not None and 0 < value < 20 else None


def apex_shutter(value: float | None) -> float | None:
    """Exposure time in seconds = 2^-Tv; 0 is what writers put for unknown."""
    return 2**-value if value is not None and -20 < value < 30 and value != 0 else None


def canon_facts(settings: tuple[float, ...], shot: tuple[float, ...], lens: str | None, model: str) -> MakerFacts:
    """What Canon's CameraSettings (0x0001) and ShotInfo (0x0004), lists of signed 16-bit numbers, say.

    Both begin with their own length in bytes; one that does not was read through a stale offset.
    """
    settings = settings if settings and settings[0] == 2 * len(settings) else ()
    shot = shot if shot and shot[0] == 2 * len(shot) else ()
    measured = (_canon_ev(shot[21]), _canon_ev(shot[22])) if len(shot) > 22 else (None, None)
    return MakerFacts(
        lens=lens,
        lens_range=_canon_lens(settings, model),
        iso=_canon_iso(settings, shot),
        aperture=apex_aperture(measured[0]),
        shutter_s=apex_shutter(measured[1]),
    )


def _canon_ev(value: float) -> float:
    """Stops in 32nds, where 12 and 20 stand for the thirds."""
    whole, part = divmod(abs(int(value)), 32)
    stops = whole + {12: 1 / 3, 20: 2 / 3}.get(part, part / 32)
    return math.copysign(stops, value)


def _canon_lens(settings: tuple[float, ...], model: str) -> str | None:
    if len(settings) < 26 or settings[25] == 0:
        return None
    lens_type, longest, shortest, units = (settings[index] % 65536 for index in (22, 23, 24, 25))
    if lens_type in _CANON_NO_LENS and "EOS" not in model:
        return None  # a compact: its one lens has no name
    return lens_name((shortest / units, longest / units))


def _canon_iso(settings: tuple[float, ...], shot: tuple[float, ...]) -> float | None:
    if len(settings) > 16 and 0 < settings[16] < 0x7FFF and int(settings[16]) & 0x4000:
        return float(int(settings[16]) & 0x3FFF)
    if len(shot) > 2 and shot[2]:
        stops = (shot[1] + shot[2]) / 32
        return 100 / 32 * 2**stops if 0 < stops < 24 else None
    return None


def _canon(tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    """A bare directory; its last 8 bytes say where the note began, so that offsets survive a move of the note."""
    footer = tiff.data[position + size_bytes - 8 : position + size_bytes]
    base = tiff.base
    if footer[:4] in {b"II*\0", b"MM\0*"}:
        base = position - int.from_bytes(footer[4:], "little" if tiff.order == "<" else "big")
    note = Tiff(tiff.data, base, tiff.end, tiff.order, []).directory(position - base)
    if note is None:
        return NOTHING
    facts = canon_note(note)
    return replace(facts, aperture=None, shutter_s=None)  # the EXIF has them


def canon_note(note: Directory) -> MakerFacts:
    """What the directory of a Canon note says."""
    settings, shot = _signed(note.numbers(0x0001)), _signed(note.numbers(0x0004))
    return canon_facts(settings, shot, lens_from(note, 0x0095), note.text(0x0006) or "")


def _signed(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value - 65536 if value > 32767 else value for value in values)


def _nikon(tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    """Three generations: its own TIFF structure 10 bytes in, a directory 8 bytes in, or a bare directory."""
    data = tiff.data
    if data[position : position + 6] == b"Nikon\0" and data[position + 6 : position + 7] >= b"\x02":
        own = open_tiff(data, position + 10, min(position + size_bytes, tiff.end), [])
        note = own.first_directory() if own else None
    elif data[position : position + 6] == b"Nikon\0":
        return NOTHING  # Coolpix 700 to 950: no lens, and ISO is in the EXIF
    else:
        note = tiff.directory(position - tiff.base)
    if note is None:
        return NOTHING
    isos = note.numbers(0x0002)
    return MakerFacts(
        lens_range=lens_name(note.numbers(0x0084)),
        iso=next((value for value in reversed(isos) if 0 < value < 65535), None),
    )


def _olympus_new(tiff: Tiff, position: int, _size_bytes: int) -> MakerFacts:
    own = tiff.data[position : position + 2] == b"OM"
    start = 16 if own else 12
    order = {b"II": "<", b"MM": ">"}.get(tiff.data[position + start - 4 : position + start - 2])
    if order is None:
        return NOTHING
    based = Tiff(tiff.data, position, tiff.end, order, [])
    note = based.directory(start)
    entry = note.entries.get(0x2010) if note else None
    if note is None or entry is None:
        return NOTHING
    offset = entry.position - position if entry.kind == 7 else note.integer(0x2010) or 0
    equipment = based.directory(offset)
    return MakerFacts(lens=_named(equipment.text(0x0203))) if equipment else NOTHING


def _fuji(tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    based = Tiff(tiff.data, position, min(position + size_bytes, tiff.end), "<", [])
    note = based.directory(int.from_bytes(tiff.data[position + 8 : position + 12], "little"))
    if note is None:
        return NOTHING
    numbers = tuple(note.number(tag) or 0.0 for tag in (0x1404, 0x1405, 0x1406, 0x1407))
    return MakerFacts(lens_range=lens_name(numbers))


def _panasonic(tiff: Tiff, position: int, _size_bytes: int) -> MakerFacts:
    note = tiff.directory(position + 12 - tiff.base)
    return MakerFacts(lens=_named(note.text(0x0051))) if note else NOTHING


def _sony(tiff: Tiff, position: int, _size_bytes: int) -> MakerFacts:
    headed = tiff.data[position : position + 4] == b"SONY"
    note = tiff.directory(position + (12 if headed else 0) - tiff.base)
    spec = note.raw(0xB02A, 8) if note else b""
    if len(spec) != 8:
        return NOTHING
    try:  # binary-coded decimal: flags, shortest, longest in mm, apertures in tenths, flags
        shortest, longest = int(spec[1:3].hex()), int(spec[3:5].hex())
        apertures = int(spec[5:6].hex()) / 10, int(spec[6:7].hex()) / 10
    except ValueError:
        return NOTHING
    return MakerFacts(lens_range=lens_name((shortest, longest or shortest, *apertures)))


def _reconyx(tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    """Hyperfire trail cameras: little-endian 16-bit words, of which 11 to 16 are second up to year."""
    if size_bytes < 34 or position + 34 > tiff.end:
        return NOTHING
    second, minute, hour, month, day, year = struct.unpack("<6H", tiff.data[position + 22 : position + 34])
    return MakerFacts(taken=dates.from_parts(year, month, day, hour, minute, second))


def _kodak(tiff: Tiff, position: int, size_bytes: int) -> MakerFacts:
    """DC240, DC280, DC3400, DC5000: exposure time in 1/100,000 s and f-number in hundredths, which EXIF rounds."""
    data = tiff.data
    if size_bytes < 62 or position + 62 > tiff.end or data[position + 12 : position + 13] != b"\x07":
        return NOTHING
    exposure, aperture = struct.unpack(">IH", data[position + 0x38 : position + 0x3E])
    return MakerFacts(
        shutter_s=exposure / 1e5 if 0 < exposure < 10**8 else None,
        aperture=aperture / 100 if 0 < aperture < 10_000 else None,
    )


_Reader = Callable[[Tiff, int, int], MakerFacts]
_SIGNED: dict[bytes, _Reader] = {
    b"Nikon\0": _nikon,
    b"OLYMPUS\0": _olympus_new,
    b"OM SYSTEM\0": _olympus_new,
    b"FUJIFILM": _fuji,
    b"Panasonic\0": _panasonic,
    b"SONY ": _sony,
    b"\x01\xf1": _reconyx,
}
_UNSIGNED: dict[str, _Reader] = {"canon": _canon, "nikon": _nikon, "sony": _sony, "eastman kodak": _kodak}


def _named(text: str | None) -> str | None:
    """A lens name that names something: not blank, dashes, zeros or `N/A`."""
    if text is None:
        return None
    text = decode_text(text.encode())
    useless = not text.strip("-0 ?.") or text.lower() in {"n/a", "none", "unknown", "no-lens", "0.0 mm f/0.0"}
    return None if useless or text.startswith(("0mm", "0.0 mm", "0.0mm")) else text


def lens_from(directory: Directory, tag: int) -> str | None:
    """The lens name at `tag`, where it names something."""
    return _named(directory.text(tag))
