"""PyTorch and OpenCLIP, imported where they are used."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any, Final

_ATTEMPTS: Final = 8
_DEFINED: list[Any] = []
"""Libraries of operators, which have to outlive the function that made them."""


def import_torch() -> Any:
    """PyTorch, and a torchvision that OpenCLIP can import: one that was built for another PyTorch does not
    register operators (`torchvision::nms`) that its own import asks for, and that nothing here calls."""
    torch: Any = importlib.import_module("torch")
    for _ in range(_ATTEMPTS):
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
        else:
            break
        for name in [each for each in sys.modules if each.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define(f"{missing[1]}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DEFINED.append(library)
    return torch


def import_open_clip() -> Any:
    """OpenCLIP, and its `model` module, which makes one tower at a time."""
    import_torch()
    importlib.import_module("open_clip.model")
    return importlib.import_module("open_clip")
