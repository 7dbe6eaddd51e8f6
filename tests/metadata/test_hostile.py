"""Random and mutated bytes: nothing raises, and nothing takes long."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgd.metadata import xmp
from imgd.metadata.merge import read_photo

_HEADS = [
    b"\xff\xd8\xff\xe1\x40\0Exif\0\0II*\0\x08\0\0\0",
    b"\xff\xd8\xff\xed\x40\0Photoshop 3.0\x008BIM\4\4\0\0",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\0\0\0\0WEBPEXIF",
    b"GIF89a",
    b"8BPS\0\1\0\0\0\0\0\0\0\3",
    b"FUJIFILMCCD-RAW ",
    b"FOVb",
    b"\0MRM\0\0\0\0\0TTW",
    b"II\x1a\0\0\0HEAPCCDR",
    b"\0\0\0\x14ftypheic\0\0\0\0mif1",
    b"\0\0\0\x0cJXL \r\n\x87\n",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"IIU\0\x08\0\0\0",
    b"\xff\xd8\xff\xe0\0\x40II\x1a\0\0\0HEAPJPGM",
]

bounded = settings(
    max_examples=150,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@bounded
@given(head=st.sampled_from(_HEADS), body=st.binary(max_size=600))
def test_random_bytes_behind_a_real_head_never_raise(head: bytes, body: bytes) -> None:
    read_photo(head + body, "a.jpg")


@bounded
@given(data=st.binary(max_size=400))
def test_random_sidecars_never_raise(data: bytes) -> None:
    read_photo(b"", "a.jpg", [("a.xmp", data)])


@bounded
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=30),
    cut=st.integers(0, 2**16),
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF"]),
)
def test_a_mutated_photo_never_raises(
    photo: Callable[..., bytes], changes: list[tuple[int, int]], cut: int, kind: str
) -> None:
    mutated = bytearray(photo(kind))
    for position, value in changes:
        mutated[position % min(len(mutated), 700)] = value
    read_photo(bytes(mutated[: cut % len(mutated) + 1] if cut % 3 == 0 else mutated), "a.jpg")


@bounded
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=10))
def test_a_mutated_packet_never_raises(packet: Callable[..., bytes], changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(
        packet(
            'xmp:Rating="4" exif:GPSLatitude="40,14.07N" exif:GPSLongitude="76,17W"',
            "<dc:title><rdf:Alt><rdf:li>a</rdf:li></rdf:Alt></dc:title>",
        )
    )
    for position, value in changes:
        mutated[position % len(mutated)] = value
    xmp.read(bytes(mutated), [])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 5_000_000,
        b"\xff\xd8" + b"\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0" * 200_000,
        b"\x89PNG\r\n\x1a\n" + (b"\0\0\0\0eXIf\0\0\0\0" * 200_000),
        b"\0\0\0\x14ftypheic\0\0\0\0mif1" + b"\0\0\0\x08free" * 200_000,
        b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x8769, 4, 1, 8) * 65_535,
        b"\xff\xd8\xff\xed\xff\xffPhotoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000,
    ],
    ids=["fill bytes", "exif segments", "empty chunks", "boxes", "entries", "resources"],
)
def test_a_file_made_to_take_long_does_not(data: bytes) -> None:
    read_photo(data, "a.jpg")


@pytest.mark.timeout(60)
def test_deeply_nested_xml_is_survived() -> None:
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    read_photo(b"", "a.jpg", [("a.xmp", deep)])


def test_every_hostile_file_of_the_corpus_is_survived(corpus: Path) -> None:
    for path in sorted((corpus / "04_broken").rglob("*")):
        if path.is_file():
            read_photo(path.read_bytes(), path.name)
