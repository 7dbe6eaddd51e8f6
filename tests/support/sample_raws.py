"""RAW files made from nothing: a DNG that is one, and the heads by which the other kinds are known."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image


def build_dng(width: int = 96, height: int = 64, preview: bytes = b"", orientation: int = 1) -> bytes:
    """A small real DNG: bare sensor data of a flat reddish wall and, where given, a JPEG preview."""
    sensor = np.full((height, width), 12000, np.uint16)
    sensor[0::2, 0::2] = 24000  # the red sites of an RGGB mosaic
    sensor[:, : width // 4] //= 4
    pixels = sensor.astype("<u2").tobytes()
    matrix = [(10000, 10000), (0, 1), (0, 1), (0, 1), (10000, 10000), (0, 1), (0, 1), (0, 1), (10000, 10000)]
    entries: list[tuple[int, int, Any]] = [
        (254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [16]), (259, 3, [1]), (262, 3, [32803]),
        (271, 2, b"Imgd\0"), (272, 2, b"Test camera\0"), (273, 4, [0]), (274, 3, [orientation]), (277, 3, [1]),
        (278, 4, [height]), (279, 4, [len(pixels)]), (284, 3, [1]), (330, 4, [0]),
        (33421, 3, [2, 2]), (33422, 1, b"\0\1\1\2"), (50706, 1, b"\1\4\0\0"), (50707, 1, b"\1\1\0\0"),
        (50708, 2, b"Imgd Test camera\0"), (50714, 4, [0]), (50717, 4, [32767]),
        (50721, 10, matrix), (50728, 5, [(1, 1), (1, 1), (1, 1)]), (50778, 3, [21]),
    ]  # fmt: skip
    if not preview:
        entries = [entry for entry in entries if entry[0] != 330]
    first = 8 + 2 + 12 * len(entries) + 4
    for _ in range(2):  # the second time the offsets are known
        extra, packed = b"", b""
        for tag, kind, values in entries:
            body = _values(kind, values)
            count = len(values)
            if len(body) <= 4:
                packed += struct.pack("<HHI", tag, kind, count) + body.ljust(4, b"\0")
            else:
                packed += struct.pack("<HHII", tag, kind, count, first + len(extra))
                extra += body + b"\0" * (len(body) % 2)
        sub = first + len(extra)
        strip = sub + 2 + 12 * 5 + 4 + len(preview) if preview else sub
        known = {273: [strip], 330: [sub]}
        entries = [(tag, kind, known.get(tag, values)) for tag, kind, values in entries]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 0)
    if not preview:
        return head + extra + pixels
    with Image.open(io.BytesIO(preview)) as image:
        size = image.size
    directory = struct.pack("<H", 5)
    for tag, kind, value in (
        (254, 4, 1), (256, 4, size[0]), (257, 4, size[1]), (513, 4, sub + 66), (514, 4, len(preview)),
    ):  # fmt: skip
        directory += struct.pack("<HHII", tag, kind, 1, value)
    # LibRaw looks for a preview's compression first; the picture data follows the directory.
    return head + extra + directory + struct.pack("<I", 0) + preview + pixels


def _values(kind: int, values: Any) -> bytes:
    if isinstance(values, bytes):
        return values
    if kind in (5, 10):
        return b"".join(struct.pack("<ii" if kind == 10 else "<II", *pair) for pair in values)
    return struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)


def maker_tiff(make: str, preview: bytes, magic: bytes = b"II*\0", mark: bytes = b"") -> bytes:
    """A TIFF as `make`'s cameras write it: a preview in the first directory, the sensor's data in one below."""
    sensor = bytes(range(256)) * 16
    name = make.encode() + b"\0"
    start = 8 + len(mark)
    first, below = start + len(name) + len(name) % 2, 0
    top = [
        (256, 4, 1, 64), (257, 4, 1, 48), (259, 3, 1, 6), (271, 2, len(name), start), (272, 2, len(name), start),
        (273, 4, 1, 0), (274, 3, 1, 6), (279, 4, 1, len(preview)), (330, 4, 1, 0), (513, 4, 1, 0),
        (514, 4, 1, len(preview)),
    ]  # fmt: skip
    sub = [(256, 4, 1, 64), (257, 4, 1, 32), (258, 3, 1, 12), (259, 3, 1, 1), (262, 3, 1, 32803), (273, 4, 1, 0),
           (277, 3, 1, 1), (278, 4, 1, 32), (279, 4, 1, len(sensor))]  # fmt: skip
    below = first + 2 + 12 * len(top) + 4
    data = below + 2 + 12 * len(sub) + 4
    places = {330: below, 273: data, 513: data}
    out = magic + struct.pack("<I", first) + mark + name + b"\0" * (len(name) % 2)
    for entries, at in ((top, places), (sub, {273: data + len(preview)})):
        out += struct.pack("<H", len(entries))
        out += b"".join(struct.pack("<HHII", tag, kind, n, at.get(tag, value)) for tag, kind, n, value in entries)
        out += bytes(4)
    return out + preview + sensor


def build_raf(preview: bytes) -> bytes:
    """A Fujifilm RAF: a header that names a preview and a TIFF of sensor data."""
    sensor = maker_tiff("FUJIFILM", b"")
    spans = struct.pack(">6I", 108, len(preview), 108 + len(preview), 16, 124 + len(preview), len(sensor))
    head = b"FUJIFILMCCD-RAW 0201FF383501X-T1".ljust(84, b"\0") + spans
    return head + preview + bytes(16) + sensor


def build_mrw() -> bytes:
    """A Minolta MRW: blocks of which one is a TIFF."""
    size = struct.pack(">8sHHHHBBBBHH", b"27820001", 48, 64, 48, 64, 12, 12, 0x59, 1, 0, 0)
    blocks = [
        (b"\0PRD", size),
        (b"\0TTW", maker_tiff("Minolta Co., Ltd.", b"")),
        (b"\0WBG", bytes(4) + b"\1\0" * 4),
    ]
    body = b"".join(kind + struct.pack(">I", len(content)) + content for kind, content in blocks)
    return b"\0MRM" + struct.pack(">I", len(body)) + body + bytes(range(256)) * 18


def build_x3f(preview: bytes) -> bytes:
    """A Sigma X3F: sections, and a directory of them at the end."""
    text = "CAMMANUF\0SIGMA\0ISO\x00100\0TIME\x001200000000\0LENSFRANGE\x0024-70\0".encode("utf-16-le")
    pairs = struct.pack("<8I", 0, 9, 15, 19, 23, 28, 39, 50)
    properties = b"SECp" + struct.pack("<5I", 0x20000, 4, 0, 0, len(text) // 2) + pairs + text
    image = b"SECi" + struct.pack("<6I", 0x20000, 2, 18, 64, 48, 0) + preview
    head = b"FOVb" + struct.pack("<I", 0x20001) + bytes(16) + struct.pack("<4I", 0, 64, 48, 0)
    at, entries = len(head), b""
    for kind, section in ((b"PROP", properties), (b"IMA2", image)):
        entries += struct.pack("<II4s", at, len(section), kind)
        at += len(section)
    directory = b"SECd" + struct.pack("<II", 0x20000, 2) + entries
    return head + properties + image + directory + struct.pack("<I", at)


def build_crw(preview: bytes) -> bytes:
    """A Canon CRW: a heap whose directory is at its end, and one nested in it."""

    def heap(records: list[tuple[int, bytes]]) -> bytes:
        body, table = b"", struct.pack("<H", len(records))
        for kind, content in records:
            table += struct.pack("<HII", kind, len(content), len(body))
            body += content
        return body + table + struct.pack("<I", len(body))

    shot = struct.pack("<40h", 80, *range(1, 40))
    inner = heap([
        (0x080A, b"Canon\0Canon EOS D30\0"), (0x102A, shot), (0x102D, shot), (0x1810, bytes(28)),
        (0x180E, struct.pack("<3I", 1_000_000_000, 0, 0)), (0x1029, struct.pack("<4h", 2, 50, 0, 0)),
    ])  # fmt: skip
    return b"II" + struct.pack("<I", 26) + b"HEAPCCDR" + bytes(12) + heap([(0x2007, preview), (0x300A, inner)])
