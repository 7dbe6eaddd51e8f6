"""What this plugin brings to imgd. Read in the main process: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from imgd import Analyzer, Model, hookimpl
from imgd_caption.analyzer import CaptionAnalyzer
from imgd_caption.models import MODELS


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    return [CaptionAnalyzer]


@hookimpl
def imgd_models() -> list[Model]:
    return list(MODELS)
