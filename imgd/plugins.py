"""Finding plugins. A plugin that breaks becomes a status that people can see, never a crash."""

from __future__ import annotations

import dataclasses
import difflib
import graphlib
import importlib.metadata
import math
import os
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import pluggy

from imgd.analyzer import Analyzer, ImageFormat, QueryEncoder
from imgd.domain import Device, Needs
from imgd.facts import facts_problem
from imgd.hookspecs import PROJECT, HookSpecs
from imgd.model import Model, ModelFile
from imgd.patience import PATIENCE_S, TooSlowError, patience

AnalyzerClass: TypeAlias = type[Analyzer[Any]]
EncoderClass: TypeAlias = type[QueryEncoder[Any]]

_ANALYZER_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin as it was found: `error` says what is wrong with it, or is empty. Without a `distribution` it is
    wanted, and not there."""

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
    left_out: tuple[str, ...] = ()
    """Installed plugins that IMGD_PLUGINS does not want."""

    @property
    def is_complete(self) -> bool:
        """Whether every installed plugin serves, so that a name that nobody brought is a mistake."""
        return not self.left_out and not any(status.error for status in self.statuses.values())

    def analyzers(self, settings: object) -> dict[str, AnalyzerClass]:
        """Analyzer classes by name, in the order of their plugins; invalid ones become a status."""
        found: dict[str, AnalyzerClass] = {}
        for plugin, analyzer in self._valid("imgd_analyzers", _analyzer_problem, settings=settings):
            if analyzer.name in found:
                self._blame(plugin, f"analyzer {analyzer.name!r} is already brought by another plugin")
            else:
                found[analyzer.name] = analyzer
                self.owners[analyzer.name] = plugin
        for cycle in _cycles(found):
            circle = " after ".join(cycle)
            for name in set(cycle):
                self._blame(self.owners.pop(name), f"analyzers wait for each other by `after`: {circle}")
                del found[name]
        return found

    def configured(
        self, analyzers: Mapping[str, AnalyzerClass], settings_of: Callable[[str], Any]
    ) -> dict[str, AnalyzerClass]:
        """`analyzers`, as `analyzers()` returned them, each as its settings make it: `settings_of` gives these by
        the analyzer's name. One that they make invalid becomes a status."""
        found: dict[str, AnalyzerClass] = {}
        for name, analyzer in analyzers.items():
            made = self._configured(self.owners[name], analyzer, settings_of(name), _analyzer_problem)
            if made is not None and made.name == name:
                found[name] = made
        return found

    def query_encoders(
        self, settings: object, settings_of: Callable[[str], Any] = lambda _analyzer: None
    ) -> dict[str, EncoderClass]:
        """Query encoder classes by the space they serve; the first plugin to name a space has it.

        `settings_of` gives the settings of an analyzer by its name: those that an encoder is configured with.
        """
        found: dict[str, EncoderClass] = {}
        for plugin, encoder in self._valid("imgd_query_encoders", _encoder_class_problem, settings=settings):
            made = self._configured(plugin, encoder, settings_of(encoder.analyzer), _encoder_problem)
            if made is not None:
                found.setdefault(made.space, made)
        return found

    def query_encoder_classes(self, settings: object) -> list[EncoderClass]:
        """Query encoder classes as the plugins bring them, before any settings have had a say."""
        return [each for _, each in self._valid("imgd_query_encoders", _encoder_class_problem, settings=settings)]

    def former_encoders(
        self, settings: object, settings_of: Callable[[str], Any], spaces: Iterable[str]
    ) -> dict[str, EncoderClass]:
        """Encoders of `spaces` that earlier settings filled, by space; those that no plugin knows are left out."""
        classes = list(self._valid("imgd_query_encoders", _encoder_class_problem, settings=settings))
        found: dict[str, EncoderClass] = {}
        for space in spaces:
            for plugin, encoder in classes:
                made, error = _guarded(partial(encoder.for_space, space, settings_of(encoder.analyzer)))
                problem = error or (_encoder_problem(made) if made is not None else "")
                if problem:
                    self._blame(plugin, f"{_title(encoder)}.for_space({space!r}): {problem}")
                elif made is not None and made.space == space:
                    found.setdefault(space, made)
        return found

    def formats(self) -> list[type[ImageFormat]]:
        """Format classes of which an instance can be made, in the order of their plugins."""
        return [image_format for _plugin, image_format in self._valid("imgd_decoders", _format_problem)]

    def models(self) -> dict[str, Model]:
        """Catalogue entries by name."""
        return {model.name: model for _plugin, model in self._valid("imgd_models", _model_problem)}

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

    def _configured(
        self, plugin: str, declaration: Any, settings: Any, problem_of: Callable[[Any], str]
    ) -> Any | None:
        """`declaration` as `settings` make it, or None where that raises or is not valid."""
        made, error = _guarded(partial(declaration.configured, settings))
        problem, raised = ("", "") if error else _guarded(partial(problem_of, made))
        if error or raised or problem:
            self._blame(plugin, error or raised or str(problem))
            return None
        return made

    def _valid(
        self, hook: str, problem_of: Callable[[Any], str], **arguments: object
    ) -> Iterator[tuple[str, Any]]:
        """Each plugin's answers without those that `problem_of` objects to: they become a status."""
        for plugin, answer in self._collect(hook, **arguments):
            # A declaration may be wrong in ways that make the very look at it raise.
            problem, error = _guarded(partial(problem_of, answer))
            if error:
                self._blame(plugin, f"{hook} returned {_title(answer)}: {error}")
            elif problem:
                self._blame(plugin, problem)
            else:
                yield plugin, answer

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
        # The first that is wrong explains what follows from it.
        self.statuses[plugin] = PluginStatus(old.name, old.distribution, old.version, old.error or error)


def build_plugin_manager(defaults: Sequence[object], *, selection: set[str] | None = None) -> PluginRegistry:
    """The built-in plugins `defaults`, then every installed one of the entry-point group `imgd`.

    `selection`: the names of the entry points to use; None for all.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    registry = PluginRegistry(manager)
    for default in defaults:
        # People know a built-in plugin by its package, not by the module that has the hooks.
        name = getattr(default, "__name__", type(default).__name__).partition(".")[0]
        manager.register(default, name=name)
        registry.statuses[name] = PluginStatus(name, "imgd", importlib.metadata.version("imgd"))
    entry_points = sorted(importlib.metadata.entry_points(group=PROJECT), key=lambda found: found.name)
    there = [entry_point.name for entry_point in entry_points]
    for name in sorted((selection or set()).difference(there, registry.statuses)):
        registry.statuses[name] = PluginStatus(name, "", "", f"IMGD_PLUGINS names it, {_lack(name, there)}")
    for entry_point in entry_points:
        if selection is not None and entry_point.name not in selection:
            registry.left_out += (entry_point.name,)
            continue
        distribution = entry_point.dist.name if entry_point.dist else entry_point.name
        version = entry_point.dist.version if entry_point.dist else ""
        _, error = _guarded(partial(_register, manager, entry_point))
        registry.statuses[entry_point.name] = PluginStatus(entry_point.name, distribution, version, error)
    return registry


def plugin_selection(environment: Mapping[str, str] = os.environ) -> set[str] | None:
    """Which installed plugins to use, as `IMGD_PLUGINS` has it, with commas between; None where it is not set."""
    named = environment.get("IMGD_PLUGINS")
    return None if named is None else set(filter(None, map(str.strip, named.split(","))))


def _lack(name: str, there: Sequence[str]) -> str:
    """That no plugin of `there` is called `name`, and which one may be meant."""
    near = difflib.get_close_matches(name.removeprefix(f"{PROJECT}-"), there, n=1)
    return f"and no plugin of that name is installed{f'; did you mean `{near[0]}`?' if near else ''}"


def _call(impl: pluggy.HookImpl, **arguments: object) -> Any:
    return impl.function(*(arguments[name] for name in impl.argnames))


def _answers(impl: pluggy.HookImpl, **arguments: object) -> list[Any]:
    return list(_call(impl, **arguments) or ())


def _register(manager: pluggy.PluginManager, entry_point: importlib.metadata.EntryPoint) -> None:
    manager.register(entry_point.load(), name=entry_point.name)


def _guarded(call: Callable[[], _T]) -> tuple[_T | None, str]:
    try:
        with patience(PATIENCE_S):
            return call(), ""
    except TooSlowError as error:
        return None, f"it is left out: {error}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything: this boundary records it
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
        (_is_memory(analyzer.memory_mb), "`memory_mb` must be a number of 0 or more"),
        (_is_memory(analyzer.photo_mb), "`photo_mb` must be a number of 0 or more"),
        (_is_names(analyzer.after), "`after` must be a tuple of names"),
        (_is_names(analyzer.requires), "`requires` must be a tuple of names"),
        (_is_packages(analyzer.packages), "`packages` must map modules to what is installed for them"),
        (
            analyzer.device is Device.CPU or analyzer.needs.edge > 0 or bool(analyzer.after),
            "an analyzer in a lane must declare Needs(edge > 0), or `after` whose findings it works on",
        ),
    )
    problems = [text for passed, text in checks if not passed]
    problems += filter(None, [facts_problem(analyzer.facts), _settings_problem(analyzer.settings_type)])
    return "; ".join(f"analyzer {name or analyzer.__qualname__}: {text}" for text in problems)


def _settings_problem(schema: Any) -> str:
    """Why `schema` cannot be the schema of a section, or ""."""
    if schema is None:
        return ""
    if not (isinstance(schema, type) and dataclasses.is_dataclass(schema)):
        return "`settings_type` must be a dataclass"
    _, error = _guarded(lambda: (typing.get_type_hints(schema, include_extras=True), schema()))
    if error:
        return f"`settings_type` must be a dataclass with a default for every field ({error})"
    if any(each.name in ("run", "enabled") for each in dataclasses.fields(schema)):
        return "`settings_type` must have no field `run` or `enabled`: these are imgd's"
    return ""


def _encoder_class_problem(encoder: object) -> str:
    """Why `encoder` cannot be asked for its declaration, or ""; settings may have a say in the rest of it."""
    if not (isinstance(encoder, type) and issubclass(encoder, QueryEncoder)):
        return f"imgd_query_encoders returned {encoder!r}, not a subclass of imgd.QueryEncoder"
    if not isinstance(encoder.analyzer, str):
        return f"query encoder {encoder.__qualname__}: `analyzer` must be a name"
    return ""


def _encoder_problem(encoder: object) -> str:
    """Why `encoder` is no valid declaration, or ""."""
    if not (isinstance(encoder, type) and issubclass(encoder, QueryEncoder)):
        return f"its declaration is {encoder!r}, not a subclass of imgd.QueryEncoder"
    dimensions = getattr(encoder, "dimensions", None)
    checks = (
        (_is_name(getattr(encoder, "space", None)), "needs the `space` that it serves"),
        (isinstance(dimensions, int) and dimensions >= 1, "`dimensions` must be 1 or more"),
        (_is_names(encoder.requires), "`requires` must be a tuple of names"),
        (_is_packages(encoder.packages), "`packages` must map modules to what is installed for them"),
        (_is_names(encoder.photo_requires), "`photo_requires` must be a tuple of names"),
        (isinstance(encoder.edge, int) and encoder.edge >= 0, "`edge` must be 0 or more"),
        (
            encoder.edge == 0 or encoder.encode_photos is not QueryEncoder.encode_photos,
            "with an `edge` it must have `encode_photos`",
        ),
        (
            not encoder.words or encoder.encode_texts is not QueryEncoder.encode_texts,
            "it must have `encode_texts`, or `words = False`",
        ),
        (bool(encoder.words or encoder.edge), "without `words` it needs an `edge`: it would encode nothing"),
        (
            not encoder.of_texts or (encoder.words and not encoder.edge),
            "one `of_texts` encodes words, and no photos",
        ),
        (
            all(isinstance(text, str) for text in encoder.background_texts),
            "`background_texts` must be a sequence of str",
        ),
    )
    return "; ".join(f"query encoder {encoder.__qualname__}: {text}" for passed, text in checks if not passed)


def _format_problem(image_format: object) -> str:
    """Why `image_format` is no valid declaration, or ""; makes an instance to see that one can be made."""
    if not (isinstance(image_format, type) and issubclass(image_format, ImageFormat)):
        return f"imgd_decoders returned {image_format!r}, not a subclass of imgd.ImageFormat"
    extensions = getattr(image_format, "extensions", None)
    checks = (
        (_is_name(getattr(image_format, "name", None)), "needs a `name`"),
        (
            _is_names(extensions)
            and all(each == each.lower() and each.startswith(".") for each in extensions or ()),
            "needs `extensions`, a tuple of lower-case endings with the dot",
        ),
        ("<locals>" not in image_format.__qualname__, "stands inside a function, where no worker can import it"),
    )
    problems = [text for passed, text in checks if not passed]
    _, error = _guarded(image_format)
    if error:
        problems.append(f"cannot be made ({error})")
    return "; ".join(f"image format {image_format.__qualname__}: {text}" for text in problems)


def _model_problem(model: object) -> str:
    """Why `model` is no valid catalogue entry, or ""."""
    if not isinstance(model, Model):
        return f"imgd_models returned {model!r}, not an imgd.Model"
    checks = (
        (_is_name(model.name), "needs a `name`"),
        (
            isinstance(model.files, tuple) and all(isinstance(file, ModelFile) for file in model.files),
            "`files` must be a tuple of imgd.ModelFile",
        ),
    )
    return "; ".join(f"model {model.name!r}: {text}" for passed, text in checks if not passed)


def _cycles(analyzers: Mapping[str, AnalyzerClass]) -> Iterator[list[str]]:
    """Circles of analyzers that are each `after` the next; the last name of each is its first again."""
    left = dict(analyzers)
    while True:
        graph = {name: [other for other in each.after if other in left] for name, each in left.items()}
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            cycle: list[str] = error.args[1][::-1]
        else:
            return
        for name in set(cycle):
            del left[name]
        yield cycle


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_names(value: object) -> bool:
    """A lone string is not: each of its letters would count as a name."""
    return isinstance(value, (tuple, list)) and all(_is_name(each) for each in value)


def _is_packages(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_name(each) for pair in value.items() for each in pair)


def _is_memory(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _title(answer: object) -> str:
    return getattr(answer, "__qualname__", type(answer).__qualname__)
