"""Pixels of WebP and of deflated TIFF from decoders that hand them out as they lie in the file.

Pillow decodes WebP by way of an RGBA canvas, and inflates TIFF by zlib. imagecodecs has the same libwebp, and a
libtiff with libdeflate. Each function here takes what Pillow's header says, and answers None for whatever is not
plain, not whole or refused: Pillow decodes that, and its judgement of the damage counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}

_WEBP_ANIMATION = 2

_BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _SAMPLES = 258, 259, 262, 266, 277
_ORIENTATION, _PLANAR, _TILE_WIDTH, _SAMPLE_FORMAT = 274, 284, 322, 339
_DEFLATE = frozenset({8, 32946})
_TIFF_MODES = {("L", 1, 1), ("RGB", 2, 3)}
"""(mode, photometric interpretation, samples a pixel)."""


def webp(data: bytes, image: Image.Image) -> Pixels | None:
    """The pixels of a WebP that is no animation."""
    if data[12:16] == b"VP8X" and data[20] & _WEBP_ANIMATION:
        return None
    import imagecodecs

    return _as_promised(lambda: imagecodecs.webp_decode(data, hasalpha=image.mode == "RGBA"), image)


def tiff(data: bytes, image: Image.Image) -> Pixels | None:
    """The pixels of the first page of a TIFF with deflated strips of 8-bit grey or RGB, as it is upright."""
    tags: Any = getattr(image, "tag_v2", None)
    if tags is None or not _is_plain_tiff(tags, image.mode):
        return None
    import imagecodecs

    # libtiff takes a strip that holds too much for whole, and may leave its last pixels unwritten: black then.
    return _as_promised(
        lambda: imagecodecs.tiff_decode(data, index=0, out=np.zeros(_shape(image), np.uint8)), image
    )


def _as_promised(decode: Callable[[], Any], image: Image.Image) -> Pixels | None:
    """What `decode` gives where that is what the header of `image` promises."""
    try:
        pixels = decode()
    except Exception:  # noqa: BLE001  Pillow says what is wrong with it, or does with less memory
        return None
    return pixels if pixels.dtype == np.uint8 and pixels.shape == _shape(image) else None


def _shape(image: Image.Image) -> tuple[int, ...]:
    channels = _CHANNELS.get(image.mode, 0)
    return image.size[::-1] if channels == 1 else (*image.size[::-1], channels)


def _is_plain_tiff(tags: Any, mode: str) -> bool:
    bits = tags.get(_BITS, (1,))
    return (
        tags.get(_COMPRESSION) in _DEFLATE
        and (mode, tags.get(_PHOTOMETRIC), tags.get(_SAMPLES, 1)) in _TIFF_MODES
        and set(bits if isinstance(bits, tuple) else (bits,)) == {8}
        and tags.get(_PLANAR, 1) == 1
        and tags.get(_ORIENTATION, 1) == 1
        and tags.get(_FILL_ORDER, 1) == 1
        and set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
        and _TILE_WIDTH not in tags
    )
