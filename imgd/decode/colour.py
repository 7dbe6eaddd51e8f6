"""From any of Pillow's modes and any colour profile to 8-bit sRGB."""

from __future__ import annotations

import io
from collections import OrderedDict

import numpy as np
from PIL import Image, ImageCms

_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_CMS_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}
_SRGB_NAMES = (
    "srgb iec61966-2",  # HP and Microsoft's, the usual one, and its black-scaled kin
    "srgb built-in",  # LittleCMS
    "srgb2014",
    "srgb_v4_icc",
    "c2",  # a tiny sRGB that large sites embed
    "artifex software srgb",
    "generic rgb (srgb)",
)
_KEPT = 16


def flatten(image: Image.Image) -> Image.Image:
    """`image` as 8-bit L, RGB, CMYK or LAB: palettes looked up, deep greys scaled down, alpha laid over white."""
    mode = image.mode
    if mode in _ALPHA or (mode in ("L", "RGB", "P") and "transparency" in image.info):
        return _over_white(image.convert("RGBA"))
    if mode in _CMS_SPACES:
        return image
    if mode.startswith("I") or mode == "F":
        return _scale_grey(image)
    return image.convert("L" if mode == "1" else "RGB")


class SrgbConverter:
    """Colour profiles to sRGB. Keeps the transforms of the last few profiles: a camera's photos share theirs."""

    def __init__(self) -> None:
        self._srgb = ImageCms.createProfile("sRGB")
        self._transforms: OrderedDict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = OrderedDict()

    def changes(self, icc: bytes | None, mode: str) -> bool:
        """Whether `convert` changes pixels of `mode` that have the profile `icc`."""
        return bool(icc) and self._transform(icc or b"", mode) is not None

    def convert(self, image: Image.Image, icc: bytes | None) -> Image.Image:
        """`image` (L, RGB, CMYK or LAB) as sRGB, by the profile `icc`; a broken or alien profile is ignored."""
        if image.mode == "LAB":
            lab = ImageCms.createProfile("LAB")
            converted = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, self._srgb, "LAB", "RGB"))
            return converted or image.convert("RGB")
        transform = self._transform(icc, image.mode) if icc else None
        if transform is None:
            return image if image.mode == "RGB" else image.convert("RGB")
        return ImageCms.applyTransform(image, transform) or image.convert("RGB")

    def _transform(self, icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        key = (icc, mode)
        if key in self._transforms:
            self._transforms.move_to_end(key)
        else:
            self._transforms[key] = self._build(icc, mode)
            if len(self._transforms) > _KEPT:
                self._transforms.popitem(last=False)
        return self._transforms[key]

    def _build(self, icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        """None where the profile is sRGB itself, is broken, or is of another colour space than the pixels."""
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            name = (profile.profile.profile_description or "").strip().lower()
            if profile.profile.xcolor_space != _CMS_SPACES[mode]:
                return None
            if mode == "RGB" and (name == "srgb" or name.startswith(_SRGB_NAMES)):
                return None
            return ImageCms.buildTransform(profile, self._srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return None


def _over_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return ground


def _scale_grey(image: Image.Image) -> Image.Image:
    """Deep or floating-point grey as 8 bits.

    16-bit values keep their scale; other ranges are told by the values: floats up to 1 count as 0..1, and what
    fits neither 8 nor 16 bits is stretched from its least to its largest.
    """
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    least, largest = float(grey.min(initial=0.0)), float(grey.max(initial=0.0))
    scaled = grey
    if image.mode == "F" and least >= 0 and largest <= 1:
        scaled = grey * np.float32(255)
    elif least >= 0 and 255 < largest <= 65535:
        scaled = grey / np.float32(257)
    elif least < 0 or largest > 65535:
        scaled = (grey - least) * np.float32(255 / (largest - least or 1))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
