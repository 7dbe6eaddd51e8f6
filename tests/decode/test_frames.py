"""A file that names more frames than `decode.max_frames` is refused by its header; else the first is decoded."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from imgd.decode import DecodeLimits, FormatRegistry, Source, decode
from imgd.decode.frames import named
from imgd.domain import Picture
from imgd.errors import BrokenImageError, LimitError, UnsupportedFormatError

DecodeFew = Callable[..., Picture]
COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10), (10, 250, 250)]
KINDS = {"PNG": "acTL", "WEBP": "ANMF", "AVIF": "stsz", "TIFF": "pages", "MPO": "index", "HEIF": "items"}


def animation(kind: str, frames: int = 5) -> bytes:
    pictures = [Image.new("RGB", (64, 48), COLOURS[index % 5]) for index in range(frames)]
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def animated_jxl(colours: str, kind: type, **options: object) -> bytes:
    """Four frames of one colour each, the first of (200, 40, 90), or 200 in grey."""
    scale = {np.uint8: 1.0, np.uint16: 257.0, np.float32: 1 / 255}[kind]
    frames = np.empty((4, 48, 64, 4))
    for index, frame in enumerate(frames):
        frame[:] = [200 - 60 * index, 40 + 20 * index, 90, 255]
    channels = {"grey": 1, "rgb": 3, "rgba": 4}[colours]
    values = (frames[..., :channels] * scale).astype(kind)
    return imagecodecs.jpegxl_encode(values[..., 0] if channels == 1 else values, **options)


@pytest.fixture
def decode_few(tmp_path: Path, limits: DecodeLimits, registry: FormatRegistry) -> DecodeFew:
    """(data, max_frames, edge_px=64) -> Picture."""

    def run(data: bytes, max_frames: int, edge_px: int = 64) -> Picture:
        path = tmp_path / "photo"
        path.write_bytes(data)
        few = replace(limits, max_frames=max_frames)
        return decode(Source.open(bytes(path), few.max_file_bytes), edge_px, few, registry)

    return run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edge", [0, 64])
def test_more_frames_than_allowed_are_refused_before_any_is_decoded(
    kind: str, edge: int, decode_few: DecodeFew
) -> None:
    with pytest.raises(LimitError, match=r"it names .* frames, and `decode.max_frames` allows 3"):
        decode_few(animation(kind), 3, edge)


@pytest.mark.parametrize("kind", [*KINDS, "GIF"])
def test_of_as_many_frames_as_allowed_the_first_is_decoded(kind: str, decode_few: DecodeFew) -> None:
    # A HEIF collection has its items' metadata beside the pictures.
    picture = decode_few(animation(kind), 20)
    assert picture.damage == ""
    assert picture.pixels is not None
    assert np.abs(picture.pixels[24, 32].astype(int) - COLOURS[0]).max() < 12


JXL_SAMPLES = [("grey", np.uint8), ("rgb", np.uint8), ("rgba", np.uint8), ("rgb", np.uint16), ("rgb", np.float32)]


@pytest.mark.parametrize(("colours", "kind"), JXL_SAMPLES)
@pytest.mark.parametrize("options", [{"lossless": True}, {"level": 90}], ids=["lossless", "lossy"])
def test_of_an_animated_jpeg_xl_the_first_frame_is_decoded(
    colours: str, kind: type, options: dict[str, object], decode_few: DecodeFew
) -> None:
    data = animated_jxl(colours, kind, **options)
    picture = decode_few(data, 20)
    assert (picture.width, picture.height, picture.damage, picture.format) == (64, 48, "", "jxl")
    assert picture.pixels is not None
    wanted = [200, 40, 90] if colours != "grey" else [200] * 3
    assert np.abs(picture.pixels[20, 30].astype(int) - wanted).max() < 5
    assert decode_few(data, 20, 0).route == "metadata"


def test_later_frames_of_a_jpeg_xl_are_not_looked_at(decode_few: DecodeFew) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), np.uint8)
    whole = imagecodecs.jpegxl_encode(noise, lossless=True)
    garbled = whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2)
    picture = decode_few(garbled, 20)
    assert picture.damage == ""
    assert np.array_equal(picture.pixels, noise[0])


def test_a_jpeg_xl_animation_that_is_cut_in_its_first_frame_is_broken(decode_few: DecodeFew) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), np.uint8)
    whole = imagecodecs.jpegxl_encode(noise, lossless=True)
    with pytest.raises(BrokenImageError):
        decode_few(whole[: len(whole) // 8], 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
def test_one_picture_is_one_frame(kind: str, encoded: Callable[..., bytes]) -> None:
    assert named(encoded(kind), 10) == 1


def test_a_number_that_no_frames_follow_counts_all_the_same(decode_few: DecodeFew) -> None:
    body = struct.pack(">II", 4_000_000_000, 0)
    chunk = struct.pack(">I", 8) + b"acTL" + body + struct.pack(">I", zlib.crc32(b"acTL" + body))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    png = buffer.getvalue()
    with pytest.raises(LimitError, match="it names 4000000000 frames"):
        decode_few(png[:33] + chunk + png[33:], 10_000)


def test_a_tiff_whose_pages_form_a_ring_is_no_endless_document(decode_few: DecodeFew) -> None:
    page = struct.pack("<H", 0) + struct.pack("<I", 8)
    assert named(b"II*\0\x08\0\0\0" + page + bytes(8), 100) == 1
    pages = b"".join(struct.pack("<HI", 0, 8 + 6 * (index + 1)) for index in range(50_000))
    assert named(b"II*\0\x08\0\0\0" + pages, 10_000) == 10_001
    with pytest.raises(LimitError, match="it names more than 10000 frames"):
        decode_few(b"II*\0\x08\0\0\0" + pages, 10_000)


@pytest.mark.parametrize("kind", [*KINDS, "GIF"])
def test_a_header_cut_anywhere_names_no_frames_that_are_not_there(kind: str, decode_few: DecodeFew) -> None:
    whole = animation(kind)
    for size in range(1, min(len(whole), 900), 7):
        assert named(whole[:size], 100) <= 5 + 5 * (kind == "HEIF"), size
        with contextlib.suppress(BrokenImageError, UnsupportedFormatError):
            decode_few(whole[:size], 100)


def test_a_webp_of_a_million_chunks_takes_but_a_moment() -> None:
    head = b"RIFF" + struct.pack("<I", 1 << 27) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\2" + bytes(9)
    frame, other = b"ANMF" + struct.pack("<I", 0), b"JUNK" + struct.pack("<I", 0)
    assert named(head + frame * 2 + other * 1_000_000 + frame, 10) == 2
    assert named(head + other * 100 + frame * 20, 10) == 11
