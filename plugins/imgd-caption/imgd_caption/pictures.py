"""Photos as the model's picture encoder wants them, by the `preprocessor_config.json` of its directory.

What transformers' own image processor does with Pillow, without the packages that it asks for (torchvision).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd_caption.errors import CaptionModelError

_FILE = "preprocessor_config.json"
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A photo is squeezed to `height` x `width` pixels, whatever its shape, and each channel made
    (value * scale - mean) / std. The defaults are those of BLIP in transformers."""

    height: int = 384
    width: int = 384
    resample: int = int(Image.Resampling.BICUBIC)
    scale: float = 1 / 255
    mean: tuple[float, ...] = _CLIP_MEAN
    std: tuple[float, ...] = _CLIP_STD

    @classmethod
    def read(cls, directory: Path) -> Preprocessing:
        """As the model's `preprocessor_config.json` has it.

        Raises:
            CaptionModelError: it is not there, or is no such file.
        """
        try:
            made = cls._of(json.loads((directory / _FILE).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CaptionModelError(
                f"{_FILE} of the model cannot be read ({type(error).__name__}: {error})"
            ) from error
        return made

    @classmethod
    def _of(cls, config: Mapping[str, Any]) -> Preprocessing:
        size = config.get("size", {"height": 384, "width": 384})
        height, width = (size["height"], size["width"]) if isinstance(size, Mapping) else (size, size)
        normalises = config.get("do_normalize", True)
        return cls(
            height=int(height),
            width=int(width),
            resample=int(config.get("resample", Image.Resampling.BICUBIC)),
            scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
            mean=tuple(map(float, config.get("image_mean", _CLIP_MEAN))) if normalises else (0.0, 0.0, 0.0),
            std=tuple(map(float, config.get("image_std", _CLIP_STD))) if normalises else (1.0, 1.0, 1.0),
        )

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(3, height, width) float32 of an RGB photo (h, w, 3)."""
        image = Image.fromarray(pixels)
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), Image.Resampling(self.resample))
        scaled = np.asarray(image, np.float32) * np.float32(self.scale)
        normalised = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))
