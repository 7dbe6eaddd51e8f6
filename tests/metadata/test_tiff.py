"""The TIFF directory reader, on structures built by hand."""

from __future__ import annotations

import math
import struct

import pytest

from imgd.metadata.tiff import MAX_PROBLEMS, Directory, open_tiff


def tiff_of(
    entries: list[tuple[int, int, int, bytes]], order: str = "<", tail: bytes = b"", following: int = 0
) -> bytes:
    """A TIFF structure of one directory; values over 4 bytes must be offsets into `tail` by the caller."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    body = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    return head + body + struct.pack(order + "I", following) + tail


def first_directory(data: bytes, problems: list[str] | None = None) -> Directory:
    tiff = open_tiff(data, 0, len(data), [] if problems is None else problems)
    assert tiff is not None
    directory = tiff.first_directory()
    assert directory is not None
    return directory


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_and_texts_are_read_in_both_byte_orders(order: str) -> None:
    tail = struct.pack(order + "II", 28, 10)
    data = tiff_of(
        [(1, 3, 1, struct.pack(order + "H", 7)), (2, 5, 1, struct.pack(order + "I", 50)), (3, 2, 4, b"abc")],
        order,
        tail,
    )
    directory = first_directory(data)
    assert directory.integer(1) == 7
    assert directory.number(2) == pytest.approx(2.8)
    assert directory.text(3) == "abc"


def test_a_rational_with_a_zero_denominator_is_undefined() -> None:
    directory = first_directory(tiff_of([(2, 5, 1, struct.pack("<I", 26))], tail=struct.pack("<II", 28, 0)))
    assert math.isnan(directory.numbers(2)[0])
    assert directory.number(2) is None


def test_a_number_written_as_text_is_read_and_a_word_is_not() -> None:
    directory = first_directory(tiff_of([(1, 2, 4, b"2.8"), (2, 2, 3, b"no")]))
    assert directory.number(1) == 2.8
    assert directory.number(2) is None


def test_an_empty_value_is_absent() -> None:
    directory = first_directory(tiff_of([(1, 2, 0, b""), (2, 3, 0, b"")]))
    assert directory.text(1) is None
    assert directory.number(2) is None


def test_a_value_outside_the_data_costs_that_value_alone() -> None:
    problems: list[str] = []
    directory = first_directory(tiff_of([(1, 2, 400, struct.pack("<I", 9000)), (2, 3, 1, b"\5\0")]), problems)
    assert directory.text(1) is None
    assert directory.integer(2) == 5
    assert problems == ["EXIF directory entry 0x0001 lies outside the data"]


def test_a_directory_that_is_cut_off_gives_what_is_left_of_it() -> None:
    problems: list[str] = []
    data = tiff_of([(1, 3, 1, b"\5\0"), (2, 3, 1, b"\6\0")])[:24]
    assert first_directory(data, problems).integer(1) == 5
    assert "cut off" in problems[0]


def test_a_directory_that_links_to_itself_is_read_once() -> None:
    problems: list[str] = []
    directory = first_directory(tiff_of([(1, 4, 1, struct.pack("<I", 8))], following=8), problems)
    assert directory.following("next directory") is None
    assert directory.pointed(1, "camera") is None
    assert "loop" in problems[0]


def test_a_text_that_is_not_utf_8_is_read_as_latin_1() -> None:
    assert first_directory(tiff_of([(1, 2, 4, b"caf\xe9")])).text(1) == "café"
    assert first_directory(tiff_of([(1, 2, 4, b"\xc3\xa9\0\0")])).text(1) == "é"


def test_a_huge_count_is_not_read() -> None:
    directory = first_directory(tiff_of([(1, 3, 0xFFFFFFFF, struct.pack("<I", 8))]))
    assert directory.numbers(1) == ()
    assert directory.raw(1) == b""


def test_problems_are_bounded_and_each_is_told_once() -> None:
    problems: list[str] = []
    first_directory(tiff_of([(tag, 99, 1, b"") for tag in range(200)]), problems)
    assert len(problems) == MAX_PROBLEMS


def test_big_tiff_is_read() -> None:
    data = (
        b"II"
        + struct.pack("<HHHQQ", 43, 8, 0, 16, 1)
        + struct.pack("<HHQQ", 0x112, 3, 1, 6)
        + struct.pack("<Q", 0)
    )
    assert first_directory(data).integer(0x112) == 6


@pytest.mark.parametrize("data", [b"", b"II", b"XX*\0\x08\0\0\0", b"II\x99\x99\x08\0\0\0"])
def test_what_has_no_tiff_header_is_refused_with_a_reason(data: bytes) -> None:
    problems: list[str] = []
    assert open_tiff(data, 0, len(data), problems) is None
    assert problems
