"""What this plugin brings to imgd. Read in the main process: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from imgd import Analyzer, Model, QueryEncoder, hookimpl
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.descriptions import DescriptionAnalyzer, DescriptionQueryEncoder
from imgd_concepts.models import MODELS
from imgd_concepts.query import ConceptQueryEncoder


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    return [ConceptAnalyzer, DescriptionAnalyzer]


@hookimpl
def imgd_query_encoders() -> list[type[QueryEncoder[Any]]]:
    return [ConceptQueryEncoder, DescriptionQueryEncoder]


@hookimpl
def imgd_models() -> list[Model]:
    return list(MODELS)
