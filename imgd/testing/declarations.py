"""What can be told of a plugin's class without making an instance of it."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgd.hookspecs import hookimpl
from imgd.pipeline.hosted import describe_error
from imgd.plugins import AnalyzerClass, EncoderClass, build_plugin_manager


def by_name_problem(subject: type) -> str:
    """Why workers would not find `subject` by its module and name, or ""."""
    if "<locals>" in subject.__qualname__:
        return "the class stands inside a function: workers cannot import it from there"
    found: Any = sys.modules.get(subject.__module__)
    for part in subject.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not subject:
        where = f"{subject.__module__}.{subject.__qualname__}"
        return f"{where} is not this class: workers, which look for it by that name, would find another or none"
    return ""


def make_settings(subject: Any, settings: object) -> Any:
    """`settings`, or the defaults of the analyzer `subject`."""
    if settings is None and subject.settings_type is not None:
        return subject.settings_type()
    return settings


def analyzer_problems(
    analyzer: AnalyzerClass, settings: object, model_dirs: Mapping[str, Path], cache_dir: Path | None
) -> list[str]:
    problems = _plain_problems(analyzer)
    if problems:
        return problems
    try:
        made = make_settings(analyzer, settings)
        declared = analyzer.configured(made)
        again = analyzer.configured(made)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return [f"configured() raises {describe_error(error)}"]
    if not (isinstance(declared, type) and issubclass(declared, analyzer)):
        return [f"configured() returns {declared!r}, not a class made by `declared`"]
    if _facts_of(declared) != _facts_of(again):
        return ["configured() says something else the second time"]
    if declared.name != analyzer.name:
        return [f"configured() changes the name to {declared.name!r}"]
    problems += [problem for problem in _plain_problems(declared, named=False) if problem not in problems]
    if missing := [name for name in declared.requires if name not in model_dirs]:
        problems.append(f"it requires {', '.join(missing)}: give their directories as `model_dirs`")
    if declared.wants_cache_dir and cache_dir is None:
        problems.append("it wants a cache directory: give one as `cache_dir`")
    try:
        pickle.dumps(made)
    except Exception as error:  # noqa: BLE001 - pickling runs the plugin's code
        problems.append(f"its settings cannot be sent to a worker: {describe_error(error)}")
    return problems


def _plain_problems(analyzer: AnalyzerClass, *, named: bool = True) -> list[str]:
    registry = build_plugin_manager((_Plugin(analyzer),), selection=set())
    registry.analyzers(None)
    problems = [status.error for status in registry.statuses.values() if status.error]
    return problems + ([problem] if named and (problem := by_name_problem(analyzer)) else [])


def _facts_of(declared: AnalyzerClass) -> tuple[Any, ...]:
    return (declared.requires, declared.needs, declared.batch_size, declared.memory_mb, declared.photo_mb)


def encoder_problems(
    encoder: EncoderClass, analyzer: AnalyzerClass | None, settings: Any, model_dirs: Mapping[str, Path]
) -> list[str]:
    if problems := _plain_encoder_problems(encoder, settings):
        return problems
    problems = [problem for each in (encoder, analyzer) if each is not None and (problem := by_name_problem(each))]
    try:
        declared = encoder.configured(settings)
        former = encoder.for_space(declared.space, settings)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return [*problems, f"configured() or for_space() raises {describe_error(error)}"]
    if former is not None and former.space != declared.space:
        problems.append(f"for_space({declared.space!r}) answers with the encoder of {former.space!r}")
    needed = (*declared.requires, *(declared.photo_requires if declared.edge else ()))
    if missing := [name for name in needed if name not in model_dirs]:
        problems.append(f"it requires {', '.join(missing)}: give their directories as `model_dirs`")
    try:
        pickle.dumps(settings)
    except Exception as error:  # noqa: BLE001 - pickling runs the plugin's code
        problems.append(f"its settings cannot be sent to a process: {describe_error(error)}")
    return problems


def _plain_encoder_problems(encoder: EncoderClass, settings: Any) -> list[str]:
    registry = build_plugin_manager((_EncoderPlugin(encoder),), selection=set())
    registry.query_encoders(None, lambda _analyzer: settings)
    return [status.error for status in registry.statuses.values() if status.error]


class _Plugin:
    """A plugin with this one analyzer."""

    def __init__(self, analyzer: AnalyzerClass) -> None:
        self._analyzer = analyzer

    @hookimpl
    def imgd_analyzers(self) -> list[AnalyzerClass]:
        return [self._analyzer]


class _EncoderPlugin:
    """A plugin with this one encoder."""

    def __init__(self, encoder: EncoderClass) -> None:
        self._encoder = encoder

    @hookimpl
    def imgd_query_encoders(self) -> list[EncoderClass]:
        return [self._encoder]
