"""imgd: a photo-analysis daemon. This module is the plugin author's API; names load on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imgd.analyzer import Analyzer, ImageFormat, QueryEncoder
    from imgd.domain import (
        Device,
        Failure,
        Finding,
        Needs,
        PhotoInput,
        Picture,
        Region,
        Sidecar,
        Tag,
        Text,
        Vector,
    )
    from imgd.errors import BrokenImageError, DeviceUnusableError, ImgdError, LimitError, ModelMissingError
    from imgd.hookspecs import hookimpl
    from imgd.model import Model, ModelFile
    from imgd.onnx_sessions import open_onnx_session

__version__ = "0.1.0"

API_VERSION: Final = 1
"""Raised when a plugin that kept the contract would have to change."""

_HOMES: Final = {
    "Analyzer": "analyzer",
    "ImageFormat": "analyzer",
    "QueryEncoder": "analyzer",
    "Device": "domain",
    "Failure": "domain",
    "Finding": "domain",
    "Needs": "domain",
    "PhotoInput": "domain",
    "Picture": "domain",
    "Region": "domain",
    "Sidecar": "domain",
    "Tag": "domain",
    "Text": "domain",
    "Vector": "domain",
    "BrokenImageError": "errors",
    "DeviceUnusableError": "errors",
    "ImgdError": "errors",
    "LimitError": "errors",
    "ModelMissingError": "errors",
    "hookimpl": "hookspecs",
    "Model": "model",
    "ModelFile": "model",
    "open_onnx_session": "onnx_sessions",
}

__all__ = [
    "API_VERSION",
    "Analyzer",
    "BrokenImageError",
    "Device",
    "DeviceUnusableError",
    "Failure",
    "Finding",
    "ImageFormat",
    "ImgdError",
    "LimitError",
    "Model",
    "ModelFile",
    "ModelMissingError",
    "Needs",
    "PhotoInput",
    "Picture",
    "QueryEncoder",
    "Region",
    "Sidecar",
    "Tag",
    "Text",
    "Vector",
    "__version__",
    "hookimpl",
    "open_onnx_session",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'imgd' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"imgd.{home}"), name)
    globals()[name] = value
    return value
