"""All technical measures of one image, with what they share made once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd.analyzers.technical import colour, detail, exposure, phash, sharpness
from imgd.domain import FactValue


def measure(pixels: npt.NDArray[np.uint8]) -> dict[str, FactValue]:
    """The facts of an image of (h, w, 3) uint8 sRGB; any size from 1 x 1 up.

    Statistics of colour need no more than every second pixel of every second row; sharpness and noise, which live
    in neighbouring pixels, see all of them.
    """
    image = Image.fromarray(pixels)
    luma = image.convert("L")
    # In this order: what reads all of the luma comes while the luma is in the processor's cache.
    lights = exposure.measure(luma)
    look = phash.phash(luma)
    fine = detail.measure(np.asarray(luma))
    planes = colour.planes(pixels[::2, ::2])
    return {
        "sharpness": round(sharpness.sharpness(fine.variances, image), 2),
        "brightness": round(lights.brightness, 4),
        "contrast": round(lights.contrast, 4),
        "tonal_range": round(lights.tonal_range, 4),
        "noise": round(fine.noise, 3),
        "colourfulness": round(colour.colourfulness(*planes), 2),
        "clipped_shadows": round(lights.clipped_shadows, 5),
        "clipped_highlights": round(lights.clipped_highlights, 5),
        "phash": look,
        "dominant_colours": [*colour.dominant_colours(*planes)],
    }
