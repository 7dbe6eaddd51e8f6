"""Ways to harm a file that know where its lengths, counts and offsets are, and where its parts begin and end.

All chance comes from the `random.Random` that is handed in: the same number harms the same file in the same way.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

_LARGEST = 400_000
"""Bytes of a harmed file: enough for thousands of repeated parts, and still quick to read."""
_MAX_PARTS = 400
_NESTING = {b"meta": 4, b"iinf": 6, b"uuid": 16} | dict.fromkeys(
    (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iprp", b"ipco", b"jp2h"), 0
)
"""Boxes of boxes, and how many bytes come before those."""


@dataclass(frozen=True, slots=True)
class Field:
    """An integer of the container: `width` bytes at `position`."""

    position: int
    width: int
    order: str  # of `int.from_bytes`


@dataclass(frozen=True, slots=True)
class Layout:
    """The container's `parts`, (start, end) each, and the `fields` that say where they are and how long."""

    parts: list[tuple[int, int]]
    fields: list[Field]


def mutate(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    """`data` harmed in one to six ways; `others` gives a file of another kind to splice from."""
    harmed = data
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        if not harmed:
            break
        way = chance.choices(_WAYS, _WEIGHTS)[0]
        harmed = way(harmed, others, chance)[:_LARGEST]
    if harmed.startswith(b"\x89PNG") and chance.random() < 0.8:
        harmed = _right_checksums(harmed)
    return harmed


def layout(data: bytes) -> Layout:
    """What is known of the container; a file that is none of those known has no parts."""
    parts: list[tuple[int, int]] = []
    fields: list[Field] = []
    if data[:2] == b"\xff\xd8":
        _jpeg(data, 0, parts, fields)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        _chunks(data, 8, ">I", parts, fields, tail=4)
    elif data[:4] == b"RIFF":
        fields.append(Field(4, 4, "little"))
        _chunks(data, 12, "<I", parts, fields, tail=0)
    elif data[4:8] in (b"ftyp", b"JXL ", b"jP  "):
        _boxes(data, 0, len(data), 0, parts, fields)
    elif data[:2] in (b"II", b"MM"):
        _tiff(data, 0, parts, fields)
    for found in list(re.finditer(rb"Exif\0\0(?=II|MM)", data))[:2]:
        _tiff(data, found.end(), parts, fields)
    if data[:4] in (b"FUJI", b"FOVb", b"\0MRM", b"8BPS", b"GIF8") or data[:2] == b"BM" or data[6:10] == b"HEAP":
        # Heads and tails of fixed fields.
        order = "big" if data[:4] in (b"FUJI", b"\0MRM", b"8BPS") else "little"
        ends = [*range(0, min(len(data) - 4, 120), 2), *range(max(0, len(data) - 120), len(data) - 4, 2)]
        fields += _every(ends, (2, 4), order)
        parts += [(at, min(at + 64, len(data))) for at in range(0, len(data), 64)]
    return Layout(parts[:_MAX_PARTS], fields[: 4 * _MAX_PARTS])


def _every(places: Iterable[int], widths: Iterable[int], order: str) -> list[Field]:
    return [Field(place, width, order) for place in places for width in widths]


def _jpeg(data: bytes, start: int, parts: list[tuple[int, int]], fields: list[Field]) -> None:
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF and len(parts) < _MAX_PARTS:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        fields.append(Field(at + 2, 2, "big"))
        fields += _every(range(at + 4, min(at + 14, len(data) - 2)), (1, 2), "big")
        parts.append((at, at + 2 + size))
        if data[at + 1] == 0xDA:
            parts += [(place, place + 48) for place in range(at + 2 + size, len(data) - 48, 48)]
            return
        at += 2 + max(size, 2)


def _chunks(
    data: bytes, at: int, code: str, parts: list[tuple[int, int]], fields: list[Field], *, tail: int
) -> None:
    """PNG chunks (length, kind, body, checksum) and RIFF chunks (kind, length, body)."""
    png = code == ">I"
    order = "big" if png else "little"
    while at + 8 <= len(data) and len(parts) < _MAX_PARTS:
        (size,) = struct.unpack_from(code, data, at if png else at + 4)
        fields.append(Field(at if png else at + 4, 4, order))
        fields += _every(range(at + 8, min(at + 26, len(data) - 4)), (1, 4), order)
        end = at + 8 + size + tail + (0 if png else size % 2)
        parts.append((at, min(end, len(data))))
        at = end


def _boxes(data: bytes, at: int, end: int, depth: int, parts: list[tuple[int, int]], fields: list[Field]) -> None:
    while at + 8 <= end and len(parts) < _MAX_PARTS:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        fields.append(Field(at, 4, "big"))
        last = end if size == 0 else min(at + size, end)
        parts.append((at, last))
        fields += _every(range(at + 8, min(at + 40, last), 2), (1, 2, 4), "big")
        if depth < 8 and kind in _NESTING:
            _boxes(data, at + 8 + _NESTING[kind], last, depth + 1, parts, fields)
        if size < 8:
            return
        at += size


def _tiff(data: bytes, base: int, parts: list[tuple[int, int]], fields: list[Field]) -> None:
    order = "little" if data[base : base + 2] == b"II" else "big"
    code = "<" if order == "little" else ">"
    fields.append(Field(base + 4, 4, order))
    waiting, seen = [int.from_bytes(data[base + 4 : base + 8], order)], set()  # type: ignore[arg-type]
    while waiting and len(parts) < _MAX_PARTS:
        at = base + waiting.pop()
        if at in seen or not base + 8 <= at <= len(data) - 2:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(code + "H", data, at)
        fields.append(Field(at, 2, order))
        for place in range(at + 2, min(at + 2 + 12 * min(count, 60), len(data) - 12), 12):
            tag, _kind, number, value = struct.unpack_from(code + "HHII", data, place)
            fields += [Field(place, 2, order), Field(place + 2, 2, order), Field(place + 4, 4, order)]
            fields += [Field(place + 8, 4, order), Field(place + 8, 2, order)]
            parts.append((place, place + 12))
            if number > 4 and base + value < len(data):
                parts.append((base + value, min(base + value + number, len(data))))
            if tag in (330, 0x8769, 0x8825):
                waiting.append(value)
        link = at + 2 + 12 * count
        if link + 4 <= len(data):
            fields.append(Field(link, 4, order))
            waiting.append(int.from_bytes(data[link : link + 4], order))  # type: ignore[arg-type]


def _set_field(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    """A length, count or offset of another value: the edges of what fits, or a little off what was there."""
    fields = layout(data).fields
    width = chance.choice((1, 2, 4))
    anywhere = Field(chance.randrange(len(data)), width, chance.choice(("big", "little")))
    field = chance.choice(fields) if fields else anywhere
    if field.position + field.width > len(data):
        return data
    last = 256**field.width - 1
    was = int.from_bytes(data[field.position : field.position + field.width], field.order)  # type: ignore[arg-type]
    size, at = len(data), field.position
    edges = (
        0,
        1,
        2,
        7,
        8,
        12,
        last,
        last - 1,
        last // 2,
        last // 2 + 1,
        65_535,
        20_000,
        chance.randrange(last + 1),
    )
    near = (was + 1, was - 1, was * 2, was // 2, was + 256)
    places = (size, size - 1, size + 1, size - at, at, chance.randrange(size))
    value = chance.choice((*edges, *near, *places))
    packed = (value & last).to_bytes(field.width, field.order)  # type: ignore[arg-type]
    return data[: field.position] + packed + data[field.position + field.width :]


def _part(data: bytes, chance: Random) -> tuple[int, int]:
    """(start, end) of a part of the container, or of any few bytes."""
    parts = [(start, end) for start, end in layout(data).parts if start < end <= len(data)]
    if parts and chance.random() < 0.85:
        return chance.choice(parts)
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.choice((1, 2, 4, 8, 16, 100, 512)))


def _repeat(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    start, end = _part(data, chance)
    times = min(chance.choice((1, 2, 10, 100, 1000, 20_000)), _LARGEST // (end - start))
    return data[:end] + data[start:end] * times + data[end:]


def _drop(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    start, end = _part(data, chance)
    return data[:start] + data[end:]


def _swap(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    (start, end), (start2, end2) = sorted((_part(data, chance), _part(data, chance)))
    if end > start2:
        return data
    return data[:start] + data[start2:end2] + data[end:start2] + data[start:end] + data[end2:]


def _splice(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    """A part of another file in the place of one of this."""
    other = others()
    if not other:
        return data
    start, end = _part(data, chance)
    start2, end2 = _part(other, chance)
    return data[:start] + other[start2:end2] + data[end if chance.random() < 0.5 else start :]


def _cut(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    return data[: chance.randrange(len(data)) + 1]


def _flip(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    harmed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        harmed[chance.randrange(len(harmed))] ^= 1 << chance.randrange(8)
    return bytes(harmed)


def _overwrite(data: bytes, others: Callable[[], bytes], chance: Random) -> bytes:
    """Zeros, ones or rubbish over a run of bytes."""
    size = min(len(data), chance.choice((1, 2, 4, 16, 64, 512)))
    at = chance.randrange(len(data) - size + 1)
    run = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
    return data[:at] + run + data[at + size :]


def _right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks' checksums are right, so that what is wrong inside them is met."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + size > len(data):
            break
        body = data[at + 4 : at + 8 + size]
        out.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + size
    return b"".join([*out, data[at:]])


_WAYS = (_set_field, _repeat, _drop, _swap, _splice, _cut, _flip, _overwrite)
_WEIGHTS = (8, 2, 2, 1, 2, 1, 4, 2)


def numbered(name: str, number: int, seed: Callable[[str], bytes], names: list[str]) -> bytes:
    """The harmed file of that number: always the same as long as the seeds are."""
    chance = Random(f"{name} {number}")
    return mutate(seed(name), lambda: seed(chance.choice(names)), chance)


def each(names: list[str], first: int) -> Iterator[tuple[str, int]]:
    """(name, number) for ever, all names in turn."""
    number = first
    while True:
        for name in names:
            yield name, number
        number += 1
