"""The metadata segments of a JPEG: APP1 (EXIF, XMP), APP13 (Photoshop resources), and the frame header."""

from __future__ import annotations

import re
import struct

from imgd.metadata import ciff, dates, iptc
from imgd.metadata.blocks import MAX_BLOCKS, MAX_XMP_BYTES, Blocks
from imgd.metadata.record import Record

_XMP_TAIL = b"://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_MARKER = re.compile(rb"\xff[^\xff\0]", re.DOTALL)
_MAX_SEGMENTS = 2_000
_MAX_RESOURCES_BYTES = 16 * 1024 * 1024


def locate_whole(data: bytes, blocks: Blocks) -> None:
    """Add what a file that is one JPEG carries."""
    locate(data, 0, len(data), blocks)


def locate(data: bytes, start: int, end: int, blocks: Blocks) -> None:
    """Add what the JPEG at data[start:end] carries before its first scan."""
    segments = _Segments(data, blocks)
    position, end = start + 2, min(end, len(data))
    for _ in range(_MAX_SEGMENTS):
        position = _next_marker(data, position, end)
        if position + 4 > end:
            blocks.note("JPEG ends before its first scan")
            break
        marker = data[position + 1]
        if marker in _BARE:
            position += 2
            continue
        if marker in {0xDA, 0xD9}:
            break
        (size,) = struct.unpack_from(">H", data, position + 2)
        after = position + 2 + max(size, 2)
        if after > end:
            blocks.note("JPEG ends inside a header segment")
        segments.add(marker, position + 4, min(after, end))
        position = after
    segments.finish()


class _Segments:
    """Takes the segments one by one, and joins in the end what was cut over several."""

    def __init__(self, data: bytes, blocks: Blocks) -> None:
        self.data, self.blocks = data, blocks
        self._extended: dict[bytes, list[tuple[int, bytes]]] = {}
        self._extended_bytes = 0
        self._photoshop: list[bytes] = []
        self._photoshop_bytes = 0

    def add(self, marker: int, body: int, end: int) -> None:
        data, blocks = self.data, self.blocks
        if marker == 0xE0 and data[body + 6 : body + 14] == b"HEAPJPGM":
            ciff.locate(data[body:end], blocks)
        elif marker == 0xE1:
            self._app1(body, end)
        elif marker == 0xEC:
            _picture_info(data[body:end], blocks)
        elif marker == 0xED and data.startswith(_PHOTOSHOP, body):
            self._add_photoshop(data[body + len(_PHOTOSHOP) : end])
        elif marker in _FRAMES and blocks.width is None and body + 5 <= end:
            height, width = struct.unpack_from(">HH", data, body + 1)
            if width and height:
                blocks.width, blocks.height = width, height

    def _app1(self, body: int, end: int) -> None:
        data = self.data
        if data.startswith(b"Exif\0", body):
            self.blocks.add_exif(data, body, end)
        elif data.startswith(_XMP_TAIL, body + 4):  # Flickr leaves `XMP\0` in place of `http`
            self.blocks.add_xmp(data[body + 4 + len(_XMP_TAIL) : end])
        elif data.startswith(_EXTENDED_XMP, body):
            head = body + len(_EXTENDED_XMP)
            if head + 40 <= end:
                (offset,) = struct.unpack_from(">I", data, head + 36)
                self._add_extended(data[head : head + 32], offset, data[head + 40 : end])

    def _add_photoshop(self, part: bytes) -> None:
        self._photoshop_bytes += len(part)
        if self._photoshop_bytes > _MAX_RESOURCES_BYTES:
            self.blocks.note("Photoshop resources are too long to be read")
        else:
            self._photoshop.append(part)

    def _add_extended(self, identifier: bytes, offset: int, part: bytes) -> None:
        self._extended_bytes += len(part)
        if self._extended_bytes > MAX_BLOCKS * MAX_XMP_BYTES:
            self.blocks.note("extended XMP is too long to be read")
        else:
            self._extended.setdefault(identifier, []).append((offset, part))

    def finish(self) -> None:
        """An XMP packet over 64 KiB is cut into segments (XMP part 3, 1.1.3.1); its digest is in the main one."""
        blocks = self.blocks
        for identifier, parts in self._extended.items():
            if blocks.xmp and identifier not in blocks.xmp[0]:
                continue  # a left-over of an earlier save
            if sum(len(part) for _, part in parts) > MAX_XMP_BYTES:
                blocks.note("extended XMP is too long to be read")
            else:
                blocks.add_xmp(b"".join(part for _, part in sorted(parts)))
        if self._photoshop:
            locate_photoshop(b"".join(self._photoshop), blocks)


def locate_photoshop(resources: bytes, blocks: Blocks, *, embedded: bool = True) -> None:
    """Add what Photoshop image resources carry.

    `embedded`: they are part of a file whose own EXIF and XMP are elsewhere and come first.
    """
    for identifier, start, end in iptc.resources(resources, 0, len(resources)):
        if identifier == iptc.RESOURCE_IPTC:
            blocks.add_iptc(resources[start:end])
        elif identifier == iptc.RESOURCE_EXIF and not (embedded and blocks.exif):
            blocks.add_exif(resources, start, end)
        elif identifier == iptc.RESOURCE_XMP and not (embedded and blocks.xmp):
            blocks.add_xmp(resources[start:end])


def _next_marker(data: bytes, position: int, end: int) -> int:
    """Where the next marker's 0xFF stands; fill bytes and stray bytes between segments are passed over."""
    found = _MARKER.search(data, position, end)
    return found.start() if found else end


def _picture_info(segment: bytes, blocks: Blocks) -> None:
    """APP12 of cameras older than EXIF (Olympus, Agfa): `Name=value` lines; exposure in microseconds."""
    if b"[picture info]" not in segment[:64] or blocks.records:
        return
    pairs = re.findall(r"^[ \t]*(\w+)=([^\r\n\0]*)", segment.decode("latin-1"), re.MULTILINE)
    values = {name.lower(): value.strip() for name, value in pairs}
    seconds, shutter = values.get("timedate", ""), values.get("shutter", "")
    aperture = re.fullmatch(r"F?(\d{1,3}(?:\.\d{1,3})?)", values.get("fnumber", ""))
    blocks.add_record(
        Record(
            original=dates.from_unix(int(seconds)) if seconds.isascii() and seconds.isdigit() else None,
            shutter_s=int(shutter) / 1e6 if re.fullmatch(r"[1-9]\d{0,8}", shutter, re.ASCII) else None,
            aperture=float(aperture[1]) or None if aperture else None,
        )
    )
