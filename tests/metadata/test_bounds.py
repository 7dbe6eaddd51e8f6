"""However much a file says of itself, what is read of it stays small, and reading takes but a moment."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from imgd.metadata import dates, rdf, xmp
from imgd.metadata.blocks import MAX_BLOCKS, MAX_BOXES, MAX_IPTC_BYTES, MAX_SIDECAR_BYTES, MAX_XMP_BYTES, Blocks
from imgd.metadata.locate import locate
from imgd.metadata.merge import read_photo

pytestmark = pytest.mark.timeout(60)

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
FTYP = b"\0\0\0\x14ftypheic\0\0\0\0mif1"
TIFF = b"II*\0\x08\0\0\0"
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def held(blocks: Blocks) -> int:
    """The bytes that the blocks keep beside the file's own."""
    return sum(map(len, blocks.xmp)) + sum(map(len, blocks.iptc))


def test_a_png_of_many_packets_keeps_a_few() -> None:
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 200_000)
    blocks = locate(PNG + packet * 500)
    assert len(blocks.xmp) == MAX_BLOCKS
    assert f"more than {MAX_BLOCKS} XMP packets" in blocks.problems


def test_a_png_of_many_texts_keeps_those_that_mean_something() -> None:
    texts = b"".join(chunk(b"tEXt", b"Key%d\0" % index + b"\x01a" * 30_000) for index in range(2000))
    blocks = locate(PNG + chunk(b"tEXt", b"Title\0A day") + texts + chunk(b"tEXt", b"Title\0Another"))
    assert [record.title for record in blocks.records] == ["A day"]


def test_text_that_unpacks_to_much_and_then_breaks_is_unpacked_once() -> None:
    bomb = zlib.compress(bytes(3_000_000), 9)[:-4] + b"\xff" * 4
    data = PNG + b"".join(chunk(b"zTXt", b"Title\0\0" + bomb) for _ in range(2000))
    blocks = locate(data)
    assert blocks.problems[0] == "PNG text 'Title' cannot be unpacked"
    assert blocks.inflated_bytes >= 3_000_000


def test_a_profile_larger_than_any_real_one_is_not_unfolded() -> None:
    profile = b"Raw profile type exif\0\nexif\n 1\n" + b"00" * 6_000_000
    blocks = locate(PNG + chunk(b"tEXt", profile))
    assert blocks.exif == []
    assert "longer than" in blocks.problems[0]


@pytest.mark.parametrize(
    "data",
    [
        JPEG + segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + b"\0\0\x75\x30" + bytes(60_000)) * 1000,
        JPEG + segment(0xE1, XMP_SEGMENT + b" " * 60_000) * 1500,
        JPEG + segment(0xE1, EXTENDED + b"A" * 32 + bytes(8) + b" " * 60_000) * 1500,
        JPEG + b"".join(segment(0xE1, EXTENDED + b"%032d" % i + bytes(8) + b" " * 60_000) for i in range(1500)),
        JPEG + segment(0xE1, b"Exif\0\0" + TIFF + bytes(50_000)) * 1500,
        b"8BPS" + bytes(26) + struct.pack(">I", 10**8) + (b"8BIM\4\4\0\0\0\0\xc3\x50" + bytes(50_000)) * 900,
        FTYP + box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b" " * 50_000) * 900,
        FTYP + box(b"uuid", bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38") + b" " * 50_000) * 900,
        b"RIFF\0\0\0\0WEBP" + (b"XMP " + struct.pack("<I", 50_000) + b" " * 50_000) * 900,
    ],
    ids=["resources", "XMP", "extended XMP", "many extended XMP", "EXIF", "PSD", "UUID XMP", "UUID IPTC", "WebP"],
)  # fmt: skip
def test_a_file_of_many_blocks_keeps_a_few(data: bytes) -> None:
    blocks = locate(data)
    assert len(blocks.exif) <= MAX_BLOCKS
    assert held(blocks) <= MAX_BLOCKS * (MAX_XMP_BYTES + MAX_IPTC_BYTES)
    assert len(blocks.problems) <= 12
    read_photo(data)


@pytest.mark.parametrize(
    "data",
    [
        FTYP + box(b"moov", box(b"moov", box(b"moov", box(b"free", b"") * 3000)) * 300),
        FTYP + box(b"jp2h", box(b"free", b"") * 3000) * 300,
        FTYP
        + box(b"meta", bytes(4) + box(b"iinf", bytes(6) + box(b"infe", b"") * 3000) + box(b"iloc", b"")) * 300,
        FTYP + (box(b"uuid", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + box(b"free", b"") * 3000)) * 300,
    ],
    ids=["moov", "jp2h", "meta", "canon"],
)
def test_boxes_are_counted_over_all_levels(data: bytes) -> None:
    blocks = locate(data)
    assert blocks.boxes_left < 0
    assert f"more than {MAX_BOXES} boxes" in blocks.problems


def test_items_of_many_extents_are_passed_over_at_once() -> None:
    kinds = b"".join(box(b"infe", struct.pack(">IHH4s", 2 << 24, n, 0, b"Exif") + bytes(4)) for n in (1, 2))
    item = struct.pack(">HHH", 9, 0, 65_535) + bytes(8 * 65_535)
    content = TIFF + struct.pack("<HHHII", 1, 0x0112, 3, 1, 6) + bytes(4)
    wanted = struct.pack(">HHHII", 1, 0, 1, len(FTYP) + 8, len(content) + 4)
    iloc = box(b"iloc", struct.pack(">IHH", 0, 0x4400, 21) + item * 20 + wanted)
    meta = box(b"meta", bytes(4) + box(b"iinf", struct.pack(">IH", 0, 2) + kinds) + iloc)
    data = FTYP + box(b"free", bytes(4) + content) + meta
    assert read_photo(data).record.orientation == 6


@pytest.mark.parametrize(
    "text",
    ["2020" + " " * 60_000 + "x y", "1" + " " * 60_000 + "x", "2020:01:01" + " " * 60_000 + "\nx", "9" * 60_000],
)
def test_pages_of_blanks_take_no_longer_than_a_date(text: str) -> None:
    dates.from_xmp(text)
    dates.from_exif(text, text, text)
    dates.from_iptc(text, text)
    dates.offset_seconds(text)
    attributes = f'exif:GPSLatitude="{text}" exif:GPSLongitude="{text}"'
    read_photo(b"", "a.jpg", [("a.xmp", packet_of(attributes))])


def packet_of(attributes: str = "", inner: str = "", head: str = "") -> bytes:
    return (
        f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f"{attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def test_picture_info_of_empty_lines_takes_no_longer() -> None:
    read_photo(JPEG + segment(0xEC, b"[picture info]" + b"\n" * 65_000) * 200)


@pytest.mark.parametrize(
    ("entities", "reference"),
    [
        ("".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(30)), "&a30;"),
        ('<!ENTITY a "' + "x" * 100_000 + '">', "&a;" * 10_000),
        ('<!ENTITY a SYSTEM "file:///etc/hostname">', "&a;"),
    ],
    ids=["laughs", "quadratic", "external"],
)
def test_entities_are_refused(entities: str, reference: str) -> None:
    packet = packet_of(inner=f"<dc:title>{reference}</dc:title>", head=f"<!DOCTYPE x [{entities}]>")
    with pytest.raises(ValueError, match="XMP cannot be read: EntitiesForbidden"):
        rdf.parse(packet)


@pytest.mark.parametrize(
    "inner",
    [
        "<a>" * 200_000 + "</a>" * 200_000,
        "<a/>" * 400_000,
        "<dc:subject><rdf:Bag>" + "<rdf:li>a</rdf:li>" * 90_000 + "</rdf:Bag></dc:subject>",
        "<dc:subject>" + "<rdf:Bag><rdf:li>a</rdf:li></rdf:Bag>" * 50_000 + "</dc:subject>",
        "<rdf:RDF>" * 60_000 + "</rdf:RDF>" * 60_000,
        "<a " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>",
    ],
    ids=["depth", "breadth", "items", "lists", "nested RDF", "attributes"],
)
def test_xml_of_many_parts_is_read_in_a_moment(inner: str) -> None:
    problems: list[str] = []
    record = xmp.read(packet_of(inner=inner), problems)
    assert len(record.keywords) <= 2000


def test_a_sidecar_larger_than_any_real_one_is_told_and_not_read(packet: Callable[..., bytes]) -> None:
    large = packet('xmp:Rating="4"') + b" " * MAX_SIDECAR_BYTES
    found = read_photo(b"", "a.jpg", [("a.xmp", large), ("b.xmp", packet('xmp:Rating="3"'))])
    assert found.record.rating == 3
    assert found.problems[0].startswith("a.xmp: ")


def test_a_jpeg_of_many_canon_heaps_reads_one() -> None:
    table = struct.pack("<H", 1000) + struct.pack("<HII", 0x0805, 4, 0) * 1000
    heap = b"II\x1a\0\0\0HEAPJPGM" + bytes(12) + table + struct.pack("<I", 0)
    read_photo(JPEG + segment(0xE0, heap) * 2000)


def test_an_x3f_of_many_previews_keeps_the_metadata_of_a_few() -> None:
    exif = segment(0xE1, b"Exif\0\0" + TIFF + bytes(6))
    packet = segment(0xE1, XMP_SEGMENT + b"<x:xmpmeta/>")
    picture = b"SECi" + bytes(24) + JPEG + exif * 3 + packet * 3 + b"\xff\xd9"
    head = b"FOVb" + bytes(28)
    entries = struct.pack("<II4s", len(head), len(picture), b"IMA2") * 60
    directory = b"SECd" + struct.pack("<II", 0, 60) + entries
    blocks = locate(head + picture + directory + struct.pack("<I", len(head) + len(picture)))
    assert (len(blocks.exif), len(blocks.xmp)) == (MAX_BLOCKS, MAX_BLOCKS)
