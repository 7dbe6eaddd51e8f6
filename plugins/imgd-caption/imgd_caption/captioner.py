"""BLIP, loaded from a directory by transformers, and asked for captions of many photos at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imgd_caption.errors import CaptionModelError
from imgd_caption.libraries import import_transformers

if TYPE_CHECKING:
    from imgd_caption.settings import CaptionSettings

Pictures = npt.NDArray[np.float32]

_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_ARCHITECTURE: Final = "blip"
_TOKENIZERS: Final = ("tokenizer.json", "vocab.txt")


class Captioner:
    """A model on its device."""

    def __init__(self, directory: Path, settings: CaptionSettings, device: str) -> None:
        """Loads the weights; nothing is looked for anywhere but in `directory`.

        Raises:
            CaptionModelError: PyTorch or transformers is not installed, or `directory` holds no such model.
        """
        self._torch, transformers = import_transformers()
        _check(directory)
        if settings.threads:
            self._torch.set_num_threads(settings.threads)
        # A CPU computes in half precision no faster, and some operators not at all.
        name = "fp32" if device == "cpu" else settings.precision
        self._dtype = getattr(self._torch, _DTYPES[name])
        self._device = device
        self.runtime = f"PyTorch {device}, {_DTYPES[name]}"
        self._generation = {
            "max_new_tokens": settings.max_new_tokens,
            "num_beams": settings.beams,
            "do_sample": False,
        }
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(directory), local_files_only=True)
            model, report = transformers.BlipForConditionalGeneration.from_pretrained(
                str(directory),
                local_files_only=True,
                dtype=self._dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        except Exception as error:  # transformers raises whatever its parts raise
            raise CaptionModelError(f"the model in {directory.name} cannot be loaded ({_said(error)})") from error
        # transformers fills gaps with random numbers, which would caption photos at random.
        if lacking := sorted([*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]):
            raise CaptionModelError(
                f"the weights in {directory.name} do not fit its config.json: {len(lacking)} tensors are missing"
                f" or of another shape, such as {lacking[0]}"
            )
        self._model = model.to(device).eval()

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""
        return sum(each.numel() for each in self._model.parameters())

    @property
    def bytes_a_number(self) -> int:
        return int(self._dtype.itemsize)

    def caption(self, pictures: Pictures) -> list[str]:
        """What the model says of each of `pictures`, (n, 3, height, width) float32 as `Preprocessing` makes them.

        In fp32 that depends on no other picture of the batch: all are of one size, and what is generated is not
        padded before it has ended.
        """
        torch = self._torch
        with torch.inference_mode():
            pixel_values = torch.from_numpy(pictures).to(self._device, self._dtype)
            tokens = self._model.generate(pixel_values=pixel_values, **self._generation)
        # The first one is the mark that the decoder is started with, which the tokenizer may not know.
        said: Sequence[str] = self._tokenizer.batch_decode(tokens[:, 1:], skip_special_tokens=True)
        return list(said)


def _check(directory: Path) -> None:
    """That `directory` is a BLIP's; transformers would make an empty tokenizer where there is none."""
    try:
        architecture = json.loads((directory / "config.json").read_bytes())["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaptionModelError(
            f"config.json of the model in {directory.name} cannot be read ({_said(error)})"
        ) from error
    if architecture != _ARCHITECTURE:
        raise CaptionModelError(f"the model in {directory.name} is a {architecture!r}, not a {_ARCHITECTURE!r}")
    if not any((directory / name).is_file() for name in _TOKENIZERS):
        raise CaptionModelError(f"the model in {directory.name} has neither {' nor '.join(_TOKENIZERS)}")


def _said(error: Exception) -> str:
    """The error's first line, and its type."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
