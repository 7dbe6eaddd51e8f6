"""The section `[analyzers.clip]` of imgd.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Backend = Literal["auto", "onnx", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """Which model, and how it runs.

    `model`: one of `imgctl models list`, or one that was added with `imgctl models add DIR --as NAME`.
    `backend`: `onnx` (ONNX Runtime) or `torch` (open_clip_torch); `auto` takes what the model's files are for.
    `precision`: of `torch` alone; `auto` is `fp32` on a processor and `bf16` on a GPU.
    `batch_size`: the most photos at once; memory may allow fewer.
    `threads`: of the processor; 0 takes one a core.
    `prompt`: how a query is worded before it is encoded, with `{}` for its words; `auto` takes what the model was
    trained for.
    `image_size`, `dimensions`: of a model whose name OpenCLIP does not know; 0 where it does.
    """

    model: str = "ViT-B-32__laion2b-s34b-b79k"
    backend: Backend = "auto"
    precision: Precision = "auto"
    batch_size: Annotated[int, Meta(ge=1, le=4096)] = 64
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    prompt: str = "auto"
    image_size: Annotated[int, Meta(ge=0, le=2048)] = 0
    dimensions: Annotated[int, Meta(ge=0, le=65536)] = 0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("`model` must name a model")
        if self.prompt != "auto" and self.prompt.count("{}") != 1:
            raise ValueError("`prompt` must have one {} for the words of the query, or be `auto`")

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
