from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgd.decode import jxl, tiff
from imgd.decode.structure import expected_size


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF", "BMP"])
def test_a_whole_file_is_as_large_as_its_structure_says(kind: str, encoded: Callable[..., bytes]) -> None:
    data = encoded(kind)
    assert abs(expected_size(data) - len(data)) <= 1


def test_a_cut_raw_is_expected_to_be_whole(make_dng: Callable[..., bytes]) -> None:
    dng = make_dng(960, 640)
    assert expected_size(dng[: len(dng) // 3]) == len(dng) == expected_size(dng)


def test_directories_and_their_tags_are_read(make_dng: Callable[..., bytes]) -> None:
    first = next(tiff.directories(make_dng(96, 64)))
    assert (first.number(256), first.number(257), first.tags[271]) == (96, 64, b"Imgd\0")


@given(
    st.binary(max_size=400),
    st.sampled_from(
        [
            b"II*\0",
            b"MM\0*",
            b"RIFF",
            b"\0\0\0\x18ftypheic",
            b"BM",
            b"\x89PNG\r\n\x1a\n",
            b"FUJIFILMCCD-RAW",
            b"\xff\x0a",
        ]
    ),
)
def test_any_garbage_is_measured_without_an_error(tail: bytes, head: bytes) -> None:
    assert expected_size(head + tail) >= 0
    jxl.header(head + tail)


def test_a_directory_that_points_at_itself_ends() -> None:
    loop = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    assert len(list(tiff.directories(loop))) == 1


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (256, 256), (264, 8), (451, 300), (1920, 1080), (3000, 2), (640, 480), (513, 9000)]
)
def test_the_size_in_a_jpeg_xl_header_is_read(size: tuple[int, int], encoded: Callable[..., bytes]) -> None:
    from PIL import Image

    assert jxl.header(encoded("JXL", Image.new("RGB", size))) == jxl.Header(*size)
