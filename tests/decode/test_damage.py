"""Damaged files give what they still have, or a reason that a photographer understands."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imgd.domain import Picture
from imgd.errors import BrokenImageError, UnsupportedFormatError

DecodeBytes = Callable[..., Picture]


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_cut_jpeg_gives_what_is_there(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], options: dict[str, bool]
) -> None:
    whole = encoded("JPEG", quality=95, **options)
    picture = decode_bytes(whole[: len(whole) * 6 // 10])
    assert picture.damage.startswith(f"truncated file: {len(whole) * 6 // 10 // 1024} KiB")
    assert picture.pixels is not None
    assert picture.pixels[:100].std() > 20
    if not options:
        assert picture.damage.endswith("% of the picture is missing")


def test_a_cut_png_names_its_sizes(decode_bytes: DecodeBytes, encoded: Callable[..., bytes]) -> None:
    whole = encoded("PNG")
    picture = decode_bytes(whole[: len(whole) // 2])
    assert picture.damage.startswith(f"truncated file: {len(whole) // 2 // 1024} of ")
    assert "% of the picture is missing" in picture.damage


@pytest.mark.parametrize("kind", ["WEBP", "HEIF", "AVIF", "TIFF", "BMP"])
def test_a_cut_file_of_any_kind_says_how_much_is_there(
    kind: str, decode_bytes: DecodeBytes, encoded: Callable[..., bytes]
) -> None:
    whole = encoded(kind)
    cut = whole[: len(whole) // 2]
    try:
        said = decode_bytes(cut).damage
    except BrokenImageError as error:
        said = error.detail
    assert said.startswith("truncated file: ")
    assert " of " in said


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["raw", "packed"])
def test_a_tiff_cut_before_its_directory_is_called_truncated(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], options: dict[str, str]
) -> None:
    whole = encoded("TIFF", **options)
    try:
        said = decode_bytes(whole[: len(whole) // 2]).damage
    except BrokenImageError as error:
        said = error.detail
    assert said.startswith(f"truncated file: {len(whole) // 2 // 1024} of ")


@pytest.mark.timeout(60)
def test_a_png_of_a_million_empty_chunks_is_given_up(decode_bytes: DecodeBytes) -> None:
    with pytest.raises(BrokenImageError):
        decode_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IDAT\0\0\0\0" * 2_000_000)


def test_a_cut_raw_is_damaged_even_where_its_preview_serves(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes], make_dng: Callable[..., bytes]
) -> None:
    dng = make_dng(960, 640, encoded("JPEG", Image.new("RGB", (720, 480), (20, 200, 30))))
    picture = decode_bytes(dng[: len(dng) * 7 // 10], 700)
    assert picture.route == "preview"
    assert picture.damage == f"truncated file: {len(dng) * 7 // 10 // 1024} of {-(-len(dng) // 1024)} KiB"


def test_text_beside_a_png_can_be_garbled_or_a_bomb(
    decode_bytes: DecodeBytes, encoded: Callable[..., bytes]
) -> None:
    whole = encoded("PNG")
    for body in (b"Comment\0\0" + zlib.compress(b"x" * 80_000_000, 9), b"Comment\0\x07rubbish"):
        chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
        picture = decode_bytes(whole[:33] + chunk + whole[33:])
        assert np.array_equal(np.asarray(picture.pixels), np.asarray(decode_bytes(whole).pixels))
        assert "missing" not in picture.damage


def test_an_animation_of_thousands_of_frames_costs_one(decode_bytes: DecodeBytes) -> None:
    buffer = io.BytesIO()
    frame = Image.new("P", (8, 8))
    frame.putpalette([0, 0, 0, 250, 250, 250])
    frame.save(
        buffer, "GIF", save_all=True, append_images=[Image.new("P", (8, 8), index % 2) for index in range(3000)]
    )
    assert decode_bytes(buffer.getvalue()).damage == ""


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"II*\0\x08\0\0\0",
        b"\xff\x0a\0",
        b"8BPS\0\x01",
        b"GIF89a",
        b"\0\0\0\x18ftypheic",
    ],
)
def test_a_bare_magic_has_a_plain_reason(data: bytes, decode_bytes: DecodeBytes) -> None:
    for edge in (0, 1200):
        with pytest.raises(BrokenImageError) as caught:
            decode_bytes(data, edge)
        assert caught.value.detail.startswith(("truncated file: ", "damaged "))
        assert " object at 0x" not in caught.value.detail


def test_an_empty_file_is_called_empty(decode_bytes: DecodeBytes) -> None:
    with pytest.raises(BrokenImageError, match="the file is empty"):
        decode_bytes(b"")


def test_a_name_alone_does_not_make_a_photo(decode_bytes: DecodeBytes) -> None:
    with pytest.raises(UnsupportedFormatError, match="this is plain text"):
        decode_bytes(b"Permission is hereby granted, free of charge", name="license.jpg")
    with pytest.raises(UnsupportedFormatError, match="RAW file of a kind that LibRaw cannot read"):
        decode_bytes(bytes(range(255, -1, -1)) * 50, name="photo.nef")
