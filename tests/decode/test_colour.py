"""Whatever a file's pixels are, what comes out is 8-bit sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from imgd.decode import DecodeLimits, FormatRegistry, Source, decode
from imgd.domain import Picture

DecodeBytes = Callable[..., Picture]


def _mean(picture: Picture) -> list[float]:
    assert picture.pixels is not None
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape[2] == 3
    return [float(value) for value in picture.pixels.mean(axis=(0, 1))]


def _swapped_profile() -> bytes:
    """A valid profile of a screen whose red and blue are the other's: sRGB with two tags exchanged."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    return icc.replace("sRGB".encode("utf-16-be"), "BGRs".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "JPEG2000"])
def test_a_colour_profile_is_converted_to_srgb(
    kind: str, decode_bytes: DecodeBytes, encoded: Callable[..., bytes]
) -> None:
    red = Image.new("RGB", (64, 48), (250, 10, 10))
    options = {} if kind == "JPEG2000" else {"icc_profile": _swapped_profile()}
    picture = decode_bytes(encoded(kind, red, **options))
    assert _mean(picture) == pytest.approx([250, 10, 10] if kind == "JPEG2000" else [10, 10, 250], abs=6)


def test_srgb_itself_and_broken_profiles_change_nothing(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], cat: Image.Image
) -> None:
    plain = np.asarray(decode_bytes(encoded("PNG")).pixels)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (srgb, srgb[:100], b"nonsense", b"\0" * 4096):
        assert np.array_equal(plain, np.asarray(decode_bytes(encoded("PNG", icc_profile=icc)).pixels))


def test_cmyk_and_lab_become_rgb(decode_bytes: DecodeBytes, encoded: Callable[..., bytes]) -> None:
    red = Image.new("RGB", (64, 48), (230, 20, 30))
    assert _mean(decode_bytes(encoded("JPEG", red.convert("CMYK")))) == pytest.approx([230, 20, 30], abs=8)
    assert _mean(decode_bytes(encoded("TIFF", red.convert("CMYK")))) == pytest.approx([230, 20, 30], abs=8)
    lab = ImageCms.profileToProfile(
        red, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert _mean(decode_bytes(encoded("TIFF", lab))) == pytest.approx([230, 20, 30], abs=4)


def test_transparency_is_laid_over_white(decode_bytes: DecodeBytes, encoded: Callable[..., bytes]) -> None:
    half = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    half.paste((200, 0, 0, 255), (0, 0, 40, 20))
    for kind in ("PNG", "WEBP", "TIFF"):
        assert _mean(
            decode_bytes(encoded(kind, half, **({"lossless": True} if kind == "WEBP" else {})))
        ) == pytest.approx([227.5, 127.5, 127.5], abs=2)
    assert _mean(decode_bytes(encoded("PNG", half.convert("LA")))) == pytest.approx([157] * 3, abs=2)
    assert _mean(decode_bytes(encoded("GIF", half))) == pytest.approx([227.5, 127.5, 127.5], abs=2)
    indexed = Image.new("P", (10, 10), 1)
    indexed.putpalette([0, 0, 0, 10, 200, 30])
    assert _mean(decode_bytes(encoded("PNG", indexed, transparency=1))) == [255, 255, 255]
    assert _mean(decode_bytes(encoded("PNG", indexed))) == [10, 200, 30]


def test_deep_bilevel_and_floating_grey_keep_their_scale(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes]
) -> None:
    deep = Image.fromarray(np.full((20, 30), 32768, np.uint16))
    assert _mean(decode_bytes(encoded("PNG", deep))) == [128] * 3
    assert _mean(decode_bytes(encoded("TIFF", deep))) == [128] * 3
    assert _mean(decode_bytes(encoded("PNG", Image.new("1", (9, 9), 1)))) == [255] * 3
    assert _mean(decode_bytes(encoded("TIFF", Image.new("F", (9, 9), 0.5)))) == pytest.approx([128] * 3, abs=1)
    assert _mean(decode_bytes(encoded("TIFF", Image.new("F", (9, 9), float("nan"))))) == [0] * 3
    assert _mean(decode_bytes(encoded("TIFF", Image.new("I", (9, 9), 65535)))) == [255] * 3


def test_of_an_animation_the_first_frame_counts(decode_bytes: DecodeBytes) -> None:
    frames = [Image.new("RGB", (50, 40), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        assert _mean(decode_bytes(buffer.getvalue())) == pytest.approx([200, 0, 0], abs=3), kind


def test_an_xyb_jpeg_looks_like_its_original(corpus: Path, limits: DecodeLimits, registry: FormatRegistry) -> None:
    def mean(name: str) -> list[float]:
        path = corpus / "03_formats" / name
        return _mean(decode(Source.open(bytes(path), limits.max_file_bytes), 200, limits, registry))

    assert mean("sample-xyb.jpg") == pytest.approx(mean("indexed.png"), abs=6)


def test_of_a_photoshop_document_the_composite_counts(decode_bytes: DecodeBytes) -> None:
    width, height = 30, 20
    head = b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, height, width, 8, 3)
    composite = b"".join(bytes([value]) * (width * height) for value in (200, 100, 50))
    picture = decode_bytes(head + bytes(12) + b"\0\0" + composite)
    assert (picture.format, picture.width, picture.height) == ("psd", 30, 20)
    assert _mean(picture) == [200, 100, 50]
