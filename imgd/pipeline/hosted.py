"""Analyzers as a child hosts them: made by name, loaded, called, and their answers checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from imgd.analyzer import Analyzer
from imgd.domain import Failure, Finding, PhotoInput
from imgd.errors import DiskFullError, ImgdError
from imgd.pipeline.checked import check_finding, clean_text
from imgd.pipeline.messages import AnalyzerOutcome, AnalyzerSpec


def make_hosted(spec: AnalyzerSpec) -> Any:
    """An instance of the class that `spec` names, not loaded yet."""
    found: Any = importlib.import_module(spec.module)
    for part in spec.qualname.split("."):
        found = getattr(found, part)
    instance = found(spec.settings, spec.model_dirs)
    if spec.cache_dir is not None:
        instance.cache_dir = spec.cache_dir
    return instance


def load_hosted(
    specs: Sequence[AnalyzerSpec], device: str, doing: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Make and load every one of `specs`; returns those that serve, and why the others do not.

    `doing` is told the name of the one being loaded, so that a crash in a library can be laid at its door.
    """
    loaded: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for spec in specs:
        doing(spec.name)
        try:
            instance = make_hosted(spec)
            instance.load(device)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything: it becomes that plugin's fault
            faults[spec.name] = describe_error(error)
        else:
            loaded[spec.name] = instance
    doing("")
    return loaded, faults


def analyze(analyzer: Analyzer[Any], photos: Sequence[PhotoInput]) -> list[AnalyzerOutcome]:
    """One outcome a photo, in order. A batch that raises is repeated photo by photo, so that one bad photo
    costs only itself."""
    try:
        answers = list(analyzer.analyze(photos))
        if len(answers) != len(photos):
            raise ValueError(f"returned {len(answers)} findings for {len(photos)} photos")
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        if len(photos) > 1:
            return [analyze(analyzer, [photo])[0] for photo in photos]
        return [
            AnalyzerOutcome(
                analyzer.name, reason=describe_error(error), transient=isinstance(error, DiskFullError)
            )
        ]
    return [_outcome(analyzer, answer) for answer in answers]


def describe_error(error: BaseException) -> str:
    """An error as `imgctl failed` shows it: a plain reason for imgd's own, the type's name for others."""
    if isinstance(error, MemoryError):
        return "not enough memory for this photo (`decode.memory_mb`)"
    said = clean_text(error)
    if isinstance(error, ImgdError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _outcome(analyzer: Analyzer[Any], answer: Finding | Failure) -> AnalyzerOutcome:
    if isinstance(answer, Failure):
        return AnalyzerOutcome(analyzer.name, reason=clean_text(answer.reason) or "the analyzer gave no reason")
    try:
        return AnalyzerOutcome(analyzer.name, check_finding(type(analyzer), answer))
    except ImgdError as error:
        return AnalyzerOutcome(analyzer.name, reason=str(error))
