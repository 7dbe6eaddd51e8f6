"""EXIF fields, each on its own."""

from __future__ import annotations

import struct

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from imgd.metadata import exif as reader
from imgd.metadata.dates import Moment
from imgd.metadata.record import Record


def read(data: bytes, problems: list[str] | None = None) -> Record:
    return reader.read(data, 0, len(data), [] if problems is None else problems)


def structure(
    ifd0: dict[int, object] | None = None,
    camera: dict[int, object] | None = None,
    gps: dict[int, object] | None = None,
) -> bytes:
    tags = Image.Exif()
    tags.update(ifd0 or {})
    if camera:
        tags[0x8769] = camera
    if gps:
        tags[0x8825] = gps
    return tags.tobytes().removeprefix(b"Exif\0\0")


def test_every_field_of_a_full_structure_is_read(exif: bytes) -> None:
    record = read(exif)
    assert (record.camera_make, record.camera_model, record.lens) == (
        "NIKON CORPORATION",
        "NIKON D850",
        "24-70mm f/2.8",
    )
    assert (record.iso, record.aperture, record.shutter_s) == (400, 2.8, 0.004)
    assert (record.focal_mm, record.focal_35mm, record.flash) == (50, 75, False)
    assert record.exposure_bias_ev == pytest.approx(-1 / 3)
    assert record.orientation == 6
    assert record.original == Moment("2019-03-04T10:11:12.250")
    assert record.modified == Moment("2020-01-01T00:00:00.000")
    assert record.position is not None
    assert (record.position.lat, record.position.lon) == pytest.approx((-33.8568, 151.2153))
    assert record.position.altitude_m == -12.5
    assert (record.direction_deg, record.gps_utc) == (90, "2019-03-04T00:11:00.000")
    assert (record.description, record.artist, record.copyright) == ("Two boats", "Anna K", "(c) Anna K")
    assert (record.software, record.width, record.height) == ("Ver.1.00", 6000, 4000)


def test_one_broken_value_costs_no_other(exif: bytes) -> None:
    broken = structure(
        {0x010F: "Canon", 0x0112: 99},
        {
            0x829A: IFDRational(1, 0),
            0x829D: IFDRational(0, 1),
            0x8827: 0,
            0x9003: "0000:00:00 00:00:00",
            0x920A: IFDRational(50),
        },
    )
    record = read(broken)
    assert (record.camera_make, record.focal_mm) == ("Canon", 50)
    assert (record.shutter_s, record.aperture, record.iso, record.original, record.orientation) == (None,) * 5


def test_apex_values_stand_in_for_missing_ones() -> None:
    record = read(structure(camera={0x9201: IFDRational(8), 0x9202: IFDRational(4)}))
    assert record.shutter_s == pytest.approx(1 / 256)
    assert record.aperture == pytest.approx(4)


def test_an_iso_too_large_for_the_old_tag_is_read_from_the_new_one() -> None:
    assert read(structure(camera={0x8827: 65535, 0x8832: 102400})).iso == 102400


def test_an_offset_makes_the_moment_absolute() -> None:
    record = read(structure(camera={0x9003: "2019:03:04 10:11:12", 0x9011: "+09:00"}))
    assert record.original == Moment("2019-03-04T10:11:12.000", 32400)


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0)), 3: "E", 4: (IFDRational(1),) * 3},
        {2: (IFDRational(10),) * 3, 4: (IFDRational(10),) * 3},
        {1: "N", 2: (IFDRational(95),) * 3, 3: "E", 4: (IFDRational(10),) * 3},
    ],
)
def test_a_position_that_is_no_place_on_earth_is_absent_and_told(gps: dict[int, object]) -> None:
    problems: list[str] = []
    assert read(structure(gps=gps), problems).position is None
    assert problems == ["GPS coordinates are malformed"]


def test_a_lens_model_comes_before_its_numbers_and_blanks_count_for_nothing() -> None:
    numbers = (IFDRational(24), IFDRational(105), IFDRational(0, 0), IFDRational(0, 0))
    assert read(structure(camera={0xA434: "EF24-105mm f/4L", 0xA432: numbers})).lens == "EF24-105mm f/4L"
    assert read(structure(camera={0xA434: "----", 0xA432: numbers})).lens == "24-105mm"


def test_a_description_that_the_factory_wrote_is_none() -> None:
    assert read(structure({0x010E: "OLYMPUS DIGITAL CAMERA         "})).description is None


def test_windows_titles_and_keywords_are_read() -> None:
    record = read(structure({0x9C9B: "Zwölf".encode("utf-16-le") + b"\0\0", 0x9C9E: "a;b c".encode("utf-16-le")}))
    assert record.title == "Zwölf"
    assert record.keywords == ("a", "b c")


def with_note(make: str, note: bytes) -> bytes:
    """EXIF whose maker note lies at a known place: the end of the structure."""
    head = b"II*\0" + struct.pack("<I", 8)
    camera_at = 8 + 2 + 2 * 12 + 4
    make_at = camera_at + 2 + 12 + 4
    note_at = make_at + len(make) + 1
    ifd0 = struct.pack("<H", 2) + struct.pack("<HHII", 0x010F, 2, len(make) + 1, make_at)
    ifd0 += struct.pack("<HHII", 0x8769, 4, 1, camera_at) + struct.pack("<I", 0)
    camera = struct.pack("<H", 1) + struct.pack("<HHII", 0x927C, 7, len(note), note_at) + struct.pack("<I", 0)
    return head + ifd0 + camera + make.encode() + b"\0" + note


def note_base(make: str) -> int:
    return 8 + 2 + 24 + 4 + 2 + 12 + 4 + len(make) + 1


def canon_note(base: int) -> bytes:
    settings = [0] * 46
    settings[0], settings[22], settings[23], settings[24], settings[25] = 92, 237, 105, 24, 1
    settings[16] = 0x4000 | 640
    at = base + 2 + 12 + 4
    entry = struct.pack("<HHII", 0x0001, 3, 46, at)
    return struct.pack("<H", 1) + entry + struct.pack("<I", 0) + struct.pack("<46H", *settings)


def test_a_canon_note_names_a_lens_by_its_focal_lengths_and_gives_the_iso() -> None:
    record = read(with_note("Canon", canon_note(note_base("Canon"))))
    assert record.lens == "24-105mm"
    assert record.iso == 640


def test_a_canon_note_that_was_moved_is_read_by_its_footer() -> None:
    moved = canon_note(note_base("Canon") + 1000) + b"II*\0" + struct.pack("<I", note_base("Canon") + 1000)
    assert read(with_note("Canon", moved)).lens == "24-105mm"
    without_footer = canon_note(note_base("Canon") + 10)
    assert read(with_note("Canon", without_footer)).lens is None


def test_a_nikon_note_gives_lens_and_iso() -> None:
    numbers = struct.pack("<8I", 18, 1, 70, 1, 35, 10, 45, 10)
    own = b"II*\0" + struct.pack("<IH", 8, 2) + struct.pack("<HHIHH", 2, 3, 2, 0, 200)
    own += struct.pack("<HHII", 0x84, 5, 4, 8 + 2 + 24 + 4) + struct.pack("<I", 0) + numbers
    record = read(with_note("NIKON CORPORATION", b"Nikon\0\x02\x10\0\0" + own))
    assert (record.lens, record.iso) == ("18-70mm f/3.5-4.5", 200)


def test_an_olympus_note_names_the_lens() -> None:
    name = b"OLYMPUS M.12-40mm F2.8\0"
    outer = struct.pack("<H", 1) + struct.pack("<HHII", 0x2010, 13, 1, 12 + 2 + 12 + 4) + struct.pack("<I", 0)
    inner = (
        struct.pack("<H", 1) + struct.pack("<HHII", 0x0203, 2, len(name), 30 + 2 + 12 + 4) + struct.pack("<I", 0)
    )
    assert read(with_note("OLYMPUS", b"OLYMPUS\0II\3\0" + outer + inner + name)).lens == "OLYMPUS M.12-40mm F2.8"


def test_a_sony_note_spells_its_lens_in_decimal_digits() -> None:
    base = note_base("SONY")
    note = b"SONY DSC \0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0xB02A, 1, 8, base + 12 + 2 + 12 + 4)
    note += struct.pack("<I", 0) + bytes.fromhex("0000240070282800")
    assert read(with_note("SONY", note)).lens == "24-70mm f/2.8"


def test_a_panasonic_and_a_fuji_note_name_the_lens() -> None:
    base = note_base("Panasonic")
    name = b"LUMIX G 20/F1.7\0"
    note = b"Panasonic\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x51, 2, len(name), base + 30)
    assert read(with_note("Panasonic", note + struct.pack("<I", 0) + name)).lens == "LUMIX G 20/F1.7"
    entries = b"".join(struct.pack("<HHII", tag, 5, 1, 66 + 8 * i) for i, tag in enumerate(range(0x1404, 0x1408)))
    fuji = b"FUJIFILM" + struct.pack("<IH", 12, 4) + entries + struct.pack("<I", 0)
    fuji += struct.pack("<8I", 18, 1, 55, 1, 28, 10, 4, 1)
    assert read(with_note("FUJIFILM", fuji)).lens == "18-55mm f/2.8-4"


@pytest.mark.parametrize("make", ["Canon", "NIKON", "SONY", "EASTMAN KODAK COMPANY", "OLYMPUS", "FUJIFILM"])
@pytest.mark.parametrize(
    "note", [b"", b"\xff" * 8, b"\xff" * 300, b"Nikon\0\x02", b"FUJIFILM", b"OLYMPUS\0II", b"SONY "]
)
def test_a_note_that_is_garbage_says_nothing(make: str, note: bytes) -> None:
    record = read(with_note(make, note))
    assert record.camera_make == make
    assert record.lens is None
