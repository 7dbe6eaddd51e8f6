"""Metadata of RAW and TIFF files: the TIFF-based ones, and those with a container of their own."""

from __future__ import annotations

import re
import struct

from imgd.domain import ByteRange
from imgd.metadata import dates, jpeg, maker
from imgd.metadata.blocks import Blocks
from imgd.metadata.record import Record
from imgd.metadata.tiff import decode_text, open_tiff

_XMP, _IPTC, _PHOTOSHOP, _RW2_JPEG = 0x02BC, 0x83BB, 0x8649, 0x002E
_MAX_PROPERTIES = 500
_MAX_JPEG_HEAD_BYTES = 1024 * 1024
"""More than the header segments of an embedded JPEG take."""


def locate_tiff(data: ByteRange, blocks: Blocks) -> None:
    """TIFF, DNG, CR2, NEF, ARW, ORF, RW2, PEF, ...: the file is the EXIF structure, and XMP and IPTC are tags."""
    blocks.add_exif(data, 0, len(data))
    tiff = open_tiff(data, 0, len(data), [])
    image = tiff.first_directory() if tiff else None
    if image is None:
        return
    if packet := image.raw(_XMP, 4 * 1024 * 1024):
        blocks.add_xmp(packet)
    if datasets := image.raw(_IPTC, 1024 * 1024):
        blocks.iptc.append(_swapped_back(datasets))
    if resources := image.raw(_PHOTOSHOP, 4 * 1024 * 1024):
        jpeg.locate_photoshop(resources, blocks)
    if data[8:12] in {b"IIII", b"MMMM"} and (lens := _phase_one_lens(data)):
        blocks.records.append(Record(lens=lens))
    embedded = image.entries.get(_RW2_JPEG)
    if embedded is not None and data[embedded.position : embedded.position + 2] == b"\xff\xd8":
        size = min(embedded.size_bytes, _MAX_JPEG_HEAD_BYTES)
        _embedded_jpeg(data[embedded.position : embedded.position + size], 0, size, blocks)


def _phase_one_lens(data: ByteRange) -> str | None:
    """IIQ: a directory of its own, of 16-byte entries, relative to byte 8; 0x0412 names the lens."""
    order = "<" if data[8:12] == b"IIII" else ">"
    if len(data) < 24:
        return None
    table = 8 + struct.unpack(order + "I", data[16:20])[0]
    if table + 8 > len(data):
        return None
    (count,) = struct.unpack(order + "I", data[table : table + 4])
    for at in range(table + 8, min(table + 8 + 16 * min(count, _MAX_PROPERTIES), len(data) - 15), 16):
        tag, _form, size, offset = struct.unpack(order + "4I", data[at : at + 16])
        if tag == 0x0412 and 4 < size <= 256:
            return decode_text(data[8 + offset : 8 + offset + size].split(b"\0")[0]) or None
    return None


def _swapped_back(datasets: bytes) -> bytes:
    """IPTC that a writer declared as 32-bit numbers: swapped where the bytes show it."""
    if datasets[:1] == b"\x1c" or datasets[3:4] != b"\x1c":
        return datasets
    count = len(datasets) // 4
    return struct.pack(f">{count}I", *struct.unpack_from(f"<{count}I", datasets))


def _embedded_jpeg(data: bytes, start: int, end: int, blocks: Blocks) -> None:
    """The preview's EXIF is fuller than the RAW's own; its pixel size is not the photo's."""
    preview = Blocks()
    jpeg.locate(data, start, end, preview)
    for each in preview.exif:
        blocks.add_exif(each.data, each.start, each.end)
    for packet in preview.xmp:
        blocks.add_xmp(packet)


def locate_raf(data: bytes, blocks: Blocks) -> None:
    """Fujifilm: a header that names the embedded JPEG."""
    if len(data) < 92:
        blocks.note("RAF ends inside its header")
        return
    start, size = struct.unpack_from(">II", data, 84)
    if data[start : start + 2] != b"\xff\xd8":
        blocks.note("RAF has no preview where its header says")
        return
    _embedded_jpeg(data, start, start + size, blocks)


def locate_mrw(data: bytes, blocks: Blocks) -> None:
    """Minolta: blocks of which `TTW` is a TIFF structure."""
    position = 8
    for _ in range(32):
        if position + 8 > len(data):
            return
        kind = data[position : position + 4]
        (size,) = struct.unpack_from(">I", data, position + 4)
        if kind == b"\0TTW":
            blocks.add_exif(data, position + 8, position + 8 + size)
        if not kind.startswith(b"\0"):
            return
        position += 8 + size


def locate_x3f(data: bytes, blocks: Blocks) -> None:
    """Sigma: a directory at the end names sections; properties are UTF-16 pairs, newer bodies embed a JPEG."""
    if len(data) < 32:
        blocks.note("X3F ends inside its header")
        return
    (at,) = struct.unpack_from("<I", data, len(data) - 4)
    if data[at : at + 4] != b"SECd":
        blocks.note("X3F has no directory where its end says")
        return
    (count,) = struct.unpack_from("<I", data, at + 8)
    for index in range(min(count, 64)):
        entry = at + 12 + 12 * index
        if entry + 12 > len(data):
            return
        start, size = struct.unpack_from("<II", data, entry)
        kind = data[entry + 8 : entry + 12]
        if kind == b"PROP":
            blocks.add_record(_x3f_record(_x3f_properties(data, start, size)))
        elif kind in {b"IMA2", b"IMAG"} and data[start + 28 : start + 30] == b"\xff\xd8":
            _embedded_jpeg(data, start + 28, start + size, blocks)


def _x3f_properties(data: bytes, start: int, size: int) -> dict[str, str]:
    if data[start : start + 4] != b"SECp" or start + 24 > len(data):
        return {}
    count, _form, _reserved, characters = struct.unpack_from("<IIII", data, start + 8)
    table = start + 24
    heap = table + 8 * min(count, _MAX_PROPERTIES)
    text = data[heap : min(heap + 2 * characters, start + size)].decode("utf-16-le", "replace")
    found: dict[str, str] = {}
    for index in range(min(count, _MAX_PROPERTIES)):
        if table + 8 * index + 8 > len(data):
            break
        name_at, value_at = struct.unpack_from("<II", data, table + 8 * index)
        found[text[name_at : name_at + 64].partition("\0")[0]] = text[value_at : value_at + 256].partition("\0")[0]
    return found


def _x3f_record(properties: dict[str, str]) -> Record:
    """Names as in ExifTool's SigmaRaw properties table."""

    def number(name: str) -> float | None:
        try:
            value = float(properties.get(name, ""))
        except ValueError:
            return None
        return value if 0 < value < 1e9 else None

    lens = properties.get("LENSFRANGE", "")
    focals = tuple(float(part) for part in re.findall(r"\d{1,4}(?:\.\d+)?", lens, re.ASCII))
    taken = number("TIME")
    return Record(
        original=dates.from_unix(int(taken)) if taken else None,
        camera_make=properties.get("CAMMANUF") or None,
        camera_model=properties.get("CAMMODEL") or None,
        lens=maker.lens_name((focals[0], focals[-1])) if focals else None,
        iso=number("ISO"),
        aperture=number("APERTURE"),
        shutter_s=number("SHUTTER"),
        focal_mm=number("FLENGTH"),
        focal_35mm=number("FLEQ35MM"),
    )
