"""Photos as a CLIP model takes them: resized, cropped and normalised as OpenCLIP does it when it evaluates.

Agrees with `open_clip.image_transform` (is_train=False) to two grey levels: the same filter of Pillow, the same
rounding of sizes and offsets as torchvision's `Resize` and `CenterCrop`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd_clip.errors import ClipModelError

Pixels: TypeAlias = npt.NDArray[np.uint8]
Values: TypeAlias = npt.NDArray[np.float32]
ResizeMode = Literal["shortest", "longest", "squash"]
Interpolation = Literal["bicubic", "bilinear"]
Triple: TypeAlias = tuple[float, float, float]

OPENAI_MEAN: Final[Triple] = (0.48145466, 0.4578275, 0.40821073)
OPENAI_DEVIATION: Final[Triple] = (0.26862954, 0.26130258, 0.27577711)
"""`open_clip.OPENAI_DATASET_MEAN` and `OPENAI_DATASET_STD`: what CLIP was trained with."""

_FILTERS: Final = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """`size`: of the square that the model sees, in pixels. `fill`: the grey around a photo that is padded."""

    size: int
    mean: Triple = OPENAI_MEAN
    deviation: Triple = OPENAI_DEVIATION
    interpolation: Interpolation = "bicubic"
    resize_mode: ResizeMode = "shortest"
    fill: int = 0

    @classmethod
    def read(cls, values: Mapping[str, Any], size: int) -> Preprocessing:
        """From OpenCLIP's own words (`preprocess_cfg.json`); `size` where they name none.

        Raises:
            ClipModelError: they ask for something that OpenCLIP does not do.
        """
        told = values.get("size") or size
        sides = {told} if isinstance(told, int) else set(told)
        if len(sides) != 1:
            raise ClipModelError(
                f"its photos are not square: {told}", hint="Only models of squares are supported."
            )
        made = cls(
            size=int(sides.pop()),
            mean=_triple(values.get("mean"), OPENAI_MEAN),
            deviation=_triple(values.get("std"), OPENAI_DEVIATION),
            interpolation=values.get("interpolation") or "bicubic",
            resize_mode=values.get("resize_mode") or "shortest",
            fill=int(values.get("fill_color") or 0),
        )
        for value, known in (
            (made.interpolation, get_args(Interpolation)),
            (made.resize_mode, get_args(ResizeMode)),
        ):
            if value not in known:
                raise ClipModelError(
                    f"its preprocess_cfg.json asks for {value!r}", hint=f"Known: {', '.join(known)}."
                )
        return made

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to which a photo is resized before it is cropped or padded."""
        if self.resize_mode == "squash":
            return self.size, self.size
        if self.resize_mode == "longest":  # rounded as ResizeKeepRatio of OpenCLIP does; torchvision cuts off
            edge = max(height, width)
            return max(1, round(self.size * height / edge)), max(1, round(self.size * width / edge))
        edge = min(height, width)
        return int(self.size * height / edge), int(self.size * width / edge)

    def square(self, pixels: Pixels) -> Pixels:
        """(size, size, 3) of an RGB photo (h, w, 3)."""
        height, width = pixels.shape[:2]
        image = Image.fromarray(pixels)
        filtered = _FILTERS[self.interpolation]
        scaled = self.scaled(height, width)[::-1]
        if self.resize_mode == "squash":
            return np.asarray(image.resize(scaled, filtered))
        if self.resize_mode == "longest":
            padded = Image.new("RGB", (self.size, self.size), (self.fill,) * 3)
            left, top = ((self.size - each) // 2 for each in scaled)
            padded.paste(image.resize(scaled, filtered), (left, top))
            return np.asarray(padded)
        # What is cropped from the resized photo, as a box of the photo itself: a panorama is never made large.
        box = [0.0] * 4
        for axis, (each, scaled_px) in enumerate(zip((width, height), scaled, strict=True)):
            offset = round((scaled_px - self.size) / 2)
            box[axis], box[axis + 2] = (at * each / scaled_px for at in (offset, offset + self.size))
        return np.asarray(image.resize((self.size, self.size), filtered, box=tuple(box)))  # type: ignore[arg-type]

    def prepare(self, pixels: Pixels, out: Values | None = None) -> Values:
        """(3, size, size) float32 of an RGB photo (h, w, 3), in `out` where that is given."""
        prepared = np.empty((3, self.size, self.size), np.float32) if out is None else out
        scale = 1 / (255 * np.array(self.deviation, np.float32))
        shift = np.array(self.mean, np.float32) / np.array(self.deviation, np.float32)
        square = self.square(pixels)
        for colour in range(3):  # a plane at a time: seven times as fast as all three at once
            np.multiply(square[:, :, colour], scale[colour], out=prepared[colour])
            prepared[colour] -= shift[colour]
        return prepared


def _triple(values: float | Sequence[float] | None, otherwise: Triple) -> Triple:
    if values is None:
        return otherwise
    if isinstance(values, int | float):
        return (float(values),) * 3
    red, green, blue = values
    return float(red), float(green), float(blue)
