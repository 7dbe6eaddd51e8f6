"""The text tower on PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgd_clip.directory import ModelDirectory
from imgd_clip.preprocessing import Values
from imgd_clip.settings import ClipSettings
from imgd_clip.tokens import WordTokenizer
from imgd_clip.torch_import import import_open_clip, import_torch
from imgd_clip.torch_weights import load_tower
from imgd_clip.vectors import normalised


class TorchTextTower:
    """Words by the text part of a checkpoint of OpenCLIP."""

    def __init__(self, directory: ModelDirectory, device: str, settings: ClipSettings) -> None:
        self._torch = import_torch()
        self._directory = directory
        self._device = device
        self._tokens = _tokenizer(directory)
        self._module = load_tower(directory, "text", device, settings.precision)
        self.encode([""])

    def encode(self, texts: Sequence[str]) -> Values:
        if not texts:
            return np.empty((0, self._directory.traits.dimensions), np.float32)
        torch = self._torch
        with torch.inference_mode():
            vectors = self._module(torch.as_tensor(self._tokens(texts)).to(self._device))
            vectors = vectors[0] if isinstance(vectors, tuple) else vectors
            return normalised(vectors.float().cpu().numpy(), self._directory)


def _tokenizer(directory: ModelDirectory) -> Any:
    """A function from texts to (n, context length): the model's own tokenizer where it has one, else CLIP's, which
    OpenCLIP brings."""
    text = directory.text_config
    length = int(text.get("context_length", 77))
    clean = text.get("tokenizer_kwargs", {}).get("clean")
    if directory.tokenizer.is_file():
        return WordTokenizer(directory.tokenizer, length, canonical=clean == "canonicalize").encode
    directory.check_texts()
    return import_open_clip().SimpleTokenizer(context_length=length, clean=clean or "lower")
