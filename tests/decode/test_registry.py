from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from imgd.decode import FormatRegistry
from imgd.errors import UnsupportedFormatError


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "jpeg"),
        ("MPO", "jpeg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tiff"),
        ("HEIF", "heic"),
        ("AVIF", "avif"),
        ("JXL", "jxl"),
        ("JPEG2000", "jp2"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
    ],
)
def test_content_decides_and_not_the_extension(
    kind: str, name: str, registry: FormatRegistry, encoded: Callable[..., bytes]
) -> None:
    data = encoded(kind)
    for wrong in ("photo.jpg", "photo.nef", "photo.txt", "photo"):
        assert registry.identify(data, wrong).name == name


def test_a_raw_is_told_from_a_tiff(
    registry: FormatRegistry, encoded: Callable[..., bytes], make_dng: Callable[..., bytes]
) -> None:
    assert registry.identify(make_dng(), "photo.tif").name == "raw"
    exif = Image.Exif()
    exif[271] = "A scanner"
    scan = encoded("TIFF", exif=exif)
    assert registry.identify(scan, "scan.tif").name == "tiff"
    assert registry.identify(scan, "scan.nef").name == "raw"
    assert registry.identify(encoded("TIFF"), "scan.nef").name == "tiff"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"FUJIFILMCCD-RAW 0201", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01", "raw"),
        (b"IIRO\x08\0\0\0", "raw"),
        (b"FOVb", "raw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "raw"),
        (b"8BPS\0\x01", "psd"),
    ],
)
def test_marks_of_cameras_and_programs_are_known(head: bytes, name: str, registry: FormatRegistry) -> None:
    assert registry.identify(head.ljust(64, b"\0"), "x").name == name


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x18ftypisom\0\0\0\0", "an MP4 video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "a QuickTime video"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\0\0\x01\0\x01\0", "an ICO icon"),
        (b"DDS |\0\0\0", "a DDS texture"),
        (b"\x01\xda\x01\x01", "an SGI image"),
        (bytes(18)[:2] + b"\x02" + bytes(13) + b"\x18\0" + bytes(20), "a TGA image"),
        (b"P6\n2 2\n255\n", "a Netpbm image"),
        (b"<?xpacket begin=''?><x:xmpmeta>", "an XMP document"),
        (b'<?xml version="1.0"?><svg>', "an SVG drawing"),
        ("Grüße aus Köln".encode(), "plain text"),
        (b"8BPS\0\x02", "a large Photoshop document (PSB)"),
        (b"\x07\x99 nothing known \x01", None),
    ],
)
def test_other_files_are_refused_by_what_they_are(data: bytes, kind: str | None, registry: FormatRegistry) -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        registry.identify(data, "photo.jpg")
    assert caught.value.detail == (f"this is {kind}" if kind else "its content is of no known type")


def test_extensions_are_lower_case_with_a_dot(registry: FormatRegistry) -> None:
    extensions = registry.extensions()
    assert {".jpg", ".jpeg", ".heic", ".cr2", ".nef", ".dng", ".jxl", ".tif", ".psd"} <= extensions
    assert all(each.startswith(".") and each == each.lower() for each in extensions)
