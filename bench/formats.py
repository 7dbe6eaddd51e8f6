"""Files to decode: the corpus's real ones where it is there, and one picture saved in each format."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from photos import CORPUS, make_large_jpegs, make_photo
from PIL import Image

from imgd.decode.colour import SrgbConverter

_PHOTO = CORPUS / "07_ocr/immich/craft-beer.jpg"  # 24 megapixels, full of detail
_REAL = (
    ("jpeg, small", "01_exif/cameras", "*.jpg"),
    ("jpeg, small, a wide profile", "05_semantic", "*.jpg"),
    ("jpeg, 24 MP, real", "07_ocr/immich", "craft-beer.jpg"),
    ("jpeg, camera", "02_raw", "test_raw.JPG"),
    ("heic, iphone", "03_formats", "iphone_15_pro.heic"),
    ("heic, live", "03_formats/live", "test_live.HEIC"),
    ("avif, real", "03_formats", "Issue 649.avif"),
    ("webp, real", "03_formats", "4.webp"),
    ("raw, cr2", "02_raw", "test_raw.CR2"),
    ("raw, dng", "02_raw", "canon_eos_6d.dng"),
    ("raw, nef", "02_raw", "Issue 247-1.nef"),
)
_MADE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("jpeg, 6 MP progressive", "jpg", "JPEG", {"quality": 88, "progressive": True}),
    ("mpo", "mpo", "MPO", {"quality": 88, "save_all": True}),
    ("png", "png", "PNG", {}),
    ("webp", "webp", "WEBP", {"quality": 85}),
    ("webp, lossless", "webp", "WEBP", {"lossless": True}),
    ("tiff, plain", "tif", "TIFF", {}),
    ("tiff, deflate", "tif", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("heic", "heic", "HEIF", {"quality": 80}),
    ("heic, thumbnail of 640", "heic", "HEIF", {"quality": 80, "thumbnails": [640]}),
    ("avif", "avif", "AVIF", {"quality": 75}),
    ("jxl", "jxl", "JXL", {"quality": 90}),
    ("jp2, 5 levels", "jp2", "JPEG2000", {"num_resolutions": 6, "quality_mode": "rates", "quality_layers": [8]}),
    ("gif", "gif", "GIF", {}),
    ("bmp", "bmp", "BMP", {}),
)
_SIDES = (3000, 2000)


def large_photos(folder: Path) -> list[Image.Image]:
    """One made photo of 24 megapixels, and a real one where there is a corpus; RGB."""
    paths = make_large_jpegs(folder, 1) + ([_PHOTO] if _PHOTO.is_file() else [])
    return [Image.open(path).convert("RGB") for path in paths]


def _chosen(label: str, found: list[Path]) -> Path:
    """The largest of up to 0.4 MB among the first 60, or of those the first with a profile that is not sRGB's."""
    small = sorted(
        (path for path in found[:60] if path.stat().st_size < 400_000), key=lambda path: -path.stat().st_size
    )
    wide = [path for path in small if needs_conversion(path.read_bytes())]
    if "profile" in label and wide:
        return wide[0]
    return next((path for path in small if path not in wide), found[0])


def needs_conversion(data: bytes) -> bool:
    """Whether the photo has a colour profile that changes its pixels on the way to sRGB."""
    image = Image.open(io.BytesIO(data))
    icc = image.info.get("icc_profile")
    if not icc or image.mode != "RGB":
        return image.mode == "CMYK"
    probe = Image.new("RGB", (1, 1), (200, 90, 30))
    return SrgbConverter().convert(probe, icc).getpixel((0, 0)) != probe.getpixel((0, 0))


def files_of_each_format(folder: Path, words: list[str]) -> Iterator[tuple[str, Path]]:
    """(label, file) of those whose label contains one of `words`, or of all; made ones lie in `folder`."""

    def wanted(label: str) -> bool:
        return not words or any(word in label for word in words)

    if not CORPUS.is_dir():
        print("the corpus is not there: made files alone are measured")
    for label, place, pattern in _REAL:
        if wanted(label) and (found := sorted((CORPUS / place).glob(pattern))):
            yield label, _chosen(label, found)
    if wanted("jpeg, 24 MP, made"):
        yield "jpeg, 24 MP, made", make_large_jpegs(folder, 1)[0]
    if wanted("psd"):
        yield "psd", make_photo(folder / "made.psd", 1, _SIDES)
    picture = large_photos(folder)[-1].resize(_SIDES, Image.Resampling.LANCZOS)
    for number, (label, suffix, kind, options) in enumerate(_MADE):
        if wanted(label):
            path = folder / f"{number}.{suffix}"
            picture.save(path, kind, **options)
            yield label, path
