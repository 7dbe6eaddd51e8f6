"""The directories of a TIFF structure, read defensively.

EXIF, most RAW files and most maker notes are TIFF structures: a header, then directories of 12-byte entries
that hold a value or the offset of one (TIFF 6.0, section 2; BigTIFF widens counts and offsets to 8 bytes).
Nothing here raises on bad bytes: what lies outside the data, or repeats, is left out and noted as a problem.
Entries, directories and value lengths are bounded, so the time a hostile file takes is bounded too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imgd.domain import ByteRange

MAX_ENTRIES = 2_000
MAX_DIRECTORIES = 48
MAX_TEXT_BYTES = 64 * 1024
MAX_NUMBERS = 4_096
MAX_PROBLEMS = 12

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
    129: 1,
}
_CODES = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    7: "B",
    8: "h",
    9: "i",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
_RATIONALS = {5: "I", 10: "i"}
_TEXTS = frozenset({1, 2, 7, 129})
_BIG = 43
_MAGICS = frozenset({42, 85, 0x4F52, 0x5352, _BIG})
"""TIFF, Panasonic RW2 (0x55), Olympus ORF ("RO", "RS") and BigTIFF."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the value of one tag lies: `count` values of TIFF type `kind` at `position` of the data."""

    kind: int
    count: int
    position: int

    @property
    def size_bytes(self) -> int:
        return _SIZES[self.kind] * self.count


class Tiff:
    """One TIFF structure inside `data`, from `base` (to which its offsets are relative) to `end`.

    `order` is "<" or ">"; `problems` collects what was found malformed, in plain words.
    """

    def __init__(
        self, data: ByteRange, base: int, end: int, order: str, problems: list[str], *, big: bool = False
    ) -> None:
        self.data = data
        self.base = base
        self.end = min(end, len(data))
        self.order = order
        self.big = big
        self.problems = problems
        self._visited: set[int] = set()

    def note(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def first_directory(self) -> Directory | None:
        """The directory that the header names."""
        if self.big:
            return self.directory(self._integer(self.base + 8, "Q"))
        return self.directory(self._integer(self.base + 4, "I"))

    def directory(self, offset: int, name: str = "directory") -> Directory | None:
        """The directory `offset` bytes after the base, or None where there is none or it was read before."""
        position = self.base + offset
        if offset <= 0 or position + 2 > self.end:
            self.note(f"EXIF {name} lies outside the data")
            return None
        if position in self._visited or len(self._visited) >= MAX_DIRECTORIES:
            self.note(
                f"EXIF {name} is linked in a loop" if position in self._visited else "too many EXIF directories"
            )
            return None
        self._visited.add(position)
        width, head = (20, 8) if self.big else (12, 2)
        declared = self._integer(position, "Q" if self.big else "H")
        count = min(declared, MAX_ENTRIES, max(self.end - position - head, 0) // width)
        if count < declared:
            self.note(f"EXIF {name} is cut off: {count} of {declared} entries")
        entries = self._entries(position + head, count, name)
        next_at = position + head + count * width
        following = self._integer(next_at, "Q" if self.big else "I") if count == declared else 0
        return Directory(self, entries, following)

    def _entries(self, start: int, count: int, name: str) -> dict[int, Entry]:
        pattern, inline, width = ("HHQQ", 8, 20) if self.big else ("HHII", 4, 12)
        entries: dict[int, Entry] = {}
        at = start - width
        for tag, kind, values, offset in struct.iter_unpack(
            self.order + pattern, self.data[start : start + count * width]
        ):
            at += width
            size = _SIZES.get(kind)
            if size is None:
                self.note(f"EXIF {name} entry {tag:#06x} has the unknown type {kind}")
                continue
            position = at + width - inline
            if size * values > inline:
                position = self.base + offset
                if position < 0 or position + size * values > self.end:
                    self.note(f"EXIF {name} entry {tag:#06x} lies outside the data")
                    continue
            entries.setdefault(tag, Entry(kind, values, position))
        return entries

    def _integer(self, position: int, code: str) -> int:
        if position < 0 or position + struct.calcsize("=" + code) > self.end:
            return 0
        return int(self.unpack(code, position)[0])

    def unpack(self, pattern: str, position: int) -> tuple[Any, ...]:
        """The values at `position`, in the structure's byte order; the caller has seen to the data's bounds."""
        pattern = self.order + pattern
        return struct.unpack(pattern, self.data[position : position + struct.calcsize(pattern)])


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of one directory by tag; reading a value never raises, whatever type the file gave it."""

    tiff: Tiff
    entries: dict[int, Entry]
    next_offset: int = 0

    def raw(self, tag: int, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """The value's bytes as they are in the file, b"" where it is absent or longer than `max_bytes`."""
        entry = self.entries.get(tag)
        if entry is None or entry.size_bytes > max_bytes:
            return b""
        return self.tiff.data[entry.position : entry.position + entry.size_bytes]

    def text(self, tag: int) -> str | None:
        """The value as text up to its first NUL (the second part where the first is blank); None where blank."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _TEXTS:
            return None
        parts = [decode_text(part) for part in self.raw(tag).split(b"\0", 2)[:2]]
        return next((part for part in parts if part), None)

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values as floats, each undefined one (zero denominator, not a number) as NaN."""
        entry = self.entries.get(tag)
        if entry is None or entry.count > MAX_NUMBERS:
            return ()
        if code := _CODES.get(entry.kind):
            return tuple(float(value) for value in self.tiff.unpack(f"{entry.count}{code}", entry.position))
        if code := _RATIONALS.get(entry.kind):
            flat = self.tiff.unpack(f"{2 * entry.count}{code}", entry.position)
            return tuple(
                top / bottom if bottom else math.nan for top, bottom in zip(flat[::2], flat[1::2], strict=True)
            )
        return _written_numbers(self.text(tag) or "")

    def number(self, tag: int) -> float | None:
        """The first finite value."""
        return next((value for value in self.numbers(tag) if math.isfinite(value)), None)

    def integer(self, tag: int) -> int | None:
        value = self.number(tag)
        return None if value is None else int(value)

    def pointed(self, tag: int, name: str) -> Directory | None:
        """The directory whose offset the tag holds."""
        entry = self.entries.get(tag)
        if entry is None:
            return None
        if entry.kind not in (4, 13, 16, 18, 9, 3):
            self.tiff.note(f"EXIF pointer to the {name} directory has the wrong type {entry.kind}")
            return None
        return self.tiff.directory(self.integer(tag) or 0, name)

    def following(self, name: str) -> Directory | None:
        """The next directory of the chain."""
        return self.tiff.directory(self.next_offset, name) if self.next_offset else None


def open_tiff(data: ByteRange, start: int, end: int, problems: list[str]) -> Tiff | None:
    """The TIFF structure whose header is at `start`, or None (with a problem noted) where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(data[start : start + 2])
    if order is None or start + 8 > min(end, len(data)):
        problems.append("EXIF block has no TIFF header")
        return None
    magic = struct.unpack(order + "H", data[start + 2 : start + 4])[0]
    if magic not in _MAGICS:
        problems.append(f"EXIF block has the unknown TIFF magic {magic:#06x}")
        return None
    return Tiff(data, start, end, order, problems, big=magic == _BIG)


def decode_text(raw: bytes) -> str:
    """EXIF declares ASCII; real files hold UTF-8 or else Latin-1. Trimmed, without control characters."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return clean_text(text)


def clean_text(text: str) -> str:
    """`text` trimmed and without control characters, newlines and tabs kept."""
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c in "\n\t\r")
    return text.strip()


def _written_numbers(text: str) -> tuple[float, ...]:
    """Numbers written out as text, which some writers store in place of a rational."""
    return tuple(_each_number(text.replace(",", " ").split()[:8]))


def _each_number(words: list[str]) -> Iterator[float]:
    for word in words:
        top, _, bottom = word.partition("/")
        try:
            yield float(top) / float(bottom or 1)
        except (ValueError, ZeroDivisionError, OverflowError):
            yield math.nan
