"""Each photo is opened exactly once, as the kernel itself counts it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from imgd.decode import DecodeLimits, FormatRegistry, Source, decode

IN_OPEN = 0x20
LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def opens_of(path: Path) -> Iterator[Callable[[], int]]:
    """Counts, by inotify, how often `path` was opened."""
    descriptor = LIBC.inotify_init1(os.O_NONBLOCK)
    try:
        assert LIBC.inotify_add_watch(descriptor, os.fsencode(path), IN_OPEN) >= 0

        def count() -> int:
            try:
                events = os.read(descriptor, 65536)
            except BlockingIOError:
                return 0
            found, offset = 0, 0
            while offset < len(events):
                _, mask, _, length = struct.unpack_from("iIII", events, offset)
                found += bool(mask & IN_OPEN)
                offset += 16 + length
            return found

        yield count
    finally:
        os.close(descriptor)


FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JXL", "JPEG2000", "GIF", "BMP", "RAW"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("edge_px", [0, 64, 5000])
def test_a_photo_is_opened_once(
    kind: str,
    edge_px: int,
    tmp_path: Path,
    encoded: Callable[..., bytes],
    make_dng: Callable[..., bytes],
    limits: DecodeLimits,
    registry: FormatRegistry,
) -> None:
    path = tmp_path / "photo"
    preview = encoded("JPEG", Image.new("RGB", (480, 320)))
    path.write_bytes(make_dng(960, 640, preview) if kind == "RAW" else encoded(kind))
    with opens_of(path) as count:
        with Source.open(bytes(path), limits.max_file_bytes) as source:
            picture = decode(source, edge_px, limits, registry)
        assert count() == 1
    assert picture.width > picture.height
    assert (picture.pixels is None) == (edge_px == 0)


def test_every_kind_of_photo_of_the_corpus_is_opened_once(
    corpus: Path, limits: DecodeLimits, registry: FormatRegistry
) -> None:
    names = ["02_raw/test_raw.CR2", "02_raw/CRW.CRW", "03_formats/IMG_5195.HEIC", "03_formats/frozenpond.mpo"]
    for name in names:
        with opens_of(corpus / name) as count, Source.open(bytes(corpus / name), limits.max_file_bytes) as source:
            decode(source, 512, limits, registry)
            assert (name, count()) == (name, 1)
