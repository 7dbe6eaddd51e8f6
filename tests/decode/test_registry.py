from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgd.analyzer import ImageFormat
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode
from imgd.domain import Picture
from imgd.errors import BrokenImageError, UnsupportedFormatError


class Dots(ImageFormat):
    name = "dots"
    extensions = (".dots",)
    answer: Any = Picture(np.zeros((2, 3, 3), np.uint8), 3, 2)

    def matches(self, data: bytes, name: str) -> bool:
        return data.startswith(b"DOTS")

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        if isinstance(self.answer, Exception):
            raise self.answer
        picture: Picture = self.answer
        return picture


class Jumpy(Dots):
    name = "jumpy"

    def matches(self, data: bytes, name: str) -> bool:
        raise RuntimeError("boo")


class NotMade(Dots):
    extensions = (".notmade",)

    def __init__(self) -> None:
        raise OSError("no codec here")


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


def test_a_format_that_cannot_be_made_is_left_out_and_told_of(
    encoded: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    registry = FormatRegistry([Dots, NotMade])
    assert {".dots", ".jpg"} <= registry.extensions()
    assert ".notmade" not in registry.extensions()
    assert registry.identify(b"DOTS", "x").name == "dots"
    assert registry.identify(encoded("PNG"), "x").name == "png"
    assert "NotMade is left out: OSError: no codec here" in caplog.text


def test_a_format_that_raises_when_asked_is_passed_over_and_told_of_once(
    encoded: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    registry = FormatRegistry([Dots, Jumpy])
    assert registry.identify(b"DOTS", "x").name == "dots"
    assert registry.identify(encoded("PNG"), "x").name == "png"
    assert caplog.messages == ["image format jumpy: matches() raised RuntimeError: boo"]


def test_a_file_that_is_read_by_ranges_is_read_once_for_all_formats_of_plugins(
    tmp_path: Path, make_dng: Callable[..., bytes], limits: DecodeLimits
) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(make_dng(1200, 800))
    registry = FormatRegistry([type(f"Dots{number}", (Dots,), {}) for number in range(5)])
    with Source.open(bytes(path), limits.max_file_bytes) as source:
        before = _bytes_read()
        assert registry.identify(source.content, source.name).name == "raw"
        assert path.stat().st_size <= _bytes_read() - before < 2 * path.stat().st_size


def _bytes_read() -> int:
    """By this process so far, as /proc/PID/io counts it: page cache or not."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


PIXELS = np.zeros((2, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RuntimeError("the moon is full"), "damaged dots file: the moon is full"),
        (None, "the image format dots returned NoneType, not a Picture"),
        (Picture(None, 3, 2), "the image format dots returned no pixels"),
        (Picture(PIXELS, 0, 2), "the image format dots returned a width and height of (0, 2)"),
        (Picture(PIXELS.astype(np.float32), 3, 2), "no (h, w, 3) array of uint8"),
        (Picture(PIXELS[..., 0], 3, 2), "no (h, w, 3) array of uint8"),
        (Picture(PIXELS[..., :2], 3, 2), "pixels with 2 channels"),
    ],
)
def test_whatever_a_format_of_a_plugin_does_the_file_is_broken_and_the_format_named(
    answer: object, said: str, limits: DecodeLimits, tmp_path: Path
) -> None:
    path = tmp_path / "photo.dots"
    path.write_bytes(b"DOTS")
    source = Source.open(bytes(path), limits.max_file_bytes)
    with pytest.raises(BrokenImageError) as caught:
        decode(source, 2, limits, FormatRegistry([type("Odd", (Dots,), {"answer": answer})]))
    assert said in caught.value.detail
    assert decode(source, 2, limits, FormatRegistry([Dots])).format == "dots"
