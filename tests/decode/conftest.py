"""Photos to decode: those of scikit-image's wheel, the corpus where it is there, and files made to measure."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from sample_raws import build_dng

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
