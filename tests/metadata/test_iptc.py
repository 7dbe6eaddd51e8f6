"""IPTC datasets and the resources that carry them."""

from __future__ import annotations

from collections.abc import Callable

from imgd.metadata import iptc
from imgd.metadata.dates import Moment


def test_the_application_record_is_read(iim: Callable[..., bytes]) -> None:
    problems: list[str] = []
    record = iptc.read(
        iim(
            (1, 90, b"\x1b%G"),
            (2, 5, b"Boats"),
            (2, 25, "Été".encode()),
            (2, 25, b"sea"),
            (2, 55, b"20190304"),
            (2, 60, b"101112+0100"),
            (2, 80, b"Anna K"),
            (2, 90, b"Lisbon"),
            (2, 101, b"Portugal"),
            (2, 120, b"Two"),
        ),
        problems,
    )
    assert (record.title, record.description, record.artist) == ("Boats", "Two", "Anna K")
    assert record.keywords == ("Été", "sea")
    assert record.original == Moment("2019-03-04T10:11:12.000", 3600)
    assert (record.city, record.country) == ("Lisbon", "Portugal")
    assert problems == []


def test_text_without_a_declared_character_set_is_utf_8_or_else_latin_1(iim: Callable[..., bytes]) -> None:
    assert iptc.read(iim((2, 5, "Été".encode("latin-1"))), []).title == "Été"
    assert iptc.read(iim((2, 5, "Été".encode())), []).title == "Été"


def test_a_dataset_that_is_cut_off_keeps_those_before_it(iim: Callable[..., bytes]) -> None:
    problems: list[str] = []
    record = iptc.read(iim((2, 5, b"Boats"), (2, 120, b"Two boats"))[:-4], problems)
    assert record.title == "Boats"
    assert record.description is None
    assert problems == ["IPTC dataset 2:120 is cut off"]


def test_resources_are_walked_by_their_padding() -> None:
    data = b"8BIM\x03\xed\0\0\0\0\0\x03abc\0" + b"8BIM\x04\x04\x03abc\0\0\0\x02hi"
    assert [(kind, data[start:end]) for kind, start, end in iptc.resources(data, 0, len(data))] == [
        (0x03ED, b"abc"),
        (0x0404, b"hi"),
    ]
