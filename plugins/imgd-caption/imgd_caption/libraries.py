"""PyTorch and transformers, imported where they are used."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Any, Final

from imgd_caption.errors import CaptionModelError
from imgd_caption.settings import EXTRA

_ATTEMPTS: Final = 8


def import_transformers() -> tuple[Any, Any]:
    """PyTorch and transformers.

    Raises:
        CaptionModelError: one of them is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # whatever asks for a hub by mistake is answered at once
    found = []
    for name, title in (("torch", "PyTorch"), ("transformers", "transformers")):
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != name:
                raise
            raise CaptionModelError(
                f"{title} is not installed where imgd runs",
                hint=f"Run `imgctl plugins install '{EXTRA}'`, and restart imgd.",
            ) from error
    torch, transformers = found
    _make_torchvision_importable(torch)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers


def _make_torchvision_importable(torch: Any) -> None:
    """transformers imports torchvision where that is installed, for nothing that is needed here. One that was
    built for another PyTorch does not register operators (`torchvision::nms`) that its own import asks for: they
    get a name, and nothing calls them. Without torchvision, transformers does without it."""
    defined: list[Any] = []
    for _ in range(_ATTEMPTS):
        try:
            torchvision: Any = importlib.import_module("torchvision")
        except ImportError:
            return
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
        else:
            torchvision.names_without_code = defined  # they go when nobody holds them
            return
        for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        defined.append(torch.library.Library("torchvision", "FRAGMENT"))
        defined[-1].define(f"{missing[1]}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
