"""ONNX Runtime on the device that was asked for, and on no other: for plugins."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from imgd.errors import DeviceUnusableError

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_ERROR: Final = 3
_LOADING: Final = threading.Lock()
_INSTALL: Final = (
    "Put onnxruntime-gpu in the place of onnxruntime (`pip uninstall onnxruntime`, then"
    " `pip install 'onnxruntime-gpu[cuda,cudnn]'`)"
)
_OR_ELSE: Final = 'or, where there is no such GPU, set `devices = ["cpu"]` in [lanes].'


def open_onnx_session(
    path: Path, device: str, options: Any = None, *, cuda: Mapping[str, object] | None = None
) -> Any:
    """A session (onnxruntime.InferenceSession) of the model file at `path` on `device`: `cpu`, or `cuda:N`.

    On its own ONNX Runtime goes on with the processor, without a word, where it cannot use a GPU; and it looks for
    CUDA and cuDNN in the system alone, not among the packages that pip installs (`onnxruntime.preload_dlls`).

    `options`: its SessionOptions. `cuda`: options of its CUDAExecutionProvider, without the device's number.

    Raises:
        DeviceUnusableError: this onnxruntime cannot use that device.
    """
    import onnxruntime

    on_gpu, said = device.startswith("cuda"), ""
    providers: list[Any] = [_CPU]
    if on_gpu:
        if _CUDA not in onnxruntime.get_available_providers():
            why = "what is installed is made for the processor"
            raise _unusable(path, device, why, f"{_INSTALL}, {_OR_ELSE}")
        onnxruntime.set_default_logger_severity(_ERROR)  # else each session warns of plugins that it has not
        with _LOADING:
            said = _load_libraries()
        providers.insert(0, (_CUDA, {"device_id": int(device.partition(":")[2] or 0), **(cuda or {})}))
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    if on_gpu and _CUDA not in session.get_providers():
        needed = f"CUDA {str(onnxruntime.cuda_version).partition('.')[0]} and cuDNN 9"
        why = said or f"it needs {needed} and a driver for them"
        hint = f"Install {needed} (`pip install 'onnxruntime-gpu[cuda,cudnn]'` brings both), {_OR_ELSE}"
        raise _unusable(path, device, why, hint)
    return session


@cache
def _load_libraries() -> str:
    """CUDA and cuDNN of pip's packages, or else of the system; returns what is said of one that it cannot load."""
    import onnxruntime

    if not hasattr(onnxruntime, "preload_dlls"):  # before 1.21
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        onnxruntime.preload_dlls()
    lines = [line.strip() for line in said.getvalue().splitlines() if line.startswith("Failed to load")]
    return lines[0] if lines else ""


def _unusable(path: Path, device: str, why: str, hint: str) -> DeviceUnusableError:
    model = f"{path.parent.name}/{path.name}"
    return DeviceUnusableError(
        f"onnxruntime cannot use {device} here: {model} would run on the processor ({why})", hint=hint
    )
