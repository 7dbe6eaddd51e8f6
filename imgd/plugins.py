"""Finding plugins. A plugin that breaks becomes a status that people can see, never a crash."""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import pluggy

from imgd.analyzer import Analyzer, ImageFormat, QueryEncoder
from imgd.domain import Device, Needs
from imgd.hookspecs import PROJECT, HookSpecs
from imgd.model import Model

AnalyzerClass: TypeAlias = type[Analyzer[Any]]
EncoderClass: TypeAlias = type[QueryEncoder[Any]]

_ANALYZER_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin as it was found: `error` says what is wrong with it, or is empty."""

    name: str
    distribution: str
    version: str
    error: str = ""


@dataclass(slots=True)
class PluginRegistry:
    """All that the plugins brought, and what became of each."""

    manager: pluggy.PluginManager
    statuses: dict[str, PluginStatus] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Which plugin brought an analyzer, by the analyzer's name."""

    def analyzers(self, settings: object) -> dict[str, AnalyzerClass]:
        """Analyzer classes by name, in the order of their plugins; invalid ones become a status."""
        found: dict[str, AnalyzerClass] = {}
        for plugin, analyzer in self._collect("imgd_analyzers", settings=settings):
            problem = _analyzer_problem(analyzer)
            if not problem and analyzer.name in found:
                problem = f"analyzer {analyzer.name!r} is already brought by another plugin"
            if problem:
                self._blame(plugin, problem)
            else:
                found[analyzer.name] = analyzer
                self.owners[analyzer.name] = plugin
        return found

    def query_encoders(self, settings: object) -> dict[str, EncoderClass]:
        """Query encoder classes by the space they serve; the first plugin to name a space has it."""
        found: dict[str, EncoderClass] = {}
        for _plugin, encoder in self._collect("imgd_query_encoders", settings=settings):
            found.setdefault(encoder.space, encoder)
        return found

    def formats(self) -> list[type[ImageFormat]]:
        return [image_format for _plugin, image_format in self._collect("imgd_decoders")]

    def models(self) -> dict[str, Model]:
        return {model.name: model for _plugin, model in self._collect("imgd_models")}

    def commands(self) -> list[Any]:
        return [command for _plugin, command in self._collect("imgd_commands")]

    def photo_analyzed(self, photo_id: int, path: str, analyzer: str) -> None:
        for impl in self.manager.hook.imgd_photo_analyzed.get_hookimpls():
            _, error = _guarded(partial(_call, impl, photo_id=photo_id, path=path, analyzer=analyzer))
            if error:
                self._blame(impl.plugin_name, error)

    def has_listeners(self) -> bool:
        """Whether any plugin wants to be told of analyzed photos."""
        return bool(self.manager.hook.imgd_photo_analyzed.get_hookimpls())

    def _collect(self, hook: str, **arguments: object) -> Iterable[tuple[str, Any]]:
        """Each plugin's answers, one plugin at a time, so that one that raises costs only its own."""
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            answers, error = _guarded(partial(_answers, impl, **arguments))
            if error:
                self._blame(impl.plugin_name, error)
            for answer in answers or ():
                yield impl.plugin_name, answer

    def _blame(self, plugin: str, error: str) -> None:
        old = self.statuses.get(plugin) or PluginStatus(plugin, plugin, "")
        self.statuses[plugin] = PluginStatus(old.name, old.distribution, old.version, error)


def build_plugin_manager(defaults: Sequence[object], *, selection: str | None = None) -> PluginRegistry:
    """The built-in plugins `defaults`, then every installed one of the entry-point group `imgd`.

    `selection` (IMGD_PLUGINS): None for all, else a comma-separated list of entry-point names; "" for none.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    registry = PluginRegistry(manager)
    for default in defaults:
        name = getattr(default, "__name__", type(default).__name__)
        manager.register(default, name=name)
        registry.statuses[name] = PluginStatus(name, "imgd", importlib.metadata.version("imgd"))
    wanted = None if selection is None else {part.strip() for part in selection.split(",") if part.strip()}
    for entry_point in sorted(importlib.metadata.entry_points(group=PROJECT), key=lambda found: found.name):
        if wanted is not None and entry_point.name not in wanted:
            continue
        distribution = entry_point.dist.name if entry_point.dist else entry_point.name
        version = entry_point.dist.version if entry_point.dist else ""
        _, error = _guarded(partial(_register, manager, entry_point))
        registry.statuses[entry_point.name] = PluginStatus(entry_point.name, distribution, version, error)
    return registry


def plugin_selection(environment: Mapping[str, str] = os.environ) -> str | None:
    """What `IMGD_PLUGINS` says of which installed plugins to use; None where it is not set."""
    return environment.get("IMGD_PLUGINS")


def _call(impl: pluggy.HookImpl, **arguments: object) -> Any:
    return impl.function(*(arguments[name] for name in impl.argnames))


def _answers(impl: pluggy.HookImpl, **arguments: object) -> list[Any]:
    return list(_call(impl, **arguments) or ())


def _register(manager: pluggy.PluginManager, entry_point: importlib.metadata.EntryPoint) -> None:
    manager.register(entry_point.load(), name=entry_point.name)


def _guarded(call: Callable[[], _T]) -> tuple[_T | None, str]:
    try:
        return call(), ""
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything: this boundary records it
        return None, f"{type(error).__name__}: {error}"


def _analyzer_problem(analyzer: object) -> str:
    """Why `analyzer` is no valid declaration, or ""."""
    if not (isinstance(analyzer, type) and issubclass(analyzer, Analyzer)):
        return f"imgd_analyzers returned {analyzer!r}, not a subclass of imgd.Analyzer"
    name = getattr(analyzer, "name", None)
    checks = (
        (isinstance(name, str) and _ANALYZER_NAME.match(name), "needs a `name` of a-z, 0-9, - and _"),
        (isinstance(getattr(analyzer, "version", None), str), "needs a `version` string"),
        (isinstance(analyzer.needs, Needs) and analyzer.needs.edge >= 0, "`needs` must be Needs(edge >= 0)"),
        (isinstance(analyzer.device, Device), "`device` must be Device.CPU or Device.MODEL"),
        (isinstance(analyzer.batch_size, int) and analyzer.batch_size >= 1, "`batch_size` must be 1 or more"),
        (
            all(kind in (float, int, str, bool) for kind in analyzer.facts.values()),
            "`facts` must map keys to float, int, str or bool",
        ),
        (
            analyzer.device is Device.CPU or analyzer.needs.edge > 0,
            "an analyzer in a lane must declare Needs(edge > 0)",
        ),
    )
    return "; ".join(f"analyzer {name or analyzer.__qualname__}: {text}" for passed, text in checks if not passed)
