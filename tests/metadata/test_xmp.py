"""XMP packets in the forms that programs write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imgd.metadata import xmp
from imgd.metadata.dates import Moment
from imgd.metadata.record import Position, Record

Packet = Callable[..., bytes]


def read(packet: bytes) -> Record:
    problems: list[str] = []
    record = xmp.read(packet, problems)
    assert problems == []
    return record


def bag(name: str, *items: str, kind: str = "Bag") -> str:
    return (
        f"<{name}><rdf:{kind}>" + "".join(f"<rdf:li>{item}</rdf:li>" for item in items) + f"</rdf:{kind}></{name}>"
    )


def test_descriptions_are_read_in_the_default_language_first(packet: Packet) -> None:
    title = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Boote</rdf:li>'
        '<rdf:li xml:lang="x-default">Boats</rdf:li></rdf:Alt></dc:title>'
    )
    assert read(packet("", title)).title == "Boats"
    assert read(packet("", "<dc:title>Botanischer Garten</dc:title>")).title == "Botanischer Garten"
    assert read(packet('dc:title="Boats"')).title == "Boats"


def test_keywords_and_their_hierarchies_are_read(packet: Packet) -> None:
    record = read(
        packet(
            "",
            bag("dc:subject", "boat", "sea", "boat")
            + bag("lr:hierarchicalSubject", "Places|Portugal|Lisbon")
            + bag("digiKam:TagsList", "Places/Portugal/Lisbon", "People/Anna", kind="Seq"),
        )
    )
    assert record.keywords == ("boat", "sea")
    assert record.hierarchies == (("Places", "Portugal", "Lisbon"), ("People", "Anna"))


@pytest.mark.parametrize(
    ("attributes", "rating"),
    [
        ('xmp:Rating="5"', 5),
        ('xmp:Rating="-1"', -1),
        ('xmp:Rating="0"', None),
        ('xmp:Rating="99"', None),
        ('xmp:Rating="x"', None),
        ('MicrosoftPhoto:Rating="99"', 5),
        ('MicrosoftPhoto:Rating="50"', 3),
        ('MicrosoftPhoto:Rating="1"', 1),
        ("", None),
    ],
)
def test_a_rating_is_read_and_no_rating_is_none(packet: Packet, attributes: str, rating: int | None) -> None:
    assert read(packet(attributes)).rating == rating


def test_camera_facts_are_read(packet: Packet) -> None:
    record = read(
        packet(
            'tiff:Make="Canon" tiff:Model="EOS 6D" exif:FNumber="28/10" exif:ExposureTime="1/250" '
            'exif:FocalLength="50/1"'
            ' aux:Lens="EF50mm f/1.8" tiff:Orientation="6"',
            bag("exif:ISOSpeedRatings", "160", kind="Seq") + '<exif:Flash exif:Fired="True" exif:Mode="1"/>',
        )
    )
    assert (record.camera_make, record.camera_model, record.lens) == ("Canon", "EOS 6D", "EF50mm f/1.8")
    assert (record.aperture, record.shutter_s, record.focal_mm, record.iso) == (2.8, 0.004, 50, 160)
    assert (record.flash, record.orientation) == (True, 6)


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        ("40,14.0786450N", "76,17.2284900W", (40.2346441, -76.2871415)),
        ("40,14,30S", "76,17,0E", (-40.2416667, 76.2833333)),
        ("52.5250816", "13.3693672", (52.5250816, 13.3693672)),
        ("-33.5", "151.2", (-33.5, 151.2)),
    ],
)
def test_coordinates_are_read_in_every_form(
    packet: Packet, lat: str, lon: str, expected: tuple[float, float]
) -> None:
    position = read(packet(f'exif:GPSLatitude="{lat}" exif:GPSLongitude="{lon}"')).position
    assert position is not None
    assert (position.lat, position.lon) == pytest.approx(expected)


def test_an_altitude_below_the_sea_is_negative(packet: Packet) -> None:
    found = read(
        packet(
            'exif:GPSLatitude="1,0N" exif:GPSLongitude="2,0E" exif:GPSAltitude="125/10" exif:GPSAltitudeRef="1"'
        )
    )
    assert found.position == Position(1, 2, -12.5)


def test_regions_of_both_schemas_are_read_as_boxes(packet: Packet) -> None:
    mwg = (
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">'
        '<mwg-rs:Area stArea:x="0.5" stArea:y="0.4" stArea:w="0.2" stArea:h="0.1"/>'
        "<mwg-rs:Type>Face</mwg-rs:Type>"
        "<mwg-rs:Name>Anna K</mwg-rs:Name></rdf:li>"
        '<rdf:li><rdf:Description mwg-rs:Name="Fido" mwg-rs:Type="Pet">'
        '<mwg-rs:Area stArea:x="0.1" stArea:y="0.1" stArea:w="0.4" stArea:h="0.2"/></rdf:Description></rdf:li>'
        "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )
    people = (
        '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
        '<rdf:li MPReg:Rectangle="0.1, 0.2, 0.3, 0.4"'
        ' MPReg:PersonDisplayName="Ben"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
    )
    anna, fido, ben = read(packet("", mwg + people)).regions
    assert (anna.kind, anna.label) == ("person", "Anna K")
    assert anna.box == pytest.approx((0.4, 0.35, 0.2, 0.1))
    assert (fido.kind, fido.label) == ("pet", "Fido")
    assert fido.box == pytest.approx((0.0, 0.0, 0.3, 0.2))
    assert (ben.kind, ben.label) == ("person", "Ben")
    assert ben.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_places_that_a_person_wrote_are_read(packet: Packet) -> None:
    record = read(packet('photoshop:City="Lisbon" photoshop:Country="Portugal" Iptc4xmpCore:CountryCode="PT"'))
    assert (record.city, record.country, record.country_code) == ("Lisbon", "Portugal", "PT")
    shown = (
        '<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource">'
        "<Iptc4xmpExt:City>Porto</Iptc4xmpExt:City>"
        "</rdf:li></rdf:Bag></Iptc4xmpExt:LocationShown>"
    )
    assert read(packet("", shown)).city == "Porto"


def test_the_moment_of_taking_is_told_from_that_of_digitizing(packet: Packet) -> None:
    record = read(packet('photoshop:DateCreated="2021-03-24T13:07:29+01:00" xmp:CreateDate="2022-01-01T00:00:00"'))
    assert record.original == Moment("2021-03-24T13:07:29.000", 3600)
    assert record.digitized == Moment("2022-01-01T00:00:00.000")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not xml",
        b"<x:xmpmeta",
        b"<a/>",
        b"\0\0\0",
        b"\xff\xfe<\0",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><a>&d;</a>',
    ],
)
def test_a_packet_that_cannot_be_parsed_is_a_problem_and_says_nothing(broken: bytes) -> None:
    problems: list[str] = []
    assert xmp.read(broken, problems) == Record()
    assert len(problems) == 1


def test_padding_around_a_packet_is_passed_over(packet: Packet) -> None:
    padded = (
        b'\0\0<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        + packet('xmp:Rating="3"')
        + b'<?xpacket end="w"?>\n\0\0'
    )
    assert read(padded).rating == 3


def test_real_sidecars_are_all_read(corpus: Path) -> None:
    for path in sorted((corpus / "09_xmp").rglob("*.xmp")):
        problems: list[str] = []
        record = xmp.read(path.read_bytes(), problems)
        if path.name != "exiv2-bug1108.xmp":  # a JPEG-like container by another name
            assert problems == [], path
            assert record != Record(), path
