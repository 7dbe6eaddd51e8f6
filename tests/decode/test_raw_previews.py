"""What a RAW's directories say of its size and its previews, and that no more is read where these serve."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, tiff
from imgd.decode.raw_previews import declared_size, orientation, previews
from imgd.domain import Picture

DecodeBytes = Callable[..., Picture]
BUSY = Image.effect_noise((1200, 800), 60).convert("RGB")


def bytes_read() -> int:
    """By this process so far; /proc/PID/io counts what read calls returned, page cache or not."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def ifd(*entries: tuple[int, int, int, int]) -> bytes:
    """One directory of (tag, type, count, value)."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", 0)


def size_of(head: bytes) -> tuple[int, int] | None:
    return declared_size(head, list(tiff.directories(head)))


@pytest.fixture
def big_dng(make_dng: Callable[..., bytes], encoded: Callable[..., bytes]) -> bytes:
    return make_dng(2400, 1600, encoded("JPEG", BUSY, quality=85))


def test_a_preview_that_serves_is_read_and_the_sensor_is_not(
    big_dng: bytes, tmp_path: Path, limits: DecodeLimits, registry: FormatRegistry
) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(big_dng)
    before = bytes_read()
    with Source.open(bytes(path), limits.max_file_bytes) as source:
        picture = decode(source, 1200, limits, registry)
        assert len(source.fingerprint) == 16
    assert bytes_read() - before < len(big_dng) // 4
    assert (picture.route, picture.width, picture.height) == ("preview", 2400, 1600)
    assert picture.pixels is not None
    assert picture.pixels.shape == (800, 1200, 3)


def test_size_is_told_and_nothing_but_directories_read_where_no_pixels_are_asked_for(
    big_dng: bytes, tmp_path: Path, limits: DecodeLimits, registry: FormatRegistry
) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(big_dng)
    before = bytes_read()
    with Source.open(bytes(path), limits.max_file_bytes) as source:
        picture = decode(source, 0, limits, registry)
    assert bytes_read() - before < 200_000
    assert (picture.route, picture.width, picture.height) == ("metadata", 2400, 1600)


def test_the_sensor_serves_where_the_preview_is_too_small_misshapen_or_broken(
    decode_bytes: DecodeBytes, make_dng: Callable[..., bytes], encoded: Callable[..., bytes]
) -> None:
    good = encoded("JPEG", BUSY, quality=85)
    assert decode_bytes(make_dng(2400, 1600, good), 1200, "a.dng").route == "preview"
    assert decode_bytes(make_dng(2400, 1600, good), 1201, "a.dng").route == "full"
    square = encoded("JPEG", BUSY.crop((0, 0, 800, 800)))
    assert decode_bytes(make_dng(2400, 1600, square), 600, "a.dng").route == "half"
    garbled = good[: len(good) // 3] + bytes(len(good) // 3) + good[2 * len(good) // 3 :]
    assert decode_bytes(make_dng(2400, 1600, garbled), 1200, "a.dng").route == "half"


def test_a_cut_raw_whose_preview_is_whole_is_damaged_and_still_shown(
    big_dng: bytes, decode_bytes: DecodeBytes
) -> None:
    picture = decode_bytes(big_dng[:-2_000_000], 1200, "a.dng")
    assert picture.route == "preview"
    assert picture.damage.startswith("truncated file:")
    assert picture.pixels is not None


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_previews_are_turned_as_the_raw_says(
    turn: int, decode_bytes: DecodeBytes, make_dng: Callable[..., bytes], encoded: Callable[..., bytes]
) -> None:
    left = np.zeros((400, 600, 3), np.uint8)
    left[:, :300] = 255
    data = make_dng(1200, 800, encoded("JPEG", Image.fromarray(left), quality=95), turn)
    assert orientation(list(tiff.directories(data))) == turn
    picture = decode_bytes(data, 600, "a.dng")
    pixels = picture.pixels
    assert pixels is not None
    assert pixels.shape[:2] == ((400, 600) if turn in (1, 3) else (600, 400))
    middle = [pixels[:, :10], pixels[:, -10:], pixels[:10], pixels[-10:]]
    assert int(np.argmax([edge.mean() for edge in middle])) == {1: 0, 3: 1, 6: 2, 8: 3}[turn]


def test_a_camera_s_size_counts_where_the_sensor_is_a_little_larger() -> None:
    def nef(meant: tuple[int, int]) -> bytes:
        first = ifd((330, 4, 1, 100), (34665, 4, 1, 200))
        sensor = ifd((254, 4, 1, 0), (256, 4, 1, 6064), (257, 4, 1, 4040), (262, 3, 1, 32803))
        camera = ifd((40962, 4, 1, meant[0]), (40963, 4, 1, meant[1]))
        return (b"II*\0\x08\0\0\0" + first).ljust(100, b"\0") + sensor.ljust(100, b"\0") + camera

    assert size_of(nef((6048, 4024))) == (6048, 4024)
    assert size_of(nef((3024, 2012))) == (6064, 4040)


def test_a_panasonic_s_borders_are_its_size() -> None:
    head = b"IIU\0\x08\0\0\0" + ifd((4, 3, 1, 4), (5, 3, 1, 8), (6, 3, 1, 3460), (7, 3, 1, 4616))
    assert size_of(head) == (4608, 3456)


def test_nothing_is_declared_without_a_size_or_with_pixels_that_are_not_square() -> None:
    assert size_of(b"II*\0\x08\0\0\0" + ifd((271, 2, 4, 0))) is None
    assert size_of(b"II*\0") is None
    wide = ifd((256, 4, 1, 100), (257, 4, 1, 50), (262, 3, 1, 32803), (50706, 1, 4, 1), (50718, 5, 2, 80))
    scale = struct.pack("<4I", 2, 1, 1, 1)
    assert size_of((b"II*\0\x08\0\0\0" + wide).ljust(80, b"\0") + scale) is None


def test_lossless_sensor_data_is_no_preview() -> None:
    jpeg = b"\xff\xd8\xff\xc3" + bytes(100)
    named = ifd((259, 3, 1, 6), (273, 4, 1, 200), (279, 4, 1, len(jpeg)))
    data = (b"II*\0\x08\0\0\0" + named).ljust(200, b"\0") + jpeg
    assert previews(data, list(tiff.directories(data))) == []


@pytest.mark.parametrize(
    ("photometric", "is_preview"), [(6, True), (2, True), (34892, False), (52527, False), (4, False)]
)
def test_masks_and_linear_sensor_data_are_no_preview(photometric: int, is_preview: bool) -> None:
    jpeg = b"\xff\xd8\xff\xe0" + bytes(100)
    named = ifd(
        (254, 4, 1, 1), (256, 4, 1, 60), (257, 4, 1, 40), (259, 3, 1, 7), (262, 3, 1, photometric),
        (273, 4, 1, 200), (279, 4, 1, len(jpeg)),
    )  # fmt: skip
    data = (b"II*\0\x08\0\0\0" + named).ljust(200, b"\0") + jpeg
    assert previews(data, list(tiff.directories(data))) == ([(200, len(jpeg))] if is_preview else [])


def test_a_size_that_cannot_be_believed_is_no_damage(
    decode_bytes: DecodeBytes, make_dng: Callable[..., bytes], encoded: Callable[..., bytes]
) -> None:
    data = make_dng(960, 640, encoded("JPEG", BUSY.resize((480, 320))))
    at = data.index(struct.pack("<HHI", 279, 4, 1)) + 8
    garbled = data[:at] + struct.pack("<I", 0xF0000000) + data[at + 4 :]
    assert decode_bytes(garbled, 480, "a.dng").damage == ""
    assert decode_bytes(data[: len(data) * 2 // 3], 480, "a.dng").damage.startswith("truncated file:")


def test_the_corpus_s_cr2_has_the_size_that_its_camera_names(
    corpus: Path, limits: DecodeLimits, registry: FormatRegistry
) -> None:
    path = corpus / "02_raw/test_raw.CR2"
    for edge, route in ((0, "metadata"), (1200, "preview"), (2000, "half")):
        with Source.open(os.fsencode(path), limits.max_file_bytes) as source:
            picture = decode(source, edge, limits, registry)
        assert (picture.route, picture.width, picture.height) == (route, 4416, 3312)
