"""What this plugin brings to imgd. Read in the main process: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from imgd import Analyzer, Model, hookimpl
from imgd_ocr.analyzer import OcrAnalyzer
from imgd_ocr.models import RECOGNISERS


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    return [OcrAnalyzer]


@hookimpl
def imgd_models() -> list[Model]:
    return list(RECOGNISERS.values())
