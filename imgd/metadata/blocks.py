"""Where the metadata of a photo file lies: EXIF structures, XMP packets, IPTC datasets."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Sized
from dataclasses import dataclass, field

from imgd.domain import ByteRange
from imgd.metadata.record import Record

MAX_XMP_BYTES = 2 * 1024 * 1024
MAX_SIDECAR_BYTES = 4 * 1024 * 1024
MAX_IPTC_BYTES = 1024 * 1024
MAX_INFLATED_BYTES = 4 * 1024 * 1024
MAX_BLOCKS = 8
"""Of each kind. Real files have one or two: several saves, or a RAW and its preview."""
MAX_BOXES = 10_000
_MOST_INFLATED = 1032
"""zlib makes at most so many bytes of one (RFC 1951's longest match in the shortest code)."""
MAX_PROBLEMS = 12


class Part(enum.Enum):
    """Which directory an EXIF structure begins with; all but CR3 files begin with the image's."""

    IMAGE = "image"
    CAMERA = "camera"
    CANON = "canon"
    GPS = "gps"


@dataclass(frozen=True, slots=True)
class ExifBlock:
    """A TIFF structure at [start, end) of `data`, which may be the whole file."""

    data: ByteRange
    start: int
    end: int
    part: Part = Part.IMAGE


@dataclass(slots=True)
class Blocks:
    """What a file's locator collects, best first. `records`: what the file says in a form of its own
    (a CRW's heap, an X3F's properties, a PNG's text chunks). `width`, `height`: as stored, in pixels."""

    exif: list[ExifBlock] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    problems: list[str] = field(default_factory=list)
    inflated_bytes: int = 0
    boxes_left: int = MAX_BOXES

    def note(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def add_exif(self, data: ByteRange, start: int, end: int, part: Part = Part.IMAGE) -> None:
        """A TIFF structure, with or without the `Exif\\0\\0` that JPEG puts before it."""
        if data[start : start + 4] == b"Exif":
            start += 6
        if self._has_room(self.exif, "EXIF structures"):
            self.exif.append(ExifBlock(data, start, min(end, len(data)), part))

    def add_xmp(self, packet: bytes) -> None:
        if len(packet) > MAX_XMP_BYTES:
            self.note(
                f"XMP packet of {len(packet) // 1024} KiB is longer than the {MAX_XMP_BYTES // 1024} KiB read"
            )
        elif self._has_room(self.xmp, "XMP packets"):
            self.xmp.append(packet)

    def add_iptc(self, datasets: bytes) -> None:
        if len(datasets) > MAX_IPTC_BYTES:
            self.note(f"IPTC of {len(datasets) // 1024} KiB is longer than the {MAX_IPTC_BYTES // 1024} KiB read")
        elif self._has_room(self.iptc, "IPTC blocks"):
            self.iptc.append(datasets)

    def add_record(self, record: Record) -> None:
        if self._has_room(self.records, "headers"):
            self.records.append(record)

    def take_box(self) -> bool:
        """Whether one more of the file's boxes may be looked at; over all levels, so that nesting wins nothing."""
        self.boxes_left -= 1
        if self.boxes_left < 0:
            self.note(f"more than {MAX_BOXES} boxes")
        return self.boxes_left >= 0

    def _has_room(self, found: Sized, what: str) -> bool:
        if len(found) >= MAX_BLOCKS:
            self.note(f"more than {MAX_BLOCKS} {what}")
        return len(found) < MAX_BLOCKS

    def inflate(self, packed: bytes, what: str) -> bytes:
        """zlib data, b"" (with a problem noted) where it is broken or unpacks to too much."""
        budget = MAX_INFLATED_BYTES - self.inflated_bytes
        if budget <= 0:
            return b""
        try:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(packed, budget)
        except zlib.error:
            # What it unpacked before it broke took its time.
            self.inflated_bytes += min(budget, len(packed) * _MOST_INFLATED)
            self.note(f"{what} cannot be unpacked")
            return b""
        self.inflated_bytes += len(unpacked)
        if unpacker.unconsumed_tail:
            self.note(f"{what} unpacks to more than {MAX_INFLATED_BYTES // 1024} KiB")
            return b""
        return unpacked
