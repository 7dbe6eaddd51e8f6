"""A JPEG whose image data was harmed counts as damaged even where libjpeg makes a whole picture of it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imgd.decode import jpeg
from imgd.domain import Picture
from imgd.errors import LimitError

DecodeBytes = Callable[..., Picture]
Encode = Callable[..., bytes]

WRITERS = {
    "baseline": {},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
}
GARBLED = "damaged jpeg file: its image data is garbled"


def scan_start(data: bytes) -> int:
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


@pytest.fixture(params=WRITERS.values(), ids=WRITERS.keys())
def photo(request: pytest.FixtureRequest, encoded: Encode) -> bytes:
    return encoded("JPEG", quality=92, **request.param)


@pytest.mark.parametrize("there", [0.2, 0.5, 0.9])
def test_a_cut_with_a_proper_end_behind_it_is_damage(
    photo: bytes, there: float, decode_bytes: DecodeBytes
) -> None:
    start = scan_start(photo)
    cut = photo[: start + int((len(photo) - start) * there)] + b"\xff\xd9"
    assert decode_bytes(photo).damage == ""
    picture = decode_bytes(cut)
    assert picture.damage.startswith(GARBLED)
    assert picture.pixels is not None
    assert picture.pixels[:30].std() > 10


def test_how_much_of_the_picture_a_cut_took_is_told(encoded: Encode, decode_bytes: DecodeBytes) -> None:
    whole = encoded("JPEG", quality=92)
    start = scan_start(whole)
    damage = decode_bytes(whole[: (start + len(whole)) // 2] + b"\xff\xd9").damage
    missing = int(damage.removeprefix(f"{GARBLED}, the last ").removesuffix(" % of the picture is missing"))
    assert 30 < missing < 70


@pytest.mark.parametrize("what", ["zeros", "ones", "rubbish", "another photo's data", "nothing"])
def test_a_lost_or_overwritten_sector_is_damage(
    photo: bytes, what: str, encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    chance = random.Random(7)
    start, size = scan_start(photo), 4096
    noise = np.random.default_rng(7).normal(128, 80, (400, 500)).clip(0, 255).astype(np.uint8)
    other = encoded("JPEG", quality=92, image=Image.fromarray(noise).convert("RGB"))
    sector = {
        "zeros": bytes(size),
        "ones": b"\xff" * size,
        "rubbish": chance.randbytes(size),
        "another photo's data": other[-2 * size : -size],
        "nothing": b"",
    }[what]
    for _ in range(5):
        at = chance.randrange(start, len(photo) - size)
        harmed = photo[:at] + sector + photo[at + size :]
        picture = decode_bytes(harmed)
        assert picture.damage.startswith("damaged jpeg file: "), at
        assert picture.pixels is not None


def test_zeros_that_decode_to_as_many_blocks_as_they_took_are_damage(
    encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    whole = encoded("JPEG", quality=92)
    chance = random.Random(3)
    for _ in range(20):
        at = chance.randrange(scan_start(whole), len(whole) - 200)
        assert decode_bytes(whole[:at] + bytes(128) + whole[at + 128 :]).damage.startswith(GARBLED), at


def test_a_flat_picture_whose_data_is_zeros_is_whole(encoded: Encode, decode_bytes: DecodeBytes) -> None:
    flat = encoded("JPEG", image=Image.new("L", (4000, 4000), 128), optimize=True)
    assert bytes(64) in flat[scan_start(flat) :]
    assert decode_bytes(flat).damage == ""


@pytest.mark.parametrize(
    "harmless",
    [
        lambda data: data[:-2] + bytes(900) + data[-2:],
        lambda data: data[:-2] + b"\xff" * 900 + data[-2:],
        lambda data: data[:-2] + b"\x20" * 40 + data[-2:],
        lambda data: data[:-2] + b"\x12\x34" + data[-2:],
        lambda data: data + bytes(5000),
        lambda data: data + b"another file behind it" * 300,
        lambda data: data[:20] + bytes(5) + data[20:],
        lambda data: data[:11] + b"\x02\x00" + data[13:],
    ],
    ids=["zeros", "ones", "blanks", "two bytes", "a tail of zeros", "a tail", "stray bytes", "a new JFIF"],
)
def test_what_careless_writers_leave_is_no_damage(
    photo: bytes, harmless: Callable[[bytes], bytes], decode_bytes: DecodeBytes
) -> None:
    picture = decode_bytes(harmless(photo))
    assert picture.damage == ""
    assert np.array_equal(picture.pixels, decode_bytes(photo).pixels)  # type: ignore[arg-type]


def test_wrong_parameters_of_a_sequential_scan_are_no_damage_and_hide_none(
    encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    whole = encoded("JPEG", quality=92)
    start = scan_start(whole)
    careless = whole[: start - 3] + b"\0\0\0" + whole[start:]
    assert decode_bytes(careless).damage == ""
    assert decode_bytes(careless[: len(careless) // 2] + b"\xff\xd9").damage.startswith(GARBLED)


def test_stray_bytes_in_the_header_hide_no_damage(encoded: Encode, decode_bytes: DecodeBytes) -> None:
    whole = encoded("JPEG", quality=92)
    harmed = whole[:20] + bytes(5) + whole[20 : len(whole) // 2] + b"\xff\xd9"
    assert decode_bytes(harmed).damage.startswith(GARBLED)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("edge", [20, 100, 1200])
def test_the_pixels_are_those_of_pillow(
    mode: str, edge: int, cat: Image.Image, encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    import io

    data = encoded("JPEG", image=cat.convert(mode), quality=90)
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (edge, edge * image.height // image.width))
        pixels = jpeg.decode(data, mode, image.size)
        assert np.array_equal(np.asarray(image), pixels)  # type: ignore[arg-type]
    assert decode_bytes(data, edge).damage == ""


def test_a_frame_with_odd_sampling_is_left_to_pillow(encoded: Encode, decode_bytes: DecodeBytes) -> None:
    whole = encoded("JPEG", image=Image.new("RGB", (64, 64), (10, 200, 30)), subsampling=0)
    frame = whole.index(b"\xff\xc0")
    odd = whole[: frame + 11] + b"\x22" + whole[frame + 12 : frame + 14] + b"\x21" + whole[frame + 15 :]
    assert jpeg.decode(odd, "RGB", (64, 64)) is None
    assert decode_bytes(odd).pixels is not None


def test_no_good_photo_of_the_corpus_is_called_damaged(corpus: object, decode_bytes: DecodeBytes) -> None:
    from pathlib import Path

    folder = Path(str(corpus))
    photos = [path for part in ("01_exif", "05_semantic", "06_faces", "07_ocr", "08_quality", "09_xmp")
              for path in sorted((folder / part).rglob("*.jp*g"))]  # fmt: skip
    assert len(photos) > 300
    for path in photos:
        data = path.read_bytes()
        if data[:3] != b"\xff\xd8\xff" or path.name == "md-beach.jpg":  # its scan header is none
            continue
        assert decode_bytes(data, 64).damage == "", path


@pytest.mark.parametrize("junk", [b"", b"\xff\1", b"\xff\xfe\0\4\xff\xd9"], ids=["bare", "TEM", "comments"])
def test_a_picture_told_in_a_thousand_scans_is_refused(
    junk: bytes, encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    whole = encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    for count, refused in ((50, False), (1000, True)):
        data = whole[:-2] + (junk + whole[last:-2]) * count + b"\xff\xd9"
        if refused:
            with pytest.raises(LimitError, match="its picture comes in more than 100 scans"):
                decode_bytes(data)
        else:
            assert decode_bytes(data).pixels is not None


def test_scans_of_one_component_each_count_too(encoded: Encode, decode_bytes: DecodeBytes) -> None:
    whole = encoded("JPEG", subsampling=0)
    start = whole.index(b"\xff\xda")
    one = b"\xff\xda\0\x08\1\1\0\0\x3f\0\0"
    with pytest.raises(LimitError, match="scans"):
        decode_bytes(whole[:start] + one * 500 + b"\xff\xd9")


def test_what_lies_behind_a_progressive_picture_counts_as_no_scan(
    encoded: Encode, decode_bytes: DecodeBytes
) -> None:
    assert decode_bytes(encoded("JPEG", progressive=True) + b"\xff\xda\0\2" * 5000).damage == ""


def test_garbage_markers_do_not_end_the_picture() -> None:
    head = b"\xff\xd8\xff\xda" + struct.pack(">HB", 6 + 2, 1) + b"\1\0\0\x3f\0"
    body = b"\x12\xff\x03\xff\xff\xe7\xff\0\xff\xd3\x55"
    assert jpeg.mend(head + body) == head + b"\x12\xff\0\x03\xff\0\xe7\xff\0\xff\xd3\x55" + b"\xff\xd9"
