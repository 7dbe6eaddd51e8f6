"""A small whole file of every format, with as many of its features as fit, written here."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 - teaches Pillow to write JPEG XL
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2
from sample_raws import build_crw, build_dng, build_mrw, build_raf, build_x3f, maker_tiff

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmp:Rating="4" exif:GPSLatitude="40,14.07N"
 exif:GPSLongitude="76,17,3W" exif:FNumber="28/10" xmp:CreateDate="2019-03-04T10:11:12.25+02:00">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Boats</rdf:li><rdf:li xml:lang="de">Boote</rdf:li></rdf:Alt>
</dc:title>
<dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li>boat</rdf:li></rdf:Bag></dc:subject>
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">
<mwg-rs:Name>Anna</mwg-rs:Name><mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.2" stArea:h="0.3"/>
</rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"""

_NOTES = {
    "Canon": lambda note: note,
    "NIKON CORPORATION": lambda note: b"Nikon\0\2\x10\0\0" + b"II*\0\x08\0\0\0" + note,
    "FUJIFILM": lambda note: b"FUJIFILM\x0c\0\0\0" + note,
    "OLYMPUS": lambda note: b"OLYMPUS\0II\3\0" + note,
    "Panasonic": lambda note: b"Panasonic\0\0\0" + note,
    "SONY": lambda note: b"SONY DSC \0\0\0" + note,
}


def seeds() -> dict[str, bytes]:
    """Name (whose part before the dash is the format) -> file."""
    return {name: make() for name, make in _MAKERS.items()}


@functools.cache
def seed(name: str) -> bytes:
    return _MAKERS[name]()


def names() -> list[str]:
    return list(_MAKERS)


@functools.cache
def picture(mode: str = "RGB", size: tuple[int, int] = (72, 56)) -> Image.Image:
    chance = np.random.default_rng(5)
    coarse = Image.fromarray(chance.integers(0, 256, (5, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return coarse.convert(mode)


def exif(make: str = "Canon") -> bytes:
    """EXIF with a maker note of `make`'s, GPS and a thumbnail's worth of text."""
    note = b"".join(struct.pack("<HHII", *entry) for entry in (
        (1, 3, 46, 600), (2, 3, 2, 100), (4, 3, 34, 700), (0x51, 2, 20, 500), (0x84, 5, 4, 640),
        (0x95, 2, 24, 480), (0x1404, 5, 1, 300), (0x2010, 13, 1, 100), (0xB02A, 7, 8, 320),
    ))  # fmt: skip
    tags = Image.Exif()
    tags[0x010E], tags[0x010F], tags[0x0110], tags[0x0112] = "Boats", make, f"{make} 1", 6
    tags[0x8769] = {
        0x829A: IFDRational(1, 250), 0x829D: IFDRational(28, 10), 0x8827: 400, 0x9003: "2019:03:04 10:11:12",
        0x9286: b"ASCII\0\0\0a comment", 0x927C: _NOTES[make](struct.pack("<H", 9) + note + bytes(4) + bytes(400)),
        0xA432: (IFDRational(24), IFDRational(70), IFDRational(28, 10), IFDRational(28, 10)),
    }  # fmt: skip
    tags[0x8825] = {
        1: "S", 2: (IFDRational(33), IFDRational(51), IFDRational(24)), 3: "E",
        4: (IFDRational(151), IFDRational(12), IFDRational(55)), 7: (IFDRational(0),) * 3, 0x1D: "2019:03:04",
    }  # fmt: skip
    return tags.tobytes()


def saved(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def _segments(*segments: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)


def _jpeg_full() -> bytes:
    iim = b"".join(struct.pack(">BBBH", 0x1C, 2, number, 5) + b"Words" for number in (5, 25, 25, 55, 80, 90, 120))
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iim)) + iim
    more = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", len(XMP), 0) + XMP
    extra = _segments(
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP.replace(b"Boats", b"A" * 32)), (0xE1, more),
        (0xED, b"Photoshop 3.0\0" + resource), (0xEC, b"[picture info]\nTimeDate=1000000000\nFNumber=F2.8\n"),
        (0xE0, build_crw(b"")[:14].replace(b"CCDR", b"JPGM") + build_crw(b"")[14:]),
    )  # fmt: skip
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved("JPEG", exif=exif("NIKON CORPORATION"), icc_profile=icc)
    return data[:2] + extra + data[2:]


def _png_full() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    profile = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 8\n" + exif("SONY").hex().encode())
    texts = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + chunk(b"zTXt", profile)
    texts += chunk(b"tEXt", b"Title\0Boats") + chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"Anna"))
    data = saved("PNG", exif=exif("FUJIFILM"))
    return data[:33] + texts + data[33:]


def _gif_full() -> bytes:
    data = saved("GIF", save_all=True, append_images=[picture().rotate(90 * n) for n in (1, 2)], transparency=0)
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return data[:-1] + b"\x21\xff\x0bXMP DataXMP" + XMP + trailer + data[-1:]


def _psd(compressed: bool = False) -> bytes:
    width, height = 24, 16
    resources = b"8BIM" + struct.pack(">HHI", 0x0424, 0, len(XMP)) + XMP + b"\0" * (len(XMP) % 2)
    resources += b"8BIM" + struct.pack(">HHI", 0x0422, 0, len(exif())) + exif()
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, height, width, 8, 3) + struct.pack(">I", 0)
    planes = np.ascontiguousarray(np.asarray(picture(size=(width, height))).transpose(2, 0, 1))
    rows = [bytes([width - 1]) + row.tobytes() for plane in planes for row in plane]
    packed = b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)
    body = struct.pack(">H", 1) + packed if compressed else struct.pack(">H", 0) + planes.tobytes()
    return head + struct.pack(">I", len(resources)) + resources + struct.pack(">I", 0) + body


def _jxl_box() -> bytes:
    bare = saved("JXL", lossless=True)
    boxes = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"Exif", bytes(4) + exif()[6:]),
             (b"xml ", XMP), (b"jxlp", bytes(4) + bare[:40]), (b"jxlp", b"\x80\0\0\1" + bare[40:])]  # fmt: skip
    return b"".join(struct.pack(">I4s", len(body) + 8, kind) + body for kind, body in boxes)


def _tiff_full() -> bytes:
    tags = ImageFileDirectory_v2()
    tags[700], tags[0x83BB] = XMP, b"\x1c\2\5\0\5Words"
    tags[271], tags[274] = "Panasonic", 8
    return saved("TIFF", compression="tiff_lzw", tiffinfo=tags)


_CR3_KIND = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


def _cr3() -> bytes:
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body) + 8, kind) + body

    block = exif()[6:]
    canon = box(b"uuid", _CR3_KIND + b"".join(box(b"CMT%d" % n, block) for n in (1, 2, 3, 4)))
    track = box(
        b"trak", box(b"tkhd", bytes(84)) + box(b"mdia", box(b"minf", box(b"stbl", box(b"stsz", bytes(20)))))
    )
    return (
        box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", canon + track) + box(b"mdat", bytes(range(256)) * 4)
    )


def _more(count: int = 2) -> list[Image.Image]:
    return [picture().rotate(90 * (n + 1)) for n in range(count)]


_MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg-plain": lambda: saved("JPEG", quality=60),
    "jpeg-progressive": lambda: saved("JPEG", progressive=True, exif=exif("Panasonic")),
    "jpeg-restarts": lambda: saved("JPEG", restart_marker_blocks=3, subsampling=0),
    "jpeg-grey": lambda: saved("JPEG", picture("L"), exif=exif("OLYMPUS")),
    "jpeg-cmyk": lambda: saved("JPEG", picture("CMYK")),
    "jpeg-full": _jpeg_full,
    "jpeg-mpo": lambda: saved("MPO", save_all=True, append_images=_more(1)),
    "png-plain": lambda: saved("PNG"),
    "png-palette": lambda: saved("PNG", picture("P"), transparency=3),
    "png-deep": lambda: saved("PNG", Image.fromarray(np.asarray(picture("L")).astype(np.uint16) * 257)),
    "png-bits": lambda: saved("PNG", picture("1")),
    "png-grey": lambda: saved("PNG", picture("L")),
    "png-alpha": lambda: saved("PNG", picture("RGBA")),
    "png-animated": lambda: saved("PNG", save_all=True, append_images=_more()),
    "png-full": _png_full,
    "webp-lossy": lambda: saved("WEBP", exif=exif(), xmp=XMP),
    "webp-lossless": lambda: saved("WEBP", picture("RGBA"), lossless=True),
    "webp-animated": lambda: saved("WEBP", save_all=True, append_images=_more()),
    "tiff-raw": lambda: saved("TIFF", big_tiff=False),
    "tiff-big": lambda: saved("TIFF", big_tiff=True),
    "tiff-jpeg": lambda: saved("TIFF", compression="jpeg"),
    "tiff-deflate": lambda: saved("TIFF", picture("RGBA"), compression="tiff_adobe_deflate"),
    "tiff-deflate-rgb": lambda: saved("TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2, 278: 9}),
    "tiff-deflate-grey": lambda: saved("TIFF", picture("L"), compression="tiff_deflate"),
    "tiff-packbits": lambda: saved("TIFF", picture("P"), compression="packbits"),
    "tiff-group4": lambda: saved("TIFF", picture("1"), compression="group4"),
    "tiff-deep": lambda: saved("TIFF", Image.fromarray(np.asarray(picture("L")).astype(np.uint16) * 257)),
    "tiff-float": lambda: saved("TIFF", picture("F")),
    "tiff-lab": lambda: saved("TIFF", picture("LAB")),
    "tiff-pages": lambda: saved("TIFF", save_all=True, append_images=_more()),
    "tiff-full": _tiff_full,
    "gif-full": _gif_full,
    "gif-plain": lambda: saved("GIF", picture("P")),
    "bmp-plain": lambda: saved("BMP"),
    "bmp-palette": lambda: saved("BMP", picture("P")),
    "bmp-alpha": lambda: saved("BMP", picture("RGBA")),
    "heic-full": lambda: saved("HEIF", exif=exif(), xmp=XMP, quality=40),
    "heic-several": lambda: saved("HEIF", save_all=True, append_images=_more(), thumbnails=[32]),
    "avif-full": lambda: saved("AVIF", exif=exif(), xmp=XMP, speed=9),
    "avif-animated": lambda: saved("AVIF", save_all=True, append_images=_more(), speed=9),
    "jxl-bare": lambda: saved("JXL"),
    "jxl-box": _jxl_box,
    "jxl-animated": lambda: imagecodecs.jpegxl_encode(np.stack([np.asarray(each) for each in _more(3)]), level=90),
    "jp2-box": lambda: saved("JPEG2000"),
    "jp2-bare": lambda: saved("JPEG2000", no_jp2=True, irreversible=True, num_resolutions=3),
    "psd-plain": _psd,
    "psd-packed": lambda: _psd(compressed=True),
    "raw-dng": lambda: build_dng(48, 32, saved("JPEG", quality=50)),
    "raw-nef": lambda: maker_tiff("NIKON CORPORATION", saved("JPEG")),
    "raw-cr2": lambda: maker_tiff("Canon", saved("JPEG"), mark=b"CR\2\0\0\0\0\0"),
    "raw-arw": lambda: maker_tiff("SONY", saved("JPEG", exif=exif("SONY"))),
    "raw-orf": lambda: maker_tiff("OLYMPUS CORPORATION", saved("JPEG"), magic=b"IIRO"),
    "raw-rw2": lambda: maker_tiff("Panasonic", saved("JPEG"), magic=b"IIU\0"),
    "raw-pef": lambda: maker_tiff("PENTAX Corporation", saved("JPEG")),
    "raw-dcr": lambda: maker_tiff("EASTMAN KODAK COMPANY", saved("JPEG")),
    "raw-raf": lambda: build_raf(saved("JPEG", exif=exif("FUJIFILM"))),
    "raw-mrw": build_mrw,
    "raw-x3f": lambda: build_x3f(saved("JPEG")),
    "raw-crw": lambda: build_crw(saved("JPEG")),
    "raw-cr3": _cr3,
}
