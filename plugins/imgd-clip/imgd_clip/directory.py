"""A model's directory: which of its files are there, and what its configuration says.

    visual/model.onnx                   the image tower, and
    visual/preprocess_cfg.json          how its photos are prepared
    textual/model.onnx                  the text tower, with
    textual/tokenizer.json              its tokenizer, and tokenizer_config.json
    config.json                         OpenCLIP's configuration of the architecture

or, for PyTorch, as OpenCLIP saves to a hub:

    open_clip_config.json               configuration and preparation of photos
    open_clip_model.safetensors         both towers; or open_clip_pytorch_model.safetensors or .bin
    tokenizer.json                      where it is not CLIP's own, which OpenCLIP brings
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from imgd_clip.errors import ClipModelError
from imgd_clip.preprocessing import Preprocessing
from imgd_clip.settings import Backend
from imgd_clip.traits import Traits

_VISUAL, _TEXTUAL = "visual/model.onnx", "textual/model.onnx"
_TOKENIZER: Final = "textual/tokenizer.json"
_TORCH_CONFIG: Final = "open_clip_config.json"
_WEIGHTS: Final = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_WIDTH, _PATCH_PX = 1024, 16
"""Of a vision transformer whose configuration does not say: the wider and finer of the usual ones."""


@dataclass(frozen=True)
class ModelDirectory:
    """The files of the model of `traits` in the directory `root`, for one backend. Nothing large is read."""

    root: Path
    traits: Traits
    backend: Literal["onnx", "torch"]

    @classmethod
    def find(cls, root: Path, traits: Traits, wanted: Backend = "auto") -> ModelDirectory:
        """The backend is `wanted`, or the one that the files are for.

        Raises:
            ClipModelError: there are no files for it.
        """
        wanted = traits.backend if wanted == "auto" else wanted
        is_for = {
            "onnx": (root / _VISUAL).is_file() or (root / _TEXTUAL).is_file(),
            "torch": (root / _TORCH_CONFIG).is_file() and any((root / name).is_file() for name in _WEIGHTS),
        }
        for backend in ("onnx", "torch"):
            if is_for[backend] and wanted in ("auto", backend):
                return cls(root, traits, backend)
        needed = {
            "onnx": f"{_VISUAL} and {_TEXTUAL}",
            "torch": f"{_TORCH_CONFIG} and {' or '.join(_WEIGHTS)}",
        }
        lacking = needed[wanted] if wanted != "auto" else f"{needed['onnx']}, or {needed['torch']}"
        raise ClipModelError(f"{root} lacks {lacking}", hint=_refetch(traits.model))

    @property
    def visual(self) -> Path:
        return self._file(_VISUAL, "the image tower")

    @property
    def textual(self) -> Path:
        return self._file(_TEXTUAL, "the text tower")

    @property
    def weights(self) -> Path:
        found = [self.root / name for name in _WEIGHTS if (self.root / name).is_file()]
        return found[0] if found else self._file(_WEIGHTS[0], "the weights")

    @property
    def tokenizer(self) -> Path:
        return self.root / (_TOKENIZER if self.backend == "onnx" else "tokenizer.json")

    def check_texts(self) -> None:
        """Whether a text tower that is there can be used; neither it nor its tokenizer is opened.

        Raises:
            ClipModelError: it lacks a part, without which no words can be searched for.
        """
        if self.tokenizer.is_file():
            _ = self.textual if self.backend == "onnx" else self.weights
        elif self.backend == "onnx" and (self.root / _TEXTUAL).is_file():
            self._file(_TOKENIZER, "the tokenizer of its text tower")
        elif self.backend == "torch" and (source := self.text_config.get("hf_tokenizer_name")):
            raise ClipModelError(
                f"{self.root} lacks tokenizer.json",
                hint=f"Add it from {source}: the text tower cannot be used without its tokenizer.",
            )

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """OpenCLIP's configuration of the architecture; empty where an image tower alone comes without one.

        Raises:
            ClipModelError: it cannot be read, or is of another size than imgd was told.
        """
        if self.backend == "torch":
            found = self._json(_TORCH_CONFIG).get("model_cfg") or {}
        else:
            found = self._json("config.json", optional=not self.traits.has_texts)
        told = found.get("embed_dim")
        if told not in (None, self.traits.dimensions):
            raise self.wrong_dimensions(told)
        return found

    @property
    def image_size(self) -> int:
        told = self.config.get("vision_cfg", {}).get("image_size", self.traits.image_size)
        return int(told[0] if isinstance(told, list) else told)

    @property
    def text_config(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config.get("text_cfg", {})
        return found

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are prepared.

        Raises:
            ClipModelError: its configuration cannot be used.
        """
        if self.backend == "torch":
            values = self._json(_TORCH_CONFIG).get("preprocess_cfg") or {}
        else:
            values = self._json("visual/preprocess_cfg.json", optional=not self.traits.has_texts)
        return Preprocessing.read(values, self.image_size)

    def layer_values(self, size_px: int) -> int:
        """How many numbers the largest tensors of one layer of a vision transformer have for a photo of `size_px`.

        The residual, its queries, keys and values, and the hidden layer before and after its activation are 12 for
        each token and channel.
        """
        vision = self.config.get("vision_cfg", {})
        width = vision.get("width", _WIDTH)
        tokens = (size_px // vision.get("patch_size", _PATCH_PX)) ** 2 + 1
        return int(12 * tokens * (width if isinstance(width, int) else _WIDTH))

    def wrong_dimensions(self, found: object) -> ClipModelError:
        return ClipModelError(
            f"vectors of {self.traits.model} have {found} dimensions, not {self.traits.dimensions}",
            hint=f"Set `dimensions = {found}` in [analyzers.clip], or name the model as OpenCLIP names it.",
        )

    def _json(self, name: str, *, optional: bool = False) -> Mapping[str, Any]:
        path = self.root / name
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            if optional:
                return {}
            raise ClipModelError(f"{self.root} lacks {name}", hint=_refetch(self.traits.model)) from None
        except (OSError, ValueError) as error:
            raise ClipModelError(f"{path} cannot be read: {error}", hint=_refetch(self.traits.model)) from error
        if not isinstance(found, dict):
            raise ClipModelError(f"{path} is no table", hint=_refetch(self.traits.model))
        return found

    def _file(self, name: str, what: str) -> Path:
        path = self.root / name
        if not path.is_file():
            raise ClipModelError(f"{self.root} lacks {what}, {name}", hint=_refetch(self.traits.model))
        return path


def _refetch(model: str) -> str:
    return (
        f"`imgctl models verify {model}` checks what was fetched; a folder of your own is added again, whole,"
        f" by `imgctl models add DIR --as {model}`."
    )
