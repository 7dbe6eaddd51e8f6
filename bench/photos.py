"""The photos that benchmarks run on: the corpus beside the checkout where there is one, and generated ones."""

from __future__ import annotations

import io
import os
import shutil
import struct
from pathlib import Path

import numpy as np
from PIL import Image

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
RAW_SUFFIXES = (".cr2", ".crw", ".nef", ".dng", ".raf", ".gpr", ".raw")
_LARGE = (6000, 4000)
_XMP = """<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag><rdf:li>{keyword}</rdf:li>
</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""
_READ_FROM_END = frozenset({".crw", ".raw"})


def ordinary_photos(count: int) -> list[Path]:
    """Up to `count` ordinary photos of the corpus (none where it is absent), always the same."""
    folders = ("05_semantic", "01_exif/cameras", "01_exif/gps", "06_faces", "08_quality")
    found = [
        path
        for folder in folders
        for path in sorted((CORPUS / folder).rglob("*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp")
    ]
    return found[:count]


def raw_photos() -> list[Path]:
    """The corpus's RAWs that hold a picture."""
    return sorted(path for path in (CORPUS / "02_raw").glob("*") if path.suffix.lower() in RAW_SUFFIXES)


def make_large_jpegs(folder: Path, count: int, seed: int = 24) -> list[Path]:
    """`count` JPEGs of 24 megapixels: smooth shapes with fine detail and sensor noise, with EXIF."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    template = _camera_exif()
    paths = []
    for number in range(count):
        coarse = random.integers(0, 256, (16, 24, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(_LARGE, Image.Resampling.BICUBIC)
        grain = random.integers(-12, 13, (500, 500, 1), dtype=np.int16)
        tiles = np.tile(grain, (_LARGE[1] // 500, _LARGE[0] // 500, 1))
        pixels = np.clip(np.asarray(image, dtype=np.int16) + tiles, 0, 255).astype(np.uint8)
        path = folder / f"large_{number:03}.jpg"
        Image.fromarray(pixels).save(path, quality=90, exif=template)
        paths.append(path)
    return paths


def make_photo(path: Path, seed: int, size: tuple[int, int] = (160, 120)) -> Path:
    """A smooth picture that depends on `seed`, with a camera's EXIF, in the format that its name says."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".psd":
        path.write_bytes(_psd(image))
        return path
    if path.suffix in (".heic", ".avif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif path.suffix == ".jxl":
        import pillow_jxl  # noqa: F401 - teaches Pillow to write JPEG XL
    if path.suffix in (".jpg", ".heic", ".avif", ".png", ".webp"):
        image.save(path, exif=_camera_exif())
    else:
        image.save(path)
    return path


def make_sidecar(path: Path, keyword: str) -> Path:
    """An XMP sidecar that says `keyword` of its photo."""
    path.write_text(_XMP.format(keyword=keyword), encoding="utf-8")
    return path


def lay_out(photos: list[Path], folder: Path, *, unlike: bool = False) -> Path:
    """Copies of `photos` in one folder, under names of their own; `unlike`: as of `copy_unlike`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(photos):
        (copy_unlike if unlike else shutil.copy2)(photo, folder / f"{number:05}_{photo.name}")
    return folder


def copy_unlike(photo: Path, target: Path) -> Path:
    """A copy with its name behind the picture: imgd analyzes it, and does not take over what it found of another
    copy. The few formats that are read from their end are merely copied."""
    shutil.copy2(photo, target)
    if photo.suffix.lower() not in _READ_FROM_END:
        with target.open("ab") as file:
            file.write(os.fsencode(target))
    return target


def _camera_exif() -> bytes:
    exif = Image.Exif()
    exif[271], exif[272] = "Canon", "Canon EOS R6"
    exif[306] = "2023:07:14 10:11:12"
    details = exif.get_ifd(0x8769)
    details[0x829A], details[0x829D], details[0x8827], details[0x920A] = 1 / 250, 4.0, 400, 50.0
    details[0x9003] = "2023:07:14 10:11:12"
    buffer = io.BytesIO()
    buffer.write(exif.tobytes())
    return buffer.getvalue()


def _psd(image: Image.Image) -> bytes:
    """A Photoshop document with nothing but its merged picture, uncompressed; Pillow writes none."""
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, image.height, image.width, 8, 3)
    planes = b"".join(band.tobytes() for band in image.split())
    return header + bytes(12) + bytes(2) + planes
