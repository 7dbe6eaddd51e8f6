"""One decode of one photo, at the cheapest step of the ladder that gives the needed edge.

The steps: nothing but the header (`metadata`), an embedded preview (`preview`), a JPEG reduced in the DCT domain
(`dct 1/4`), half of a RAW's sensor (`half`), everything (`full`). Which steps there are is each format's own
matter; this module finds the format and makes whatever goes wrong an error with a plain reason.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from imgd.decode.faults import plain_errors
from imgd.decode.frames import check_frames
from imgd.decode.limits import DecodeLimits
from imgd.decode.ranges import RangedFormat
from imgd.decode.registry import FormatRegistry
from imgd.decode.source import Source
from imgd.decode.stderr import native_stderr
from imgd.domain import DecodeReport, Picture
from imgd.errors import BrokenImageError


def decode(source: Source, edge_px: int, limits: DecodeLimits, registry: FormatRegistry | None = None) -> Picture:
    """The upright sRGB photo with a longest edge of min(edge_px, original) or a little more.

    With `edge_px` 0 no pixel is decoded: format, width and height come from the header. `registry` brings
    formats of plugins, and is worth keeping from photo to photo.

    Raises:
        UnsupportedFormatError: the file is something else, which the detail names.
        BrokenImageError: nothing of it can be decoded; the detail says why.
        LimitError: it would take more pixels, frames or memory than `limits` allow.
    """
    if not source.content:
        raise BrokenImageError("the file is empty")
    image_format = (registry or FormatRegistry()).identify(source.content, source.name)
    with native_stderr(), plain_errors(source.content, image_format.name):
        check_frames(source.content, limits.max_frames)
        if isinstance(image_format, RangedFormat):
            picture = image_format.decode(source.content, edge_px, limits.max_pixels)
        else:
            picture = image_format.decode(source.data, edge_px, limits.max_pixels)
    if problem := _picture_problem(picture, edge_px):
        raise BrokenImageError(f"the image format {image_format.name} returned {problem}")
    return dataclasses.replace(picture, format=image_format.name)


def report(source: Source, picture: Picture) -> DecodeReport:
    """What the store learns of the photo itself."""
    return DecodeReport(
        stat=source.stat,
        fingerprint=source.fingerprint,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        route=picture.route,
        damage=picture.damage,
    )


def _picture_problem(picture: Any, edge_px: int) -> str:
    """What is wrong with what a format returned, or "": one of a plugin may return anything."""
    if not isinstance(picture, Picture):
        return f"{type(picture).__name__}, not a Picture"
    sizes = (picture.width, picture.height)
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        return f"a width and height of {sizes}"
    pixels = picture.pixels
    if pixels is None:
        return "no pixels" if edge_px else ""
    if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.size):
        return "pixels that are no (h, w, 3) array of uint8"
    return "" if pixels.shape[2] == 3 else f"pixels with {pixels.shape[2]} channels"
