"""Photos with metadata, made here."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"

XMP_HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    ' xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"'
    ' xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
    ' xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"'
    ' xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" '
)


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real photos is not beside the repository (../shared/corpus)")
    return CORPUS


@pytest.fixture(scope="session")
def packet() -> Callable[..., bytes]:
    """An XMP packet of attributes and elements of its one description."""

    def make(attributes: str = "", elements: str = "") -> bytes:
        return f"{XMP_HEAD}{attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>".encode()

    return make


@pytest.fixture(scope="session")
def exif() -> bytes:
    """A full EXIF structure, beginning at its TIFF header."""
    tags = Image.Exif()
    tags[0x010E] = "Two boats"
    tags[0x010F] = "NIKON CORPORATION"
    tags[0x0110] = "NIKON D850"
    tags[0x0112] = 6
    tags[0x0131] = "Ver.1.00"
    tags[0x0132] = "2020:01:01 00:00:00"
    tags[0x013B] = "Anna K"
    tags[0x8298] = "(c) Anna K"
    tags[0x8769] = {
        0x829A: IFDRational(1, 250), 0x829D: IFDRational(28, 10), 0x8827: 400,
        0x9003: "2019:03:04 10:11:12", 0x9291: "25", 0x9204: IFDRational(-1, 3), 0x9209: 0x10,
        0x920A: IFDRational(50, 1), 0xA405: 75, 0xA002: 6000, 0xA003: 4000,
        0xA432: (IFDRational(24), IFDRational(70), IFDRational(28, 10), IFDRational(28, 10)),
    }  # fmt: skip
    tags[0x8825] = {
        1: "S", 2: (IFDRational(33), IFDRational(51), IFDRational(2448, 100)),
        3: "E", 4: (IFDRational(151), IFDRational(12), IFDRational(5508, 100)),
        5: b"\1", 6: IFDRational(125, 10), 7: (IFDRational(0), IFDRational(11), IFDRational(0)),
        0x11: IFDRational(90), 0x1D: "2019:03:04",
    }  # fmt: skip
    return tags.tobytes().removeprefix(b"Exif\0\0")


@pytest.fixture(scope="session")
def photo(exif: bytes) -> Callable[..., bytes]:
    """A small picture in the named format, with that EXIF unless another is given."""

    def make(kind: str, **options: Any) -> bytes:
        options.setdefault("exif", b"Exif\0\0" + exif)
        stream = io.BytesIO()
        Image.new("RGB", (64, 48), "navy").save(stream, kind, **options)
        return stream.getvalue()

    return make


@pytest.fixture(scope="session")
def iim() -> Callable[..., bytes]:
    """IPTC datasets of (record, number, bytes)."""

    def make(*datasets: tuple[int, int, bytes]) -> bytes:
        return b"".join(
            struct.pack(">BBBH", 0x1C, record, number, len(value)) + value for record, number, value in datasets
        )

    return make


@pytest.fixture(scope="session")
def app13() -> Callable[[bytes], bytes]:
    """The JPEG segment that carries IPTC datasets."""

    def make(datasets: bytes) -> bytes:
        resource = b"8BIM" + struct.pack(">HH", 0x0404, 0) + struct.pack(">I", len(datasets)) + datasets
        body = b"Photoshop 3.0\0" + resource + b"\0" * (len(datasets) % 2)
        return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body

    return make
