"""Whose word counts where sources disagree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imgd.metadata.dates import Moment
from imgd.metadata.merge import read_photo
from imgd.metadata.record import Position

Photo = Callable[..., bytes]
Packet = Callable[..., bytes]


def test_a_sidecar_is_the_later_word_on_descriptions_and_ratings(photo: Photo, packet: Packet) -> None:
    data = photo("JPEG", xmp=packet('xmp:Rating="2" dc:title="Inside"'))
    found = read_photo(data, "a.jpg", [("a.xmp", packet('xmp:Rating="5" dc:description="Outside"'))])
    assert (found.record.rating, found.record.title, found.record.description) == (5, "Inside", "Outside")
    assert found.provenance["rating"] == "sidecar:a.xmp"
    assert found.provenance["title"] == "xmp"


def test_exif_is_the_first_word_on_the_camera(photo: Photo, packet: Packet) -> None:
    wrong = packet('tiff:Model="Other" exif:FocalLength="49/1" tiff:Orientation="1" aux:Lens="A lens"')
    found = read_photo(photo("JPEG"), "a.jpg", [("a.xmp", wrong)])
    assert (found.record.camera_model, found.record.focal_mm, found.record.orientation) == ("NIKON D850", 50, 6)
    assert found.provenance["camera_model"] == "exif"


def test_a_sidecar_corrects_position_and_moment(photo: Photo, packet: Packet) -> None:
    corrected = packet(
        'exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W" exif:DateTimeOriginal="2019-03-04T09:11:12"'
    )
    found = read_photo(photo("JPEG"), "a.jpg", [("a.xmp", corrected)])
    assert found.record.position is not None
    assert (found.record.position.lat, found.record.position.lon) == pytest.approx((38.72, -9.14))
    assert found.taken is not None
    assert found.taken.local == "2019-03-04T09:11:12.000"
    assert found.provenance["taken"] == "sidecar:a.xmp"


def test_a_sidecar_that_repeats_the_moment_more_coarsely_does_not_cost_the_fraction(
    photo: Photo, packet: Packet
) -> None:
    found = read_photo(
        photo("JPEG"), "a.jpg", [("a.xmp", packet('exif:DateTimeOriginal="2019-03-04T10:11:12+11:00"'))]
    )
    assert found.taken == Moment("2019-03-04T10:11:12.250", 39600)
    assert found.provenance["taken"] == "exif"
    assert found.provenance["taken_offset_s"] == "sidecar:a.xmp"


def test_when_a_program_met_the_photo_is_not_when_it_was_taken(photo: Photo, packet: Packet) -> None:
    found = read_photo(photo("JPEG"), "a.jpg", [("a.xmp", packet('xmp:CreateDate="2023-01-01T00:00:00"'))])
    assert found.taken is not None
    assert found.taken.local.startswith("2019-03-04")


def test_the_gps_clock_tells_the_zone(photo: Photo) -> None:
    found = read_photo(photo("JPEG"), "a.jpg")
    assert found.taken == Moment("2019-03-04T10:11:12.250", 10 * 3600 - 0)
    assert found.provenance["taken_offset_s"] == "exif"


def test_a_file_name_dates_a_photo_that_nothing_else_dates(photo: Photo) -> None:
    found = read_photo(photo("JPEG", exif=b""), "IMG_20190304_101112.jpg")
    assert found.taken == Moment("2019-03-04T10:11:12.000")
    assert found.provenance["taken"] == "filename"
    assert read_photo(photo("JPEG"), "IMG_20200304_101112.jpg").provenance["taken"] == "exif"


def test_keywords_of_all_sources_are_joined(
    photo: Photo, packet: Packet, iim: Callable[..., bytes], app13: Callable[[bytes], bytes]
) -> None:
    plain = photo("JPEG", exif=b"")
    subject = "<dc:subject><rdf:Bag><rdf:li>Sea</rdf:li><rdf:li>boat</rdf:li></rdf:Bag></dc:subject>"
    data = plain[:2] + app13(iim((2, 25, b"sea"), (2, 25, b"harbour"))) + plain[2:]
    assert read_photo(data, "a.jpg", [("a.xmp", packet("", subject))]).record.keywords == (
        "Sea",
        "boat",
        "harbour",
    )


def test_the_sidecar_with_the_full_name_comes_first(photo: Photo, packet: Packet) -> None:
    sidecars = [("a.xmp", packet('xmp:Rating="1"')), ("a.jpg.xmp", packet('xmp:Rating="3"'))]
    assert read_photo(photo("JPEG"), "a.jpg", sidecars).record.rating == 3


def test_a_malformed_sidecar_is_a_problem_of_its_own(photo: Photo) -> None:
    found = read_photo(photo("JPEG"), "a.jpg", [("a.xmp", b"<broken")])
    assert found.record.camera_model == "NIKON D850"
    assert found.problems[0].startswith("a.xmp: XMP is not well-formed")


def test_a_real_sidecar_supplies_what_its_photo_lacks(corpus: Path) -> None:
    folder = corpus / "09_xmp" / "localsearch"
    name = "jpeg-xmp-sidecar-1"
    found = read_photo(
        (folder / f"{name}.jpg").read_bytes(),
        f"{name}.jpg",
        [(f"{name}.xmp", (folder / f"{name}.xmp").read_bytes())],
    )
    record = found.record
    assert (record.title, record.description, record.artist) == ("Photograph", "Photograph description", "Author")
    assert (record.copyright, record.rating) == ("Copyright", 5)
    assert record.shutter_s == pytest.approx(9.19963201471941e-05)
    assert (record.aperture, record.iso, record.focal_mm) == (2.4, 50, 4.12)
    assert record.position == Position(0.0, 0.0, 65.64)
    assert record.direction_deg == pytest.approx(171.26344086021504)
    assert [(region.kind, region.label) for region in record.regions] == [("person", "John Doe"), ("pet", "Fido")]


def test_a_real_raw_without_most_of_its_data_still_tells_its_camera(corpus: Path) -> None:
    models = {
        "CanonRaw.cr2": "Canon EOS 350D DIGITAL",
        "Nikon.nef": "NIKON D70",
        "FujiFilm.raf": "FinePix S5Pro",
        "Sigma.x3f": "SIGMA SD10",
        "PhaseOne.iiq": "Credo 40",
        "DNG.dng": "Canon EOS 350D DIGITAL",
    }
    for name, model in models.items():
        assert read_photo((corpus / "02_raw" / "stripped" / name).read_bytes(), name).record.camera_model == model
