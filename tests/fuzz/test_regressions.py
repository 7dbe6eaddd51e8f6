"""Files that once did harm, made here again: each ends with a picture or a plain reason, and in time."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import pytest
from fuzzing.confined import Confined
from fuzzing.seeds import saved
from PIL import Image

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    with Confined() as process:
        yield process


def scans_without_end() -> bytes:
    """A JPEG of 16 megapixels whose last scan comes a thousand times: 125 KB took 40 s and more."""
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 4000), (200, 30, 40)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 1000 + b"\xff\xd9"


def garbage_markers() -> bytes:
    """A progressive JPEG with ones over a sector: libjpeg took them for markers, and gave no picture."""
    data = saved("JPEG", Image.effect_noise((400, 300), 60).convert("RGB"), progressive=True)
    return data[: len(data) // 2] + b"\xff" * 512 + data[len(data) // 2 + 512 :]


def chunks_without_end() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IDAT\0\0\0\0" * 3_000_000


def text_bombs() -> bytes:
    """A thousand texts that unpack to megabytes and then prove broken: each was unpacked anew."""
    body = b"Title\0\0" + zlib.compress(bytes(4_000_000), 9)[:-4] + bytes(4)
    chunk = len(body).to_bytes(4, "big") + b"zTXt" + body + zlib.crc32(b"zTXt" + body).to_bytes(4, "big")
    data = saved("PNG")
    return data[:33] + chunk * 3000 + data[33:]


def blank_dates() -> bytes:
    """Pages of blanks where a date and a position should be: matching them took time by their square."""
    blanks = "2020" + " " * 60_000 + "x y"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmp:CreateDate="{blanks}" xmp:ModifyDate="{blanks}" exif:GPSLatitude="{blanks}" '
        f'exif:DateTimeOriginal="{blanks}" exif:GPSLongitude="{blanks}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("photo.jpg", scans_without_end),
        ("photo.jpg", garbage_markers),
        ("photo.png", chunks_without_end),
        ("photo.png", text_bombs),
        ("photo.xmp", blank_dates),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_it_does_no_harm_any_more(confined: Confined, name: str, make: Callable[[], bytes]) -> None:
    assert confined.attempt(name, make()).problems == ()
