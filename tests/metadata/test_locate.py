"""Metadata found in files of every format."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pillow_heif
import pillow_jxl  # noqa: F401 - registers the JPEG XL writer with Pillow
import pytest
from PIL import Image

from imgd.metadata.locate import locate
from imgd.metadata.merge import PhotoMetadata, read_photo

Photo = Callable[..., bytes]
Packet = Callable[..., bytes]


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def assert_is_the_nikon(found: PhotoMetadata) -> None:
    assert found.record.camera_model == "NIKON D850"
    assert found.record.iso == 400
    assert found.taken is not None
    assert found.taken.local == "2019-03-04T10:11:12.250"
    assert found.problems == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "JXL"])
def test_exif_is_found_in_what_pillow_writes(photo: Photo, kind: str) -> None:
    options = {"compress_metadata": False} if kind == "JXL" else {}
    assert_is_the_nikon(read_photo(photo(kind, **options)))


def test_exif_and_xmp_are_found_in_a_heic(exif: bytes, packet: Packet) -> None:
    stream = io.BytesIO()
    picture = pillow_heif.from_pillow(Image.new("RGB", (64, 48)))
    picture.save(stream, exif=b"Exif\0\0" + exif, xmp=packet('xmp:Rating="4"'))
    found = read_photo(stream.getvalue())
    assert_is_the_nikon(found)
    assert found.record.rating == 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_xmp_is_found_in_what_pillow_writes(photo: Photo, packet: Packet, kind: str) -> None:
    content = packet('xmp:Rating="4"')
    if kind == "PNG":
        data = png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + content))
    elif kind == "TIFF":
        data = photo(kind, tiffinfo={700: content}, exif=b"")
    else:
        data = photo(kind, xmp=content)
    assert read_photo(data).record.rating == 4


def test_size_is_read_from_the_header(photo: Photo) -> None:
    for kind in ("JPEG", "PNG", "GIF"):
        blocks = locate(photo(kind))
        assert (blocks.width, blocks.height) == (64, 48), kind


def test_older_png_forms_are_read(exif: bytes, packet: Packet) -> None:
    profile = b"\nexif\n%8d\n" % (len(exif) + 6) + (b"Exif\0\0" + exif).hex().encode()
    assert_is_the_nikon(read_photo(png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)))))
    packed = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet('xmp:Rating="2"')))
    assert read_photo(png(packed)).record.rating == 2
    texts = read_photo(
        png(chunk(b"tEXt", b"Title\0Boats"), chunk(b"tEXt", b"Creation Time\0" + b"2019:03:04 10:11:12"))
    )
    assert texts.record.title == "Boats"
    assert texts.taken is not None
    assert texts.provenance["title"] == "header"


def test_a_compressed_png_text_that_unpacks_to_too_much_is_not_read() -> None:
    bomb = chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"a" * 20_000_000))
    found = read_photo(png(bomb, bomb, bomb))
    assert found.record.title is None
    assert "unpacks to more than" in found.problems[0]


def test_extended_xmp_is_joined_to_the_main_packet(photo: Photo, packet: Packet) -> None:
    plain = photo("JPEG", exif=b"")
    digest = b"0123456789ABCDEF0123456789ABCDEF"
    main = b"http://ns.adobe.com/xap/1.0/\0" + packet(
        f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{digest.decode()}" xmp:Rating="4"'
    )
    rest = packet('dc:title="Boats"')

    def part(offset: int, content: bytes) -> bytes:
        return b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">II", len(rest), offset) + content

    segments = [main, part(300, rest[300:]), part(0, rest[:300])]
    app1 = b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments)
    found = read_photo(plain[:2] + app1 + plain[2:])
    assert (found.record.rating, found.record.title, found.problems) == (4, "Boats", ())


def test_an_xmp_segment_with_flickrs_mangled_header_is_read(photo: Photo, packet: Packet) -> None:
    plain = photo("JPEG", exif=b"")
    body = b"XMP\0://ns.adobe.com/xap/1.0/\0" + packet('xmp:Rating="4"')
    assert (
        read_photo(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]).record.rating
        == 4
    )


def test_iptc_of_a_jpeg_is_found(photo: Photo, iim: Callable[..., bytes], app13: Callable[[bytes], bytes]) -> None:
    plain = photo("JPEG", exif=b"")
    found = read_photo(plain[:2] + app13(iim((2, 25, b"sea"))) + plain[2:])
    assert found.record.keywords == ("sea",)


def test_a_gif_carries_xmp(photo: Photo, packet: Packet) -> None:
    plain = photo("GIF", exif=b"")
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    assert (
        read_photo(plain[:-1] + b"!\xff\x0bXMP DataXMP" + packet('xmp:Rating="4"') + trailer + b";").record.rating
        == 4
    )


def test_a_photoshop_file_carries_all_three(exif: bytes, packet: Packet, iim: Callable[..., bytes]) -> None:
    def resource(kind: int, content: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HHI", kind, 0, len(content)) + content + b"\0" * (len(content) % 2)

    resources = (
        resource(0x0422, exif)
        + resource(0x0424, packet('xmp:Rating="4"'))
        + resource(0x0404, iim((2, 25, b"sea")))
    )
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 48, 64, 8, 3)
    found = read_photo(header + struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources)
    assert_is_the_nikon(found)
    assert (found.record.rating, found.record.keywords, found.record.width) == (4, ("sea",), 64)


def test_a_jpeg_2000_carries_exif_and_xmp(exif: bytes, packet: Packet) -> None:
    xmp_id = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    data = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    data += box(b"jp2h", box(b"ihdr", struct.pack(">IIHBBBB", 48, 64, 3, 7, 7, 0, 0)))
    data += box(b"uuid", b"JpgTiffExif->JP2" + exif) + box(b"uuid", xmp_id + packet('xmp:Rating="4"'))
    found = read_photo(data)
    assert_is_the_nikon(found)
    assert (found.record.rating, found.record.width) == (4, 64)


def directory(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A TIFF structure of one directory whose values fit into 4 bytes."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0)


def test_the_parts_of_a_cr3_make_one_record() -> None:
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    parts = box(b"CMT1", directory((0x010F, 2, 4, b"Cam"), (0x0112, 3, 1, b"\6\0")))
    parts += box(b"CMT2", directory((0x8827, 3, 1, b"\x90\1")))
    parts += box(b"CMT3", directory((0x0095, 2, 4, b"RF5")))
    found = read_photo(box(b"ftyp", b"crx \0\0\0\1") + box(b"moov", box(b"uuid", canon + parts)))
    assert (found.record.camera_make, found.record.orientation, found.record.iso, found.record.lens) == (
        "Cam",
        6,
        400,
        "RF5",
    )


def test_a_raf_is_read_through_its_preview(photo: Photo) -> None:
    preview = photo("JPEG")
    data = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 100, len(preview)) + b"\0" * 8 + preview
    found = read_photo(data)
    assert_is_the_nikon(found)


def test_a_minolta_raw_is_read_through_its_tiff_block(exif: bytes) -> None:
    data = (
        b"\0MRM"
        + struct.pack(">I", len(exif) + 16)
        + b"\0PRD"
        + struct.pack(">I", 0)
        + b"\0TTW"
        + struct.pack(">I", len(exif))
        + exif
    )
    assert_is_the_nikon(read_photo(data))


def test_a_phase_one_raw_names_its_lens() -> None:
    name = b"LS 80mm f/2.8 D\0"
    own = b"IIIICwaR" + struct.pack("<I", 12) + struct.pack("<II4I", 1, 0, 0x0412, 1, len(name), 36) + name
    entry = struct.pack("<HHI", 0x010F, 2, 4) + b"Cam\0"
    data = b"II*\0" + struct.pack("<I", 8 + len(own)) + own + struct.pack("<H", 1) + entry + struct.pack("<I", 0)
    found = read_photo(data).record
    assert (found.camera_make, found.lens) == ("Cam", "LS 80mm f/2.8 D")


def crw() -> bytes:
    settings = [0] * 40
    settings[0], settings[22], settings[23], settings[24], settings[25] = 80, 251, 35, 16, 1
    shot = [0] * 24
    shot[0], shot[1], shot[2], shot[21], shot[22] = 48, 0, 160, 160, -76
    records = {
        0x080A: b"Canon\0Canon EOS D30\0",
        0x1029: struct.pack("<4h", 0, 31, 0, 0),
        0x102A: struct.pack("<24h", *shot),
        0x102D: struct.pack("<40h", *settings),
        0x180E: struct.pack("<III", 1514811812, 0, 0),
        0x1810: struct.pack("<IIfiIII", 2160, 1440, 1.0, 90, 8, 24, 1),
    }
    inner = heap(records)
    return b"II" + struct.pack("<I", 26) + b"HEAPCCDR" + b"\0" * 12 + heap({0x300A: inner})


def heap(records: dict[int, bytes]) -> bytes:
    values, table = b"", struct.pack("<H", len(records))
    for kind, value in records.items():
        table += struct.pack("<HII", kind, len(value), len(values))
        values += value
    return values + table + struct.pack("<I", len(values))


def test_a_crw_is_read_from_its_heap() -> None:
    found = read_photo(crw()).record
    assert (found.camera_make, found.camera_model, found.lens) == ("Canon", "Canon EOS D30", "16-35mm")
    assert (found.iso, found.focal_mm, found.orientation) == (100, 31, 6)
    assert found.aperture == pytest.approx(5.657, rel=1e-3)
    assert found.shutter_s == pytest.approx(2 ** (7 / 3), rel=1e-3)
    taken = read_photo(crw()).taken
    assert taken is not None
    assert taken.local == "2018-01-01T13:03:32.000"


def test_heaps_that_hold_themselves_end() -> None:
    entries = b"".join(struct.pack("<HII", 0x3000, 0, 0) for _ in range(0))
    count = 600
    size = 2 + 10 * count + 4
    entries = struct.pack("<HII", 0x3000, size, 0) * count
    body = struct.pack("<H", count) + entries + struct.pack("<I", 0)
    assert read_photo(b"II" + struct.pack("<I", 26) + b"HEAPCCDR" + b"\0" * 12 + body).record.camera_make is None


def test_a_sigma_raw_is_read_from_its_properties() -> None:
    pairs = {
        "CAMMANUF": "SIGMA",
        "CAMMODEL": "SD10",
        "ISO": "100",
        "SHUTTER": "0.005",
        "APERTURE": "8",
        "LENSFRANGE": "15 to 30",
        "FLENGTH": "30",
        "TIME": "978309395",
    }
    text, table = "", b""
    for name, value in pairs.items():
        table += struct.pack("<II", len(text), len(text) + len(name) + 1)
        text += f"{name}\0{value}\0"
    section = (
        b"SECp" + struct.pack("<IIIII", 0x20000, len(pairs), 0, 0, len(text)) + table + text.encode("utf-16-le")
    )
    head = b"FOVb".ljust(40, b"\0")
    listing = b"SECd" + struct.pack("<II", 0x20000, 1) + struct.pack("<II", 40, len(section)) + b"PROP"
    found = read_photo(head + section + listing + struct.pack("<I", 40 + len(section))).record
    assert (found.camera_make, found.camera_model, found.lens, found.iso) == ("SIGMA", "SD10", "15-30mm", 100)
    assert (found.shutter_s, found.aperture, found.focal_mm) == (0.005, 8, 30)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"GIF89a", b"8BPS", b"\0\0\0\x0cftyp", b"hello", b"II", b"RIFF\0\0\0\0WEBP"]
)
def test_what_holds_nothing_gives_nothing(data: bytes) -> None:
    assert read_photo(data).provenance == {}


def test_a_file_that_is_cut_off_says_so_and_gives_what_came_before(photo: Photo) -> None:
    whole = photo("JPEG")
    found = read_photo(whole[: whole.index(b"\xff\xdb") + 20])
    assert found.record.camera_model == "NIKON D850"
    assert "JPEG ends" in found.problems[0]
