"""What this plugin brings to imgd. Read in the main process: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from imgd import Analyzer, Model, QueryEncoder, hookimpl
from imgd_clip.analyzer import ClipAnalyzer
from imgd_clip.models import ENTRIES
from imgd_clip.query import ClipQueryEncoder


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    return [ClipAnalyzer]


@hookimpl
def imgd_query_encoders() -> list[type[QueryEncoder[Any]]]:
    return [ClipQueryEncoder]


@hookimpl
def imgd_models() -> list[Model]:
    return [entry.model for entry in ENTRIES.values()]
