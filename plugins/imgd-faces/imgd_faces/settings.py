"""The section `[analyzers.faces]` of imgd.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]
PackName = Literal["scrfd-500m-mbf", "buffalo_s", "buffalo_m", "buffalo_l", "dlib-faces"]


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How faces are found and told apart.

    `model`: the model pack that does it.
    `edge`: the longest edge in pixels of the photo that faces are cut out of.
    `detection_edge`: the longest edge in pixels that the photo is scaled to before faces are looked for; rounded
    up to a multiple of 32. More finds smaller faces, and misses those that fill the photo.
    `detection_threshold`: the least score of a detected face that counts.
    `min_face`: the least width or height of a face that counts, as a fraction of the photo's longest edge.
    `threads`: photos looked at side by side; 0 takes one a core.
    """

    model: PackName = "scrfd-500m-mbf"
    edge: Annotated[int, Meta(ge=320, le=4096)] = 1200
    detection_edge: Annotated[int, Meta(ge=64, le=2048)] = 640
    detection_threshold: Fraction = 0.5
    min_face: Fraction = 0.015
    threads: Annotated[int, Meta(ge=0, le=64)] = 0

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
