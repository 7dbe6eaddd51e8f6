"""Photos to decode: those of scikit-image's wheel, the corpus where it is there, and files made to measure."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode
from imgd.domain import Picture

DecodeBytes = Callable[..., Picture]


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of photographs inside scikit-image's wheel."""
    skimage = pytest.importorskip("skimage")
    return Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="session")
def corpus() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus of real photos is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def limits() -> DecodeLimits:
    return DecodeLimits.of(DecodeSettings())


@pytest.fixture(scope="session")
def registry() -> FormatRegistry:
    return FormatRegistry()


@pytest.fixture
def decode_bytes(tmp_path: Path, limits: DecodeLimits, registry: FormatRegistry) -> DecodeBytes:
    """Write bytes to a file and decode that: (data, edge_px, name="photo") -> Picture."""

    def run(data: bytes, edge_px: int = 1200, name: str = "photo") -> Picture:
        path = tmp_path / name
        path.write_bytes(data)
        with Source.open(bytes(path), limits.max_file_bytes) as source:
            return decode(source, edge_px, limits, registry)

    return run


@pytest.fixture(scope="session")
def cat(photos: Path) -> Image.Image:
    """A photo of a cat, 451 x 300."""
    with Image.open(photos / "chelsea.png") as image:
        return image.convert("RGB")


@pytest.fixture(scope="session")
def encoded(cat: Image.Image) -> Callable[..., bytes]:
    """(format, image=cat, **options) -> the file's bytes."""

    def run(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
        if kind == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        if kind == "JXL":
            import pillow_jxl  # noqa: F401
        buffer = io.BytesIO()
        (image or cat).save(buffer, kind, **options)
        return buffer.getvalue()

    return run


@pytest.fixture(scope="session")
def make_dng() -> Callable[..., bytes]:
    """A small real DNG: bare sensor data of a flat reddish wall and, where given, a JPEG preview."""
    return build_dng


def build_dng(width: int = 96, height: int = 64, preview: bytes = b"", orientation: int = 1) -> bytes:
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
