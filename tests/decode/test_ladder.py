"""The steps of the ladder: which one is taken, and that each gives the same upright photo."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from imgd.analyzer import ImageFormat
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, pyramid, report
from imgd.decode.orientation import upright
from imgd.domain import Picture
from imgd.errors import LimitError

DecodeBytes = Callable[..., Picture]
# How a picture is stored so that its EXIF orientation turns it upright: the inverse of each turn.
STORED_AS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def _pixels(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert picture.pixels is not None
    return picture.pixels


@pytest.mark.parametrize(
    ("edge", "route"),
    [
        (3000, "full"),
        (1500, "dct 1/2"),
        (1126, "dct 1/2"),
        (1125, "dct 3/8"),
        (751, "dct 3/8"),
        (700, "dct 1/4"),
        (375, "dct 1/8"),
        (10, "dct 1/8"),
    ],
)
def test_a_jpeg_is_reduced_in_the_dct_domain_as_far_as_serves(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], edge: int, route: str
) -> None:
    picture = decode_bytes(encoded("JPEG", Image.new("RGB", (3000, 2000), (90, 60, 30))), edge)
    assert (picture.width, picture.height, picture.route, picture.format) == (3000, 2000, route, "jpeg")
    assert max(_pixels(picture).shape) == edge


def test_with_no_edge_only_the_header_is_read(decode_bytes: DecodeBytes, encoded: Callable[..., bytes]) -> None:
    for kind, name in [
        ("JPEG", "jpeg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tiff"),
        ("HEIF", "heic"),
        ("AVIF", "avif"),
        ("JXL", "jxl"),
        ("JPEG2000", "jp2"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
    ]:
        picture = decode_bytes(encoded(kind), 0)
        assert picture == Picture(None, 451, 300, "metadata", "", name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JXL"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_is_applied_exactly_once(
    kind: str, orientation: int, decode_bytes: DecodeBytes, encoded: Callable[..., bytes], cat: Image.Image
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif.tobytes() if kind == "JXL" else exif}
    stored = cat if kind == "JXL" else upright(cat, STORED_AS[orientation])
    data = encoded(kind, stored, **options)
    picture = decode_bytes(data, 200)
    # libjxl turns by the codestream's own orientation; EXIF beside it says nothing.
    assert (picture.width, picture.height) == (451, 300)
    expected = np.asarray(cat.resize((200, 133), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(_pixels(picture) - expected).mean() < 4
    header = decode_bytes(data, 0)
    assert (header.width, header.height) == (451, 300)


def test_rotated_siblings_give_the_same_pixels(
    corpus: Path, limits: DecodeLimits, registry: FormatRegistry
) -> None:
    groups = [sorted((corpus / "01_exif/orientation").glob("landscape_*.jpg"))]
    groups += [sorted((corpus / "01_exif/orientation_heic").glob("crop_orientation*.heic"))]
    groups += [sorted((corpus / "01_exif/orientation_libvips").glob("[5678].jpg"))]
    for group in groups:
        pictures = [
            decode(Source.open(bytes(path), limits.max_file_bytes), 128, limits, registry) for path in group
        ]
        first = _pixels(pictures[0])
        for path, picture in zip(group, pictures, strict=True):
            assert _pixels(picture).shape == first.shape, path
            # They were encoded one by one, some at other sizes: alike, not equal. A wrong turn gives 0.3 at most.
            assert np.corrcoef(_pixels(picture).ravel(), first.ravel())[0, 1] > 0.9, path


def test_a_raw_is_served_by_its_preview_while_that_is_large_enough(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], make_dng: Callable[..., bytes]
) -> None:
    dng = make_dng(960, 640, encoded("JPEG", Image.new("RGB", (720, 480), (20, 200, 30))))
    assert decode_bytes(dng, 720).route == "preview"
    assert decode_bytes(make_dng(960, 640), 480).route == "half"
    assert decode_bytes(make_dng(960, 640), 481).route == "full"
    assert decode_bytes(dng, 721).route == "full"
    for edge in (100, 480, 720, 721, 5000):
        picture = decode_bytes(dng, edge)
        assert (picture.width, picture.height) == (960, 640)
        assert max(_pixels(picture).shape) == min(edge, 960)


def test_a_preview_of_other_proportions_is_not_used(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], make_dng: Callable[..., bytes]
) -> None:
    cropped = encoded("JPEG", Image.new("RGB", (720, 405), (20, 200, 30)))
    picture = decode_bytes(make_dng(960, 640, cropped), 400)
    assert picture.route == "half"
    assert _pixels(picture)[..., 0].mean() > _pixels(picture)[..., 1].mean()


def test_a_cut_preview_is_not_used(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], make_dng: Callable[..., bytes], cat: Image.Image
) -> None:
    preview = encoded("JPEG", cat.resize((720, 480)))
    holed = preview[: len(preview) // 2] + b"\0" * (len(preview) - len(preview) // 2)
    assert decode_bytes(make_dng(960, 640, preview), 400).route == "preview"
    assert decode_bytes(make_dng(960, 640, holed), 400).damage == ""


def test_a_raw_and_its_preview_are_turned_alike(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], make_dng: Callable[..., bytes]
) -> None:
    preview = Image.new("RGB", (720, 480), (230, 25, 136))
    preview.paste((5, 5, 5), (0, 0, 180, 480))
    for orientation, dark in ((1, np.s_[:, :50]), (3, np.s_[:, -50:]), (6, np.s_[:50]), (8, np.s_[-50:])):
        dng = make_dng(960, 640, encoded("JPEG", preview), orientation)
        for edge, route in ((300, "preview"), (900, "full")):
            picture = decode_bytes(dng, edge)
            assert picture.route == route
            assert (picture.width > picture.height) == (orientation in (1, 3))
            assert _pixels(picture)[dark].mean() < _pixels(picture).mean() / 1.5, (orientation, route)


def test_an_embedded_thumbnail_serves_for_a_heic(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], cat: Image.Image
) -> None:
    large = encoded("HEIF", cat.resize((1600, 1064)), thumbnails=[512])
    assert decode_bytes(large, 400).route == "preview"
    picture = decode_bytes(large, 600)
    assert picture.route == "full"
    assert (picture.width, picture.height) == (1600, 1064)


def test_a_thumbnail_of_another_picture_does_not_serve_for_a_heic(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], cat: Image.Image
) -> None:
    large, square = cat.resize((1600, 1064)), Image.new("RGB", (800, 800), (200, 30, 40))
    data = encoded("HEIF", large, thumbnails=[512], save_all=True, append_images=[square], quality=95)
    assert decode_bytes(data, 400).route == "preview"
    # "This item is the thumbnail of that one" (ISO/IEC 14496-12, 8.11.12), twice: with the thumbnails exchanged.
    first, second = (found.end() for found in re.finditer(rb"thmb", data))
    exchanged = bytearray(data)
    exchanged[first : first + 2], exchanged[second : second + 2] = (
        data[second : second + 2],
        data[first : first + 2],
    )
    picture = decode_bytes(bytes(exchanged), 400)
    assert picture.route == "full"
    assert np.abs(_pixels(picture) - _pixels(decode_bytes(data, 400)).astype(int)).mean() < 4


@pytest.mark.parametrize(
    ("edge", "route"), [(2000, "full"), (1024, "dwt 1/2"), (400, "dwt 1/2"), (170, "dwt 1/4")]
)
def test_a_jpeg_2000_is_reduced_by_more_than_one_level_only_with_pixels_to_spare(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], cat: Image.Image, edge: int, route: str
) -> None:
    data = encoded("JPEG2000", cat.resize((2048, 1362)), num_resolutions=6)
    picture = decode_bytes(data, edge)
    assert picture.route == route
    assert max(_pixels(picture).shape) == edge


def test_too_many_pixels_are_refused_by_the_header(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], tmp_path: Path, limits: DecodeLimits
) -> None:
    tight = dataclasses.replace(limits, max_pixels=100_000)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JXL", "JPEG2000", "GIF", "BMP"):
        path = tmp_path / kind
        path.write_bytes(encoded(kind))
        source = Source.open(bytes(path), limits.max_file_bytes)
        with pytest.raises(LimitError, match=r"451 x 300 is 0 megapixels, more than `decode.max_megapixels`"):
            decode(source, 100, tight)


def test_pillows_own_switches_are_left_as_they_were(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes]
) -> None:
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    decode_bytes(encoded("JPEG")[:6000])
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == (before[0], False)


class Stripes(ImageFormat):
    """A third party's format: a magic, then width and height as bytes."""

    name = "stripes"
    extensions = (".stripes",)

    def matches(self, data: bytes, name: str) -> bool:
        return data.startswith(b"STRIPES")

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        width, height = data[7], data[8]
        return Picture(np.full((height, width, 3), 9, np.uint8) if edge_px else None, width, height)


def test_a_third_partys_format_takes_part(tmp_path: Path, limits: DecodeLimits) -> None:
    path = tmp_path / "photo.stripes"
    path.write_bytes(b"STRIPES\x60\x40")
    registry = FormatRegistry([Stripes])
    source = Source.open(bytes(path), limits.max_file_bytes)
    picture = decode(source, 48, limits, registry)
    assert pyramid(picture, [48])[48].shape == (32, 48, 3)
    assert report(source, picture).format == "stripes"
    assert ".stripes" in registry.extensions()
