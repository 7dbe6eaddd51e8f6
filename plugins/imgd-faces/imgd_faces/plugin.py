"""What this plugin brings to imgd. Read in the main process: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from imgd import Analyzer, Model, hookimpl
from imgd_faces.analyzer import FaceAnalyzer
from imgd_faces.packs import PACKS


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    return [FaceAnalyzer]


@hookimpl
def imgd_models() -> list[Model]:
    return [pack.model for pack in PACKS.values()]
