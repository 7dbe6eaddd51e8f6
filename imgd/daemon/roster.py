"""Which analyzers and encoders there are, and which of them can run now."""

from __future__ import annotations

import enum
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgd.config import Settings, settings_digest
from imgd.domain import RunMode
from imgd.errors import AnalyzerUnknownError, ModelError, RequestError
from imgd.pipeline.messages import AnalyzerSpec
from imgd.pipeline.plan import ActiveAnalyzer, make_spec
from imgd.plugins import AnalyzerClass, PluginRegistry
from imgd.store.analyzers import AnalyzerDeclaration, AnalyzerRow
from imgd.weights.store import ModelStore


class AnalyzerState(enum.StrEnum):
    """Whether an analyzer can run."""

    READY = "ready"
    WAITING = "waiting for model"
    MISSING = "waiting for package"
    BROKEN = "broken"
    OFF = "off"


@dataclass(slots=True)
class Standing:
    """One analyzer, its state, when it runs, and what a person can do about it."""

    declaration: AnalyzerClass
    plugin: str
    state: AnalyzerState
    run: RunMode = RunMode.ALWAYS
    advice: str = ""
    model_dirs: dict[str, Path] = field(default_factory=dict)


class Roster:
    """Analyzers and query encoders of all plugins, held against the settings and the model store."""

    def __init__(self, registry: PluginRegistry, settings: Settings, models: ModelStore) -> None:
        self._registry = registry
        self._settings = settings
        self._models = models
        self._broken: dict[str, str] = {}
        self._schemas = registry.analyzers(settings)
        self._former: frozenset[str] = frozenset()
        self.declared = registry.configured(self._schemas, self.settings_of)
        self.encoders = registry.query_encoders(settings, self.settings_of)
        self._run_modes = _run_modes(self.declared, settings.run_modes)
        self.standings: dict[str, Standing] = {}
        self.look_again()

    def look_again(self) -> None:
        """Look at the model store anew."""
        self.standings = {name: self._stand(name, each) for name, each in self.declared.items()}

    def keep_serving(self, spaces: Iterable[str]) -> None:
        """Find encoders for those `spaces` of the library that earlier settings filled, too."""
        left = [space for space in spaces if space not in self.encoders]
        former = self._registry.former_encoders(self._settings, self.settings_of, left)
        self._former |= former.keys()
        self.encoders.update(former)

    def find(self, name: str) -> Standing:
        """The analyzer that a person asks for by its name.

        Raises:
            AnalyzerUnknownError: no analyzer has the name.
            RequestError: it is switched off.
        """
        standing = self.standings.get(name)
        if standing is None:
            known = ", ".join(sorted(self.standings))
            raise AnalyzerUnknownError(f"no analyzer is called {name}", hint=f"There are {known}.")
        if standing.state is AnalyzerState.OFF:
            hint = f'Set `run` in [analyzers.{name}] to "request", or another mode.'
            raise RequestError(f"{name} is switched off", hint=hint)
        return standing

    def mark_broken(self, name: str, reason: str) -> None:
        self._broken[name] = reason
        self.look_again()

    def forgive(self) -> None:
        """Give broken analyzers another chance."""
        self._broken.clear()
        self.look_again()

    def declarations(self) -> list[AnalyzerDeclaration]:
        """Every analyzer that is not switched off, ready or not: photos owe it a finding."""
        return [
            AnalyzerDeclaration(
                name,
                each.declaration.version,
                settings_digest(self.settings_of(name), each.declaration.code_settings),
                each.run,
                each.declaration.after,
            )
            for name, each in self.standings.items()
            if each.state is not AnalyzerState.OFF
        ]

    def active(self, rows: Mapping[str, AnalyzerRow]) -> list[ActiveAnalyzer]:
        """The analyzers that can run, as the store's `rows` (by name) know them."""
        return [
            ActiveAnalyzer(rows[name].id, each.declaration, self._spec(each), each.run)
            for name, each in self.standings.items()
            if each.state is AnalyzerState.READY and name in rows
        ]

    def sidecar_readers(self, rows: Mapping[str, AnalyzerRow]) -> list[int]:
        """Ids of the analyzers whose findings a sidecar makes stale, and owed again."""
        return [
            rows[name].id
            for name, each in self.declared.items()
            if each.reads_sidecars and name in rows and self._run_modes[name] is not RunMode.REQUEST
        ]

    def encoder_specs(self) -> tuple[dict[str, AnalyzerSpec], dict[str, str], dict[str, str]]:
        """How to make the encoder of each space whose models are there, what to do about the others' models, and
        about those that an encoder lacks for photos only."""
        specs: dict[str, AnalyzerSpec] = {}
        missing: dict[str, str] = {}
        missing_for_photos: dict[str, str] = {}
        for space, encoder in self.encoders.items():
            if advice := missing_packages(encoder.packages):
                missing[space] = advice
                continue
            model_dirs, advice = self._find_models(encoder.requires)
            if advice:
                missing[space] = advice
                continue
            photo_dirs, advice = self._find_models(encoder.photo_requires)
            if advice:
                missing_for_photos[space] = advice
            else:
                model_dirs |= photo_dirs
            settings = self.settings_of(encoder.analyzer)
            specs[space] = AnalyzerSpec(
                space,
                encoder.__module__,
                encoder.__qualname__,
                settings,
                model_dirs,
                former=space in self._former,
            )
        return specs, missing, missing_for_photos

    def _stand(self, name: str, declaration: AnalyzerClass) -> Standing:
        plugin = self._registry.owners.get(name, "")
        run = self._run_modes[name]
        if run is RunMode.OFF:
            advice = f'remove `run = "off"` from [analyzers.{name}] to switch it on'
            return Standing(declaration, plugin, AnalyzerState.OFF, run, advice)
        if name in self._broken:
            advice = _with_check(self._broken[name], declaration.requires)
            return Standing(declaration, plugin, AnalyzerState.BROKEN, run, advice)
        if advice := missing_packages(declaration.packages):
            return Standing(declaration, plugin, AnalyzerState.MISSING, run, advice)
        model_dirs, advice = self._find_models(declaration.requires)
        state = AnalyzerState.WAITING if advice else AnalyzerState.READY
        return Standing(declaration, plugin, state, run, advice, model_dirs)

    def _find_models(self, names: Iterable[str]) -> tuple[dict[str, Path], str]:
        """The directories of models, and what to do about those that are not there."""
        found: dict[str, Path] = {}
        missing = []
        for name in names:
            try:
                found[name] = self._models.directory(name)
            except ModelError:
                missing.append(name)
        return found, self._models.how_to_get(missing)

    def _spec(self, standing: Standing) -> AnalyzerSpec:
        declaration = standing.declaration
        cache_dir = (
            self._settings.paths.cache_dir / f"{declaration.name}s" if declaration.wants_cache_dir else None
        )
        return make_spec(declaration, self.settings_of(declaration.name), standing.model_dirs, cache_dir)

    def settings_of(self, name: str) -> Any:
        """The settings of analyzer `name`: its defaults where imgd.toml was read without its schema."""
        settings = self._settings.analyzers.get(name)
        declaration = self._schemas.get(name)
        if settings is None and declaration is not None and declaration.settings_type is not None:
            return declaration.settings_type()
        return settings


def _with_check(reason: str, models: Sequence[str]) -> str:
    """Why an analyzer does not work, with what tells whether the files of its models are to blame."""
    if not models or "imgctl models verify" in reason:
        return reason
    return f"{reason.rstrip('.')}; `imgctl models verify {' '.join(models)}` checks the files of its models"


def missing_packages(packages: Mapping[str, str]) -> str:
    """What to do about those `packages` (module -> requirement) that cannot be found, or ""."""
    missing = {wanted for module, wanted in packages.items() if not _is_there(module)}
    return " and ".join(f"run `imgctl plugins install '{wanted}'`" for wanted in sorted(missing))


def _is_there(module: str) -> bool:
    """Whether `module` can be found. To find `a.b`, Python imports `a`, which may be absent or broken."""
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:  # noqa: BLE001 - importing a package runs its code: one that fails there is not there
        return False


def _run_modes(declared: Mapping[str, AnalyzerClass], wanted: Mapping[str, str]) -> dict[str, RunMode]:
    """When each analyzer runs: as imgd.toml says, but one that would run always, and reads what one finds that
    waits for imgd to be idle, waits with it. Nobody waits for what runs on request.

    Its findings would be owed anew anyhow (imgd.store.readers), once the other one has found something. Those that
    wait together look at each photo in one pass, and once.
    """
    modes = {name: RunMode(wanted.get(name, RunMode.ALWAYS)) for name in declared}
    for _ in modes:  # one waits for another, which may wait for a third
        for name, each in declared.items():
            if modes[name] is RunMode.ALWAYS and any(modes.get(other) is RunMode.IDLE for other in each.after):
                modes[name] = RunMode.IDLE
    return modes
