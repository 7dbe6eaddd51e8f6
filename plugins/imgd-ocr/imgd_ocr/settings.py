"""The section `[analyzers.ocr]` of imgd.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from imgd_ocr.languages import scripts_of

Fraction = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """How text is read.

    `languages`: what photos may be written in, by code: `en`, `de`, `zh`, `ko`, `ru`, ...
    `edge`: the longest edge in pixels at which photos are read; larger finds smaller print, and costs more.
    `text_threshold`: photos in which a cheap look finds text less likely are not read; 0 reads all.
    `min_confidence`: the least confidence of a line that counts.
    `threads`: photos read side by side; 0 takes one a core.
    """

    languages: tuple[str, ...] = ("en",)
    edge: Annotated[int, Meta(ge=320, le=6000)] = 1500
    text_threshold: Fraction = 0.9
    min_confidence: Fraction = 0.5
    threads: Annotated[int, Meta(ge=0, le=64)] = 0

    def __post_init__(self) -> None:
        scripts_of(self.languages)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The scripts whose models read `languages`."""
        return scripts_of(self.languages)

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
