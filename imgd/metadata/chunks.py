"""Metadata of files made of chunks: PNG, WebP, GIF and Photoshop."""

from __future__ import annotations

import binascii
import struct

from imgd.metadata import dates, jpeg
from imgd.metadata.blocks import Blocks
from imgd.metadata.record import Record
from imgd.metadata.tiff import clean_text

_MAX_CHUNKS = 20_000
_MAX_TEXT_BYTES = 64 * 1024
_MAX_PROFILE_BYTES = 8 * 1024 * 1024
_KEYWORDS = frozenset({"creation time", "date:create", "title", "description", "author", "copyright", "software"})
_XMP_KEYWORD, _RAW_PROFILE = "XML:com.adobe.xmp", "raw profile type "
_GIF_XMP = b"XMP DataXMP"
_RAW_PROFILES = {"exif": "exif", "app1": "exif", "xmp": "xmp", "iptc": "iptc", "8bim": "8bim"}


def locate_png(data: bytes, blocks: Blocks) -> None:
    """eXIf, iTXt and the older text chunks (PNG 3rd edition, 11.3)."""
    texts: dict[str, str] = {}
    position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            blocks.note("PNG ends before its end chunk")
            break
        (size,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], position + 8
        if kind == b"IEND":
            break
        position = body + size + 4
        if position > len(data):
            blocks.note("PNG ends inside a chunk")
            break
        if kind == b"IHDR" and size >= 8:
            blocks.width, blocks.height = struct.unpack_from(">II", data, body)
        elif kind == b"eXIf":
            blocks.add_exif(data, body, body + size)
        elif kind in {b"tEXt", b"zTXt", b"iTXt"} and size > _MAX_PROFILE_BYTES:
            blocks.note(f"PNG text of {size // 1024} KiB is longer than the {_MAX_PROFILE_BYTES // 1024} KiB read")
        elif kind in {b"tEXt", b"zTXt", b"iTXt"}:
            _png_text(kind, data[body : body + size], blocks, texts)
    if texts:
        blocks.add_record(_png_record(texts))


def _png_text(kind: bytes, chunk: bytes, blocks: Blocks, texts: dict[str, str]) -> None:
    keyword, _, rest = chunk.partition(b"\0")
    name = keyword[:79].decode("latin-1")  # its longest form
    wanted = name.lower()
    if wanted in texts or not (wanted in _KEYWORDS or wanted.startswith(_RAW_PROFILE) or name == _XMP_KEYWORD):
        return
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        _language, _, rest = rest.partition(b"\0")
        _translated, _, rest = rest.partition(b"\0")
        value = blocks.inflate(rest, f"PNG text {name!r}") if packed else rest
    else:
        value = blocks.inflate(rest[1:], f"PNG text {name!r}") if kind == b"zTXt" else rest
    if name == _XMP_KEYWORD:
        blocks.add_xmp(value)
    elif wanted.startswith(_RAW_PROFILE):
        _raw_profile(wanted.rpartition(" ")[2], value, blocks)
    elif len(value) <= _MAX_TEXT_BYTES:
        text = clean_text(value.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace"))
        texts[wanted] = text


def _raw_profile(name: str, value: bytes, blocks: Blocks) -> None:
    """ImageMagick's form: a newline, the name, the length, then hexadecimal lines."""
    kind = _RAW_PROFILES.get(name)
    lines = value.split(b"\n", 3)
    if kind is None or len(lines) < 4:
        return
    try:
        content = binascii.unhexlify(b"".join(lines[3].split()))
    except (binascii.Error, ValueError):
        blocks.note(f"PNG profile {name!r} is not hexadecimal")
        return
    if kind == "xmp" or content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        blocks.add_xmp(content.rpartition(b"\0")[2] if content.startswith(b"http") else content)
    elif kind == "exif":
        blocks.add_exif(content, 0, len(content))
    elif content.startswith(b"8BIM"):
        jpeg.locate_photoshop(content, blocks)
    else:
        blocks.add_iptc(content)


def _png_record(texts: dict[str, str]) -> Record:
    """The keywords that the PNG specification names."""
    created = texts.get("creation time") or texts.get("date:create")
    return Record(
        digitized=dates.from_xmp(created) or dates.from_exif(created),
        title=texts.get("title") or None,
        description=texts.get("description") or None,
        artist=texts.get("author") or None,
        copyright=texts.get("copyright") or None,
        software=texts.get("software") or None,
    )


def locate_webp(data: bytes, blocks: Blocks) -> None:
    """EXIF and XMP chunks of the RIFF container."""
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            return
        kind = data[position : position + 4]
        (size,) = struct.unpack_from("<I", data, position + 4)
        body, end = position + 8, position + 8 + size
        if end > len(data):
            blocks.note("WebP ends inside a chunk")
            return
        if kind == b"EXIF":
            blocks.add_exif(data, body, end)
        elif kind == b"XMP ":
            blocks.add_xmp(data[body:end])
        elif kind == b"VP8X" and size >= 10:
            blocks.width = int.from_bytes(data[body + 4 : body + 7], "little") + 1
            blocks.height = int.from_bytes(data[body + 7 : body + 10], "little") + 1
        position = end + size % 2


def locate_gif(data: bytes, blocks: Blocks) -> None:
    """The XMP application extension; its packet ends where a 258-byte trailer begins (XMP part 3, 1.1.2)."""
    if len(data) >= 10:
        blocks.width, blocks.height = struct.unpack_from("<HH", data, 6)
    at = data.find(_GIF_XMP)
    if at < 0:
        return
    end = data.find(b"\x01\xff\xfe", at)
    if end < 0:
        blocks.note("XMP packet of the GIF is cut off")
        return
    blocks.add_xmp(data[at + len(_GIF_XMP) : end])


def locate_psd(data: bytes, blocks: Blocks) -> None:
    """The image resources section, behind the header and the colour mode data."""
    if len(data) < 34:
        blocks.note("Photoshop file ends inside its header")
        return
    blocks.height, blocks.width = struct.unpack_from(">II", data, 14)
    (colours,) = struct.unpack_from(">I", data, 26)
    position = 30 + colours
    if position + 4 > len(data):
        blocks.note("Photoshop file ends inside its header")
        return
    (size,) = struct.unpack_from(">I", data, position)
    jpeg.locate_photoshop(data[position + 4 : position + 4 + size], blocks, embedded=False)
