"""IPTC IIM records (IIM 4.2) and the Photoshop image resources that carry them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from imgd.metadata import dates
from imgd.metadata.record import Record
from imgd.metadata.tiff import clean_text

RESOURCE_IPTC = 0x0404
RESOURCE_EXIF = 0x0422
RESOURCE_XMP = 0x0424
_UTF8 = b"\x1b%G"
_MAX_DATASETS = 2_000
_MAX_RESOURCES = 2_000


def resources(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(identifier, start, end) of each Photoshop image resource (`8BIM` block) in data[start:end]."""
    position, end = start, min(end, len(data))
    for _ in range(_MAX_RESOURCES):
        if position + 12 > end or data[position : position + 4] not in {
            b"8BIM",
            b"MeSa",
            b"PHUT",
            b"AgHg",
            b"DCSR",
        }:
            return
        (identifier,) = struct.unpack_from(">H", data, position + 4)
        name_bytes = data[position + 6] + 1
        position += 6 + name_bytes + name_bytes % 2
        if position + 4 > end:
            return
        (size,) = struct.unpack_from(">I", data, position)
        position += 4
        yield identifier, position, min(position + size, end)
        position += size + size % 2


def read(data: bytes, problems: list[str]) -> Record:
    """The Record of the IIM datasets in `data`."""
    texts = _texts(data, problems)

    def first(*numbers: int) -> str | None:
        return next((text for number in numbers for text in texts.get(number, ()) if text), None)

    return Record(
        original=dates.from_iptc(first(55), first(60)),
        digitized=dates.from_iptc(first(62), first(63)),
        title=first(5, 105),
        description=first(120),
        artist=first(80),
        copyright=first(116),
        city=first(90),
        region=first(95),
        country=first(101),
        country_code=first(100),
        keywords=tuple(dict.fromkeys(text for text in texts.get(25, ()) if text)),
    )


def _texts(data: bytes, problems: list[str]) -> dict[int, list[str]]:
    """Texts of the application record (2), by dataset number; 1:90 says whether they are UTF-8."""
    raw: dict[int, list[bytes]] = {}
    utf8 = False
    for record, number, value in _datasets(data, problems):
        if (record, number) == (1, 90):
            utf8 = value.startswith(_UTF8)
        elif record == 2:
            raw.setdefault(number, []).append(value)
    return {number: [_decode(value, utf8) for value in values] for number, values in raw.items()}


def _datasets(data: bytes, problems: list[str]) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    for _ in range(_MAX_DATASETS):
        if position + 5 > len(data) or data[position] != 0x1C:
            return
        record, number, size = struct.unpack_from(">BBH", data, position + 1)
        position += 5
        if size & 0x8000:  # an extended dataset: the low bits count the bytes of its length
            width = size & 0x7FFF
            size = int.from_bytes(data[position : position + width], "big") if width <= 4 else len(data)
            position += width
        if position + size > len(data):
            problems.append(f"IPTC dataset {record}:{number} is cut off")
            return
        yield record, number, data[position : position + size]
        position += size


def _decode(value: bytes, utf8: bool) -> str:
    """UTF-8 where declared; else UTF-8 where it is valid (most writers forget 1:90), else Latin-1."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("utf-8", "replace") if utf8 else value.decode("latin-1")
    return clean_text(text)
