"""WebP and deflated TIFF by the quick way: the pixels that Pillow gives, and Pillow for all that is not plain."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgd.decode import codecs
from imgd.decode.formats import Tiff, WebP
from imgd.decode.turns import NoTurns


def webp(data: bytes) -> np.ndarray | None:
    return codecs.webp(data, WebP(NoTurns()).open(data))


def tiff(data: bytes) -> np.ndarray | None:
    return codecs.tiff(data, Tiff(NoTurns()).open(data))


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}], ids=["lossy", "lossless"])
def test_webp_pixels_are_pillows(
    mode: str, options: dict[str, object], cat: Image.Image, encoded: Callable[..., bytes]
) -> None:
    image = cat.convert(mode)
    if mode == "RGBA":
        image.putalpha(cat.convert("L"))
    data = encoded("WEBP", image, exif=b"Exif\0\0", **options)
    found = webp(data)
    assert found is not None
    assert np.array_equal(found, by_pillow(data))


def test_every_webp_of_the_corpus_gives_pillows_pixels(corpus: Path) -> None:
    found = 0
    for path in sorted((corpus / "03_formats").rglob("*.webp")):
        data = path.read_bytes()
        if (pixels := webp(data)) is not None:
            found += 1
            assert np.array_equal(pixels, by_pillow(data)), path
    assert found > 3


def test_an_animated_webp_is_left_to_pillow(cat: Image.Image, encoded: Callable[..., bytes]) -> None:
    assert webp(encoded("WEBP", cat, save_all=True, append_images=[cat.rotate(180)])) is None


def test_a_webp_with_a_garbled_middle_is_never_taken_for_whole(encoded: Callable[..., bytes]) -> None:
    whole = encoded("WEBP", lossless=True)
    middle = len(whole) // 2
    assert webp(whole[:middle] + b"\xff" * 200 + whole[middle + 200 :]) is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "options", [{}, {"tiffinfo": {317: 2}}, {"tiffinfo": {278: 7}}], ids=["plain", "predicted", "strips"]
)
def test_deflated_tiff_pixels_are_pillows(
    mode: str, options: dict[str, object], cat: Image.Image, encoded: Callable[..., bytes]
) -> None:
    image = cat.convert(mode)
    data = encoded("TIFF", image, compression="tiff_adobe_deflate", **options)
    found = tiff(data)
    assert found is not None
    assert np.array_equal(found, np.asarray(image))


def test_of_several_pages_the_first_is_given(cat: Image.Image, encoded: Callable[..., bytes]) -> None:
    data = encoded("TIFF", cat, compression="tiff_deflate", save_all=True, append_images=[cat.rotate(180)])
    assert np.array_equal(tiff(data), np.asarray(cat))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"compression": "tiff_lzw"}),
        ("RGB", {"compression": "raw"}),
        ("RGB", {"compression": "jpeg"}),
        ("RGB", {"compression": "tiff_deflate", "tiffinfo": {274: 6}}),
        ("RGBA", {"compression": "tiff_deflate"}),
        ("CMYK", {"compression": "tiff_deflate"}),
        ("P", {"compression": "tiff_deflate"}),
        ("1", {"compression": "tiff_deflate"}),
        ("LAB", {"compression": "tiff_deflate"}),
    ],
)
def test_other_tiffs_are_left_to_pillow(
    mode: str, options: dict[str, object], cat: Image.Image, encoded: Callable[..., bytes]
) -> None:
    image = cat if mode != "LAB" else Image.merge("LAB", cat.split())
    assert tiff(encoded("TIFF", image.convert(mode), **options)) is None


def test_deep_grey_and_a_grey_that_counts_from_white_are_left_to_pillow(encoded: Callable[..., bytes]) -> None:
    deep = Image.new("I;16", (40, 30), 30_000)
    assert tiff(encoded("TIFF", deep, compression="tiff_deflate")) is None
    light = Image.new("L", (40, 30), 200)
    assert tiff(encoded("TIFF", light, compression="tiff_deflate", tiffinfo={262: 0})) is None


def test_a_deflated_strip_that_is_garbled_is_refused(encoded: Callable[..., bytes]) -> None:
    whole = encoded("TIFF", compression="tiff_deflate")
    assert tiff(whole[:5000] + b"\xff" * 300 + whole[5300:]) is None


def test_a_strip_with_too_much_in_it_gives_the_same_pixels_every_time(encoded: Callable[..., bytes]) -> None:
    """libtiff takes it for whole, and leaves unwritten what a last match would have written."""
    data = encoded("TIFF", Image.new("L", (100, 13), 7), compression="tiff_deflate")
    height = struct.pack("<HHII", 257, 3, 1, 13)
    assert data.count(height) == 1
    shorter = data.replace(height, struct.pack("<HHII", 257, 3, 1, 10))
    for _ in range(5):
        np.full(1000, 99, np.uint8)  # what the memory held before
        found = tiff(shorter)
        assert found is not None
        assert found.shape == (10, 100)
        assert set(np.unique(found)) <= {0, 7}
