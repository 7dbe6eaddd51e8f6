"""Plain PNGs take the quick way and give the pixels that Pillow gives; all others, and damage, are Pillow's."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgd.decode import png
from imgd.decode.formats import Png
from imgd.decode.turns import NoTurns
from imgd.domain import Picture

DecodeBytes = Callable[..., Picture]


def quick(data: bytes) -> np.ndarray | None:
    return png.pixels(data, Png(NoTurns()).open(data))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def saved(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def before_end(data: bytes, *more: bytes) -> bytes:
    return data[:-12] + b"".join(more) + data[-12:]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (300, 217), (65534, 1), (65535, 1), (1, 65535), (21845, 3)])
def test_plain_pixels_are_pillows(mode: str, size: tuple[int, int]) -> None:
    values = np.random.default_rng(3).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    image = Image.fromarray(values[..., 0] if mode == "L" else values)
    found = quick(saved(image, compress_level=1))
    assert found is not None
    assert np.array_equal(found, np.asarray(image))


def test_every_png_of_the_corpus_gives_pillows_pixels(corpus: Path) -> None:
    plain = 0
    for path in sorted((corpus / "03_formats").rglob("*.png")):
        data = path.read_bytes()
        try:
            whole = Image.open(io.BytesIO(data))
            whole.load()
        except Exception:  # noqa: BLE001  PngSuite has files that are wrong on purpose
            continue
        if (found := quick(data)) is not None:
            plain += 1
            assert np.array_equal(found, np.asarray(whole)), path
    assert plain > 10


@pytest.mark.parametrize("options", [{"transparency": (1, 2, 3)}, {"save_all": True, "append_images": []}])
def test_a_transparent_colour_or_an_animation_is_left_to_pillow(
    cat: Image.Image, options: dict[str, object]
) -> None:
    if "append_images" in options:
        options = {**options, "append_images": [cat.rotate(180)]}
    assert quick(saved(cat, **options)) is None


@pytest.mark.parametrize("mode", ["1", "P", "LA", "I;16"])
def test_other_modes_are_left_to_pillow(cat: Image.Image, mode: str) -> None:
    image = cat.convert("L").convert(mode) if mode != "I;16" else Image.new("I;16", (9, 9), 40_000)
    assert quick(saved(image)) is None


def test_text_behind_the_picture_does_no_harm_and_what_may_needs_pillow(cat: Image.Image) -> None:
    whole = saved(cat)
    assert quick(before_end(whole, chunk(b"tEXt", b"date:create\0today"))) is not None
    assert quick(before_end(whole, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 90)))) is None
    assert quick(before_end(whole, chunk(b"tEXt", b"Comment\0" + b"x" * 90_000))) is None
    assert quick(before_end(whole, chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", b""))) is None


def test_a_wrong_checksum_of_the_rows_is_damage_as_before(cat: Image.Image, decode_bytes: DecodeBytes) -> None:
    whole = saved(cat)
    start, end = next(place[1:] for place in png.chunks(whole) if place[0] == b"IDAT")
    harmed = whole[: start - 8] + chunk(b"IDAT", whole[start : end - 4] + bytes(4)) + whole[end + 4 :]
    assert quick(harmed) is None
    assert "its image data is garbled" in decode_bytes(harmed).damage


def test_a_harmed_row_is_damage_as_before(cat: Image.Image, decode_bytes: DecodeBytes) -> None:
    whole = saved(cat)
    middle = len(whole) // 2
    harmed = whole[:middle] + bytes(40) + whole[middle + 40 :]
    assert quick(harmed) is None
    assert decode_bytes(harmed).damage


def test_rows_too_many_or_too_few_are_left_to_pillow(cat: Image.Image) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(cat))
    head = saved(cat)[:33]
    end = chunk(b"IEND", b"")
    assert quick(head + chunk(b"IDAT", zlib.compress(rows)) + end) is not None
    for wrong in (rows + b"\0", rows[:-1], b"", b"\x05" + rows[1:]):
        assert quick(head + chunk(b"IDAT", zlib.compress(wrong)) + end) is None


def test_exif_behind_the_picture_still_turns_it(decode_bytes: DecodeBytes, cat: Image.Image) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    data = before_end(saved(cat), chunk(b"eXIf", tags.tobytes()[6:]))
    assert png.may_have_exif(data)
    assert not png.may_have_exif(saved(cat))
    picture = decode_bytes(data)
    assert (picture.width, picture.height) == (300, 451)
