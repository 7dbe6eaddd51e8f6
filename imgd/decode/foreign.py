"""Names for files that are no photo imgd reads, so that they are refused as what they are."""

from __future__ import annotations

import codecs

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"PK\x05\x06", "a ZIP archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an XZ archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x00\x00\x01\x00", "an ICO icon"),
    (0, b"icns", "an Apple icon"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\x01\xda", "an SGI image"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"#?RGBE", "a Radiance HDR image"),
    (0, b"qoif", "a QOI image"),
    (0, b"FLIF", "a FLIF image"),
    (0, b"BPG\xfb", "a BPG image"),
    (0, b"gimp xcf", "a GIMP project"),
    (0, b"8BPS\0\x02", "a large Photoshop document (PSB)"),
    (0, b"II\xbc", "a JPEG XR image"),
    (0, b"FWS", "a Flash film"),
    (0, b"CWS", "a Flash film"),
    (0, b"\x0a\x05\x01", "a PCX image"),
    (0, b"SIMPLE  =", "a FITS image"),
    (128, b"DICM", "a DICOM image"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video"),
    (0, b"\x00\x00\x01\xba", "an MPEG video"),
    (0, b"\x00\x00\x01\xb3", "an MPEG video"),
    (4, b"moov", "a QuickTime video"),
    (4, b"mdat", "a QuickTime video"),
    (4, b"wide", "a QuickTime video"),
    (4, b"\x11\xaf", "an FLI animation"),
    (4, b"\x12\xaf", "an FLC animation"),
    (0, b"ID3", "an MP3 sound file"),
    (0, b"fLaC", "a FLAC sound file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
)
_BRANDS = {b"qt  ": "a QuickTime video", b"M4A ": "an M4A sound file", b"M4V ": "an M4V video"}
_OPENINGS = (
    (b"<?xpacket", "an XMP document"),
    (b"<x:xmpmeta", "an XMP document"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
)
_RIFF = {b"AVI ": "an AVI video", b"WAVE": "a WAV sound file"}


def foreign_kind(data: bytes) -> str | None:
    """What `data` is, with its article (`an MP4 video`), or None where that is not known."""
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand[:2] == b"3g":
            return "a 3GP video"
        return _BRANDS.get(brand, "an MP4 video")
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], "a RIFF file")
    for offset, magic, kind in _MAGIC:
        if data.startswith(magic, offset):
            return kind
    return _text(data) or _netpbm(data) or _tga(data)


def _text(data: bytes) -> str | None:
    head = data[:2048]
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    for opening, kind in _OPENINGS:
        if start.startswith(opening):
            return "an SVG drawing" if b"<svg" in head.lower() else kind
    control = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    if control or len(head) < 8 or _netpbm(data):
        return None
    # The cut at 2 KiB may split a character: one that is not whole is ignored, a wrong one is not.
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    return "plain text"


def _netpbm(data: bytes) -> str | None:
    if len(data) > 3 and data[:1] == b"P" and data[1:2] in b"1234567Ff" and data[2:3] in b" \t\n\r":
        return "a Netpbm image"
    return None


def _tga(data: bytes) -> str | None:
    """TGA has no magic in front: its type, colour map type and depth must be plausible, or its footer be there."""
    if data.endswith(b"TRUEVISION-XFILE.\x00"):
        return "a TGA image"
    if len(data) < 18:
        return None
    plausible = data[1] in (0, 1) and data[2] in (1, 2, 3, 9, 10, 11) and data[16] in (8, 15, 16, 24, 32)
    return "a TGA image" if plausible else None
