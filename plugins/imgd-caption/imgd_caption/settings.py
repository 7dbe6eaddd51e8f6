"""The section `[analyzers.caption]` of imgd.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from imgd_caption.models import BLIP_BASE

EXTRA: Final = "imgd-caption[torch]"
"""What to install for PyTorch and transformers."""

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How photos are captioned.

    `model`: a model of the catalogue, or one that was added with `imgctl models add DIR --as NAME`.
    `precision`: of the weights and of what is computed, on a GPU; a CPU always computes in fp32.
    `batch_size`: the most photos at once.
    `max_new_tokens`: where a caption ends that does not end by itself; a word is about 1.3 tokens.
    `beams`: captions that are followed side by side, of which the likeliest is taken; with 1, the likeliest word
    always comes next.
    `threads`: of PyTorch, on a CPU; 0 leaves it to PyTorch, which takes one a core.
    """

    model: Annotated[str, Meta(min_length=1)] = BLIP_BASE.name
    precision: Precision = "fp32"
    batch_size: Annotated[int, Meta(ge=1, le=512)] = 16
    max_new_tokens: Annotated[int, Meta(ge=1, le=200)] = 30
    beams: Annotated[int, Meta(ge=1, le=16)] = 3
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
