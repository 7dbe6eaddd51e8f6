"""The metadata analyzer: facts, tags, regions and texts of one photo."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from imgd.analyzers.metadata import Metadata, MetadataSettings
from imgd.domain import Failure, Finding, PhotoInput, Sidecar, Tag, Text

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def sidecar(body: str, name: str = "a.xmp") -> Sidecar:
    head = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"'
        ' xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" '
    )
    return Sidecar(name, (head + body + "</rdf:Description></rdf:RDF></x:xmpmeta>").encode())


def jpeg(orientation: int = 1, gps: tuple[float, float] | None = None) -> bytes:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112] = "Canon", "Canon EOS 6D", orientation
    tags[0x8769] = {
        0x9003: "2019:03:04 10:11:12",
        0x9011: "+01:00",
        0x829D: IFDRational(28, 10),
        0x8827: 400,
        0xA434: "EF24-70mm",
    }
    if gps is not None:
        lat, lon = gps
        tags[0x8825] = {
            1: "N" if lat >= 0 else "S",
            2: (IFDRational(round(abs(lat) * 10**6), 10**6),),
            3: "E" if lon >= 0 else "W",
            4: (IFDRational(round(abs(lon) * 10**6), 10**6),),
        }
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG", exif=tags)
    return stream.getvalue()


def analyze(
    data: bytes,
    *sidecars: Sidecar,
    path: str = "/p/a.jpg",
    size: tuple[int, int] = (0, 0),
    settings: MetadataSettings | None = None,
) -> Finding:
    photo = PhotoInput(1, path, "jpeg", *size, file=data, sidecars=sidecars)
    (finding,) = Metadata(settings, {}).analyze([photo])
    assert isinstance(finding, Finding)
    return finding


def test_facts_tell_camera_moment_and_place_with_their_provenance() -> None:
    finding = analyze(jpeg(gps=(38.7223, -9.1393)))
    provenance = finding.facts["provenance"]
    assert isinstance(provenance, dict)
    facts = {key: value for key, value in finding.facts.items() if key != "provenance"}
    assert facts == {
        "taken_at": "2019-03-04T10:11:12.000",
        "taken_offset_s": 3600,
        "camera_make": "Canon",
        "camera_model": "Canon EOS 6D",
        "lens": "EF24-70mm",
        "iso": 400.0,
        "aperture": 2.8,
        "orientation": 1,
        "lat": pytest.approx(38.7223),
        "lon": pytest.approx(-9.1393),
        "city": "Lisbon",
        "region": "Lisbon",
        "country": "Portugal",
        "country_code": "PT",
        "width": 64,
        "height": 48,
    }
    assert provenance["taken_at"] == "exif"
    assert provenance["lat"] == "exif"
    assert provenance["city"] == "geonames"
    assert Text("place", "Lisbon, Portugal") in finding.texts
    assert Text("camera", "Canon EOS 6D EF24-70mm") in finding.texts


def test_every_declared_fact_has_the_declared_type() -> None:
    finding = analyze(jpeg(gps=(38.7223, -9.1393)), sidecar('xmp:Rating="4" dc:title="Boats">'))
    for key, value in finding.facts.items():
        if key in Metadata.facts:
            assert type(value) is Metadata.facts[key], key


def test_a_photo_at_sea_has_coordinates_and_no_place() -> None:
    finding = analyze(jpeg(gps=(40.0, -40.0)))
    assert finding.facts["lat"] == 40.0
    assert "city" not in finding.facts


def test_a_city_that_a_person_wrote_is_not_looked_up() -> None:
    finding = analyze(
        jpeg(gps=(38.7223, -9.1393)), sidecar('photoshop:City="Alfama" photoshop:Country="Portugal">')
    )
    assert finding.facts["city"] == "Alfama"
    assert "region" not in finding.facts


def test_places_can_be_switched_off() -> None:
    assert "city" not in analyze(jpeg(gps=(38.7223, -9.1393)), settings=MetadataSettings(places=False)).facts
    with pytest.raises(ValueError, match="place_distance_km"):
        MetadataSettings(place_distance_km=0)


def test_keywords_become_tags_and_a_hierarchy_also_its_last_word() -> None:
    body = (
        "><dc:subject><rdf:Bag><rdf:li>Boat</rdf:li></rdf:Bag></dc:subject><lr:hierarchicalSubject><rdf:Bag>"
        "<rdf:li>Places|Portugal|Lisbon</rdf:li><rdf:li>Things|boat</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    )
    assert analyze(jpeg(), sidecar(body)).tags == (Tag("Boat"), Tag("Lisbon"))


def test_titles_and_descriptions_are_captions() -> None:
    texts = analyze(jpeg(), sidecar('dc:title="Boats" dc:description="Two boats">')).texts
    assert [text.text for text in texts if text.kind == "caption"] == ["Boats", "Two boats"]


@pytest.mark.parametrize(
    ("orientation", "box"),
    [
        (1, (0.1, 0.2, 0.3, 0.4)),
        (2, (0.6, 0.2, 0.3, 0.4)),
        (3, (0.6, 0.4, 0.3, 0.4)),
        (4, (0.1, 0.4, 0.3, 0.4)),
        (5, (0.2, 0.1, 0.4, 0.3)),
        (6, (0.4, 0.1, 0.4, 0.3)),
        (7, (0.4, 0.6, 0.4, 0.3)),
        (8, (0.2, 0.6, 0.4, 0.3)),
    ],
)
def test_a_named_person_is_a_region_of_the_upright_photo(orientation: int, box: tuple[float, ...]) -> None:
    body = (
        '><MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
        '<rdf:li MPReg:Rectangle="0.1, 0.2, 0.3, 0.4"'
        ' MPReg:PersonDisplayName="Anna K"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
    )
    (region,) = analyze(jpeg(orientation), sidecar(body)).regions
    assert (region.kind, region.label) == ("person", "Anna K")
    assert region.box == pytest.approx(box)


def test_size_is_that_of_the_upright_photo() -> None:
    turned = analyze(jpeg(6)).facts
    assert (turned["width"], turned["height"]) == (48, 64)
    decoded = analyze(jpeg(6), size=(100, 200)).facts
    assert (decoded["width"], decoded["height"]) == (100, 200)


def test_a_file_name_is_the_last_resort_for_a_date() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    finding = analyze(stream.getvalue(), path="/p/IMG_20190304_101112.png")
    assert finding.facts["taken_at"] == "2019-03-04T10:11:12.000"
    assert finding.facts["provenance"] == {"taken_at": "filename"}


def test_a_broken_sidecar_is_a_problem_and_the_rest_is_found() -> None:
    finding = analyze(jpeg(), Sidecar("a.xmp", b"<broken"))
    assert finding.facts["camera_make"] == "Canon"
    assert "a.xmp" in str(finding.facts["problems"])


def test_a_broken_photo_gives_what_it_still_holds() -> None:
    data = jpeg()
    finding = analyze(data[: data.index(b"\xff\xdb") + 10])
    assert finding.facts["camera_make"] == "Canon"
    assert finding.facts["problems"]


def test_an_empty_file_fails_alone() -> None:
    good, empty = PhotoInput(1, "a.jpg", "jpeg", 0, 0, file=jpeg()), PhotoInput(2, "b.jpg", "jpeg", 0, 0)
    first, second, third = Metadata(None, {}).analyze([good, empty, good])
    assert isinstance(first, Finding)
    assert second == Failure("the file is empty")
    assert isinstance(third, Finding)


def test_a_batch_keeps_each_place_with_its_photo() -> None:
    spots = [(38.7223, -9.1393), None, (40.0, -40.0), (48.8584, 2.2945)]
    photos = [PhotoInput(i, f"{i}.jpg", "jpeg", 0, 0, file=jpeg(gps=spot)) for i, spot in enumerate(spots)]
    findings = Metadata(None, {}).analyze(photos)
    assert [f.facts.get("city") if isinstance(f, Finding) else None for f in findings] == [
        "Lisbon",
        None,
        None,
        "Paris",
    ]


def test_the_class_is_a_declaration_that_loads_nothing() -> None:
    assert (Metadata.name, Metadata.needs.edge, Metadata.reads_sidecars) == ("metadata", 0, True)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real photos is not beside the repository")
def test_a_real_photo_and_its_sidecar_are_merged() -> None:
    folder = CORPUS / "09_xmp" / "photoprism"
    side = Sidecar("ladybug.xmp", (folder / "ladybug.xmp").read_bytes())
    finding = analyze((folder / "ladybug.jpg").read_bytes(), side, path=str(folder / "ladybug.jpg"))
    assert finding.facts["lens"] == "EF100mm f/2.8 Macro USM"
    assert finding.facts["country"] == "Germany"
    assert finding.facts["taken_at"] == "2011-07-10T19:34:28.150"
