"""Photos as imgd hands them to analyzers, made for tests: at the analyzer's own size, read-only."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from imgd.decode.pyramid import pyramid
from imgd.domain import Device, PhotoInput, Picture
from imgd.plugins import AnalyzerClass

Pixels = npt.NDArray[np.uint8]

FULL_SIZE = "a photo of its full size"
"""The awkward photo that is not awkward at all: its longest edge is the one that is needed."""


def make_photo(
    analyzer: AnalyzerClass, pixels: Pixels, *, photo_id: int = 1, path: str = "photo.jpg"
) -> PhotoInput:
    """The photo with the upright sRGB `pixels`, shape (h, w, 3), as `analyzer` receives it: scaled to its size by
    imgd itself, read-only, with the file's bytes (a JPEG) where it runs inline."""
    return sized_photo(
        pixels, analyzer.needs.edge, photo_id=photo_id, path=path, inline=analyzer.device is Device.CPU
    )


def sized_photo(pixels: Pixels, edge_px: int, *, photo_id: int, path: str, inline: bool) -> PhotoInput:
    """`make_photo`, for one that needs `edge_px` (0: no pixels) and has the file where it runs `inline`."""
    height, width = pixels.shape[:2]
    scaled = pyramid(Picture(pixels, width, height), [edge_px])[edge_px] if edge_px else None
    if scaled is not None:
        scaled = scaled.copy()
        scaled.flags.writeable = False
    data = jpeg(pixels) if inline else b""
    return PhotoInput(photo_id, path, "jpeg", width, height, scaled, data)


def awkward_photos(analyzer: AnalyzerClass) -> dict[str, PhotoInput]:
    """Photos that analyzers stumble over, by what is special about each."""
    inline = analyzer.device is Device.CPU
    photos = sized_photos(analyzer.needs.edge, inline=inline)
    if inline and not analyzer.needs.edge:
        # One that asks for no pixels is asked about files that are no photos, too.
        photos["an empty file"] = PhotoInput(90, "/photos/90.jpg", "", 0, 0)
        photos["a file that is no photo"] = PhotoInput(91, "/photos/91.jpg", "", 0, 0, None, b"no photo\n" * 40)
    return photos


def sized_photos(edge_px: int, *, inline: bool) -> dict[str, PhotoInput]:
    """Pictures of every awkward shape, for one that needs `edge_px`."""
    edge = edge_px or 64
    colours = _colours(edge * 3 // 4, edge)
    images = {
        FULL_SIZE: colours,
        "an upright photo": np.ascontiguousarray(colours.transpose(1, 0, 2)),
        "a photo larger than it needs": _colours(edge + edge // 2, edge * 2),
        "a photo smaller than it needs": _colours(max(1, edge // 3), max(1, edge // 2)),
        "a panorama": _colours(max(1, edge // 16), edge),
        "a black photo": np.zeros_like(colours),
        "a white photo": np.full_like(colours, 255),
        "a photo of one pixel": _colours(1, 1),
        "a photo of one row": _colours(1, min(edge, 40)),
        "a photo of two by three pixels": _colours(2, 3),
    }
    return {
        name: sized_photo(pixels, edge_px, photo_id=number, path=f"/photos/{number}.jpg", inline=inline)
        for number, (name, pixels) in enumerate(images.items(), start=1)
    }


def jpeg(pixels: Pixels) -> bytes:
    """A file with `pixels`."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _colours(height: int, width: int) -> Pixels:
    """A picture with gradients, edges and grain; always the same."""
    rows, columns = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(0).integers(0, 24, (height, width))
    channels = (
        rows * 200 // max(1, height - 1),
        columns * 200 // max(1, width - 1),
        ((rows // 8 + columns // 8) % 2) * 200,
    )
    return np.stack([(channel + grain).astype(np.uint8) for channel in channels], axis=-1)
