"""The decoders that imgd's own is compared with: Pillow, simplejpeg, OpenCV and libvips, one thread each."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[bytes, tuple[int, int], str], Pixels]
_JPEG = (".jpg", ".mpo")
_RAW = (".cr2", ".dng", ".nef", ".crw")
_OPENCV = (*_JPEG, ".png", ".webp", ".tif", ".avif", ".jp2", ".bmp", ".gif")
# Its wheel has no HEVC, no JPEG XL and no JPEG 2000.
_VIPS = (*_JPEG, ".png", ".webp", ".tif", ".avif", ".gif")
_OTHERS = (".heic", ".jxl", ".jp2", ".psd", ".bmp")


@dataclass(frozen=True)
class Decoder:
    """`decode`: from a file's bytes, the wanted (w, h) and its suffix to upright (h, w, 3) sRGB at that size."""

    name: str
    suffixes: tuple[str, ...]
    decode: Decode
    knows_profiles: bool = True

    def reads(self, suffix: str) -> bool:
        return suffix in self.suffixes


def decoders() -> list[Decoder]:
    """The full way first (it reads every format), then those that are installed."""
    _register()
    found = [Decoder("full", (*_RAW, *_VIPS, *_OTHERS), _full), Decoder("draft", (*_JPEG, ".heic"), _draft)]
    found.append(Decoder("half", _RAW, _raw_half))
    for name, module, suffixes, decode in (
        ("simplejpeg", "simplejpeg", _JPEG, _simplejpeg),
        ("opencv", "cv2", _OPENCV, _opencv),
        ("libvips", "pyvips", _VIPS, _vips),
    ):
        os.environ.setdefault("VIPS_CONCURRENCY", "1")
        try:
            importlib.import_module(module)
        except (ImportError, OSError):
            print(f"{module} is not installed: left out")
            continue
        found.append(Decoder(name, suffixes, decode, knows_profiles=name == "libvips"))
    return found


def _register() -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401 - teaches Pillow to read JPEG XL
    from PIL import AvifImagePlugin
    from pillow_jxl import JpegXLImagePlugin

    pillow_heif.register_heif_opener(decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    JpegXLImagePlugin.DECODE_THREADS = 0
    Image.MAX_IMAGE_PIXELS = None


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if image.mode == "RGB" else ImageOps.exif_transpose(image.convert("RGB"))


def _srgb(image: Image.Image) -> Image.Image:
    """By the same transform as imgd, that the comparison is one of decoding and of reducing."""
    from imgd.decode.colour import SrgbConverter, flatten

    return SrgbConverter().convert(flatten(image), image.info.get("icc_profile"))


def _full(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:
    if suffix in _RAW:
        return _raw(data, size, half=False)
    image = Image.open(io.BytesIO(data))
    image.load()
    profile = image.info.get("icc_profile")
    upright = _upright(image)
    small = upright.resize(size, Image.Resampling.LANCZOS)
    small.info["icc_profile"] = profile
    return np.asarray(_srgb(small))


def _draft(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:
    image = Image.open(io.BytesIO(data))
    turned = image.getexif().get(0x0112, 1) >= 5 and suffix in _JPEG
    image.draft(None, size[::-1] if turned else size)
    image.load()
    profile = image.info.get("icc_profile")
    small = _upright(image).resize(size, Image.Resampling.HAMMING, reducing_gap=1.0)
    small.info["icc_profile"] = profile
    return np.asarray(_srgb(small))


def _raw(data: bytes, size: tuple[int, int], *, half: bool) -> Pixels:
    import rawpy

    with rawpy.imread(io.BytesIO(data)) as raw:
        image = Image.fromarray(raw.postprocess(half_size=half, use_camera_wb=True, output_bps=8))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _raw_half(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:  # noqa: ARG001
    return _raw(data, size, half=True)


def _simplejpeg(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:  # noqa: ARG001
    """It knows neither orientation nor profile: only that much can be compared."""
    simplejpeg: Any = importlib.import_module("simplejpeg")
    pixels = simplejpeg.decode_jpeg(data, "RGB", min_width=size[0], min_height=size[1])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.HAMMING, reducing_gap=1.0))


def _opencv(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:
    """It turns upright by EXIF and knows no profile."""
    import cv2

    cv2.setNumThreads(1)
    flag = cv2.IMREAD_COLOR
    if suffix in _JPEG:
        image = Image.open(io.BytesIO(data))
        shrink = min(max(image.size) // max(size), min(image.size) // min(size))
        for factor, reduced in (
            (8, cv2.IMREAD_REDUCED_COLOR_8),
            (4, cv2.IMREAD_REDUCED_COLOR_4),
            (2, cv2.IMREAD_REDUCED_COLOR_2),
        ):
            if shrink >= factor:
                flag = reduced
                break
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if pixels is None:
        raise ValueError("OpenCV cannot read it")
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)[..., ::-1])


def _vips(data: bytes, size: tuple[int, int], suffix: str) -> Pixels:  # noqa: ARG001
    pyvips: Any = importlib.import_module("pyvips")
    image = pyvips.Image.thumbnail_buffer(
        data, size[0], height=size[1], size="force", output_profile="srgb", intent="perceptual"
    )
    if image.hasalpha():
        image = image.flatten(background=255)
    pixels: Pixels = image.colourspace("srgb").numpy()
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
