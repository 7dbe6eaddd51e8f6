"""imgd.toml -> frozen settings. Every problem of a file is reported at once, with its line."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import logging
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta

from imgd.errors import ConfigError, ConfigProblem
from imgd.keylines import join_key, key_lines

log = logging.getLogger(__name__)

Seconds = Annotated[float, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Unsigned = Annotated[int, Meta(ge=0)]


def runtime_dir() -> Path:
    """`$XDG_RUNTIME_DIR/imgd`, or a private directory below the cache where that is not set."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "imgd" if base else platformdirs.user_cache_path("imgd") / "run"


@dataclass(frozen=True, slots=True)
class PathSettings:
    """Where imgd keeps its own files. All are made with mode 0700."""

    state_dir: Path = field(default_factory=lambda: platformdirs.user_data_path("imgd"))
    cache_dir: Path = field(default_factory=lambda: platformdirs.user_cache_path("imgd"))
    models_dir: Path = field(default_factory=lambda: platformdirs.user_data_path("imgd") / "models")
    socket: Path = field(default_factory=lambda: runtime_dir() / "imgd.sock")


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What counts as a photo, and when."""

    settle_s: Seconds = 2.0
    ignore: tuple[str, ...] = ()
    hidden: bool = False
    follow_symlinks: bool = False
    rescan_interval_s: Seconds = 21600.0
    grace_days: Annotated[float, Meta(ge=0)] = 30.0


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """The bounds on one photo."""

    max_megapixels: Annotated[float, Meta(gt=0)] = 300.0
    max_frames: Positive = 10_000
    max_file_mb: Positive = 1024
    memory_mb: Annotated[int, Meta(ge=256)] = 3072
    cpu_s: Annotated[float, Meta(ge=1)] = 60.0
    timeout_s: Annotated[float, Meta(ge=1)] = 120.0


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How much of the machine analysis may take. `workers = 0` takes one a core."""

    workers: Unsigned = 0
    pixel_memory_mb: Annotated[int, Meta(ge=16)] = 256
    recycle_after: Positive = 1000
    commit_photos: Positive = 128
    commit_interval_s: Annotated[float, Meta(gt=0)] = 5.0
    nice: Annotated[int, Meta(ge=0, le=19)] = 5


_DeviceName = Meta(pattern=r"^(auto|cpu|cuda:\d+)$", description="`auto`, `cpu`, `cuda:0`, `cuda:1`, ...")


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """Where model analyzers run: `auto`, or `cpu`, `cuda:0`, ... `memory_mb`: what each of these devices gives; 0
    takes a share of what is free."""

    devices: Annotated[tuple[Annotated[str, _DeviceName], ...], Meta(min_length=1)] = ("auto",)
    memory_mb: Unsigned = 0
    batch_wait_s: Seconds = 0.25
    timeout_s: Annotated[float, Meta(ge=1)] = 300.0


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """When indexes are brought up to date."""

    idle_s: Seconds = 5.0
    max_staleness_s: Annotated[float, Meta(gt=0)] = 60.0


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How searches answer. `meaning`: the analyzers whose spaces answer words and `like:` alone, once they have
    looked at every photo; empty: all spaces answer."""

    limit: Positive = 20
    warm: bool = False
    meaning: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model store. `offline`: never fetch anything."""

    accept_licences: tuple[str, ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class AnalyzerSwitch:
    """The keys that every `[analyzers.NAME]` section has, beside the analyzer's own. `run`: as in RunMode."""

    run: Literal["always", "idle", "request", "off"] = "always"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of imgd.toml."""

    roots: tuple[Path, ...] = ()
    paths: PathSettings = field(default_factory=PathSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    lanes: LaneSettings = field(default_factory=LaneSettings)
    index: IndexSettings = field(default_factory=IndexSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    log: LogSettings = field(default_factory=LogSettings)
    analyzers: Mapping[str, Any] = field(default_factory=dict)
    """Analyzer name -> an instance of its `settings_type` (None where it has none)."""
    run_modes: Mapping[str, str] = field(default_factory=dict)
    """When each analyzer runs, by its name: the value of a RunMode. One that is not there runs always."""
    source: Path | None = None

    @property
    def database(self) -> Path:
        return self.paths.state_dir / "library.db"

    @property
    def previews(self) -> Path:
        return self.paths.cache_dir / "previews"


@dataclass(frozen=True, slots=True)
class KnownAnalyzers:
    """What sections `[analyzers.NAME]` there may be."""

    schemas: Mapping[str, type | None]
    """Every analyzer's `settings_type`, by analyzer name."""
    complete: bool = True
    """False where a plugin is absent or broken: sections of unknown name, which may be its, are passed over."""
    searchable: frozenset[str] = frozenset()
    """Those with a space that queries can be encoded into."""


AnalyzerSchemas = Callable[[Settings], KnownAnalyzers]
"""From the settings of imgd itself to the analyzers that there are."""


def default_config_path() -> Path:
    """`$IMGD_CONFIG`, or `imgd.toml` in the user's configuration directory."""
    named = os.environ.get("IMGD_CONFIG")
    return Path(named).expanduser() if named else platformdirs.user_config_path("imgd") / "imgd.toml"


def load(path: Path, schemas: AnalyzerSchemas | None = None) -> Settings:
    """Read and validate `path`; relative paths in it are relative to its directory.

    Without `schemas` the `[analyzers.*]` sections are not looked at.

    Raises:
        ConfigError: with every problem found, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            str(path), [ConfigProblem("imgd.toml", "there is no such file; `imgd init FOLDER` writes one")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [ConfigProblem("imgd.toml", f"cannot be read: {error}")]) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [ConfigProblem("imgd.toml", f"is not valid TOML: {error}")]) from error
    return _Validation(path, text, table).settings(schemas)


def settings_digest(settings: object, ignore: frozenset[str] = frozenset()) -> str:
    """A short digest of an analyzer's settings: findings made under another digest are stale."""
    values = {} if settings is None else dataclasses.asdict(settings)  # type: ignore[call-overload]
    kept = {key: str(value) for key, value in values.items() if key not in ignore}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


class _Validation:
    """One pass over one file: collects problems instead of stopping at the first."""

    def __init__(self, path: Path, text: str, table: dict[str, Any]) -> None:
        self.path = path
        self.base = path.absolute().parent
        self.table = table
        self.lines = key_lines(text)
        self.problems: list[ConfigProblem] = []

    def settings(self, schemas: AnalyzerSchemas | None) -> Settings:
        core = {key: value for key, value in self.table.items() if key != "analyzers"}
        not_in_the_file = frozenset({"analyzers", "run_modes", "source"})
        settings: Settings = self._section(Settings, core, "", skip=not_in_the_file)
        settings = dataclasses.replace(settings, source=self.path)
        self._check_roots(settings)
        if schemas is not None:
            settings = self._analyzers(settings, schemas(settings))
        if self.problems:
            raise ConfigError(str(self.path), self.problems)
        return settings

    def _analyzers(self, settings: Settings, known: KnownAnalyzers) -> Settings:
        schemas = known.schemas
        tables = self.table.get("analyzers", {})
        if not isinstance(tables, dict):
            self._add("analyzers", "expected tables such as [analyzers.technical]")
            return settings
        for name in sorted(tables.keys() - schemas.keys()):
            problem = f"no analyzer has this name{_did_you_mean(name, schemas)}"
            if known.complete:
                self._add(f"analyzers.{name}", problem)
            else:
                log.warning("%s: [analyzers.%s] is passed over: %s", self.path, name, problem)
        chosen: dict[str, Any] = {}
        modes: dict[str, str] = {}
        for name, schema in schemas.items():
            table = tables.get(name, {})
            key = f"analyzers.{name}"
            if not isinstance(table, dict):
                self._add(key, f"expected a table, got {_kind(table)}")
                continue
            modes[name] = self._run_mode(table, key)
            own = {field: value for field, value in table.items() if field not in ("run", "enabled")}
            if schema is None:
                for field_name in own:
                    self._add(f"{key}.{field_name}", f"unknown key{_did_you_mean(field_name, ['run'])}")
            chosen[name] = self._section(schema, own, key, extra=frozenset({"run"})) if schema else None
        search = dataclasses.replace(settings.search, meaning=self._meaning(settings.search.meaning, known))
        return dataclasses.replace(settings, search=search, analyzers=chosen, run_modes=modes)

    def _meaning(self, names: tuple[str, ...], known: KnownAnalyzers) -> tuple[str, ...]:
        """Those of `names` whose spaces can be searched; one that nobody brought may be an absent plugin's."""
        for name in names:
            if name in known.searchable:
                continue
            problem = (
                f"the analyzer `{name}` fills no space" if name in known.schemas else f"`{name}` is no analyzer"
            )
            problem += _did_you_mean(name, known.searchable)
            if known.complete or name in known.schemas:
                self._add("search.meaning", problem)
            else:
                log.warning("%s: search.meaning: %s is passed over: %s", self.path, name, problem)
        return tuple(dict.fromkeys(name for name in names if name in known.searchable))

    def _run_mode(self, table: Mapping[str, Any], key: str) -> str:
        if "enabled" in table:
            instead = 'leave it out, or write run = "always"' if table["enabled"] is True else 'write run = "off"'
            self._add(f"{key}.enabled", f"is not known any more; {instead}")
        switch: AnalyzerSwitch = self._section(AnalyzerSwitch, {k: v for k, v in table.items() if k == "run"}, key)
        return switch.run

    def _section(
        self,
        schema: type,
        table: Mapping[str, Any],
        prefix: str,
        *,
        skip: frozenset[str] = frozenset(),
        extra: frozenset[str] = frozenset(),
    ) -> Any:
        """An instance of the dataclass `schema` from `table`, with defaults for what is absent or wrong; None
        where it cannot be made, which is then a problem of the file."""
        hints = typing.get_type_hints(schema, include_extras=True)
        names = [each.name for each in dataclasses.fields(schema) if each.name not in skip]
        for key in table.keys() - set(names):
            self._add(join_key(prefix, key), f"unknown key{_did_you_mean(key, [*names, *extra])}")
        values: dict[str, Any] = {}
        for name in names:
            if name not in table:
                continue
            key, hint = join_key(prefix, name), hints[name]
            if dataclasses.is_dataclass(hint):
                if isinstance(table[name], dict):
                    section = self._section(typing.cast(type, hint), table[name], key)
                    if section is not None:
                        values[name] = section
                else:
                    self._add(key, f"expected a table [{key}], got {_kind(table[name])}")
                continue
            try:
                values[name] = msgspec.convert(table[name], hint, dec_hook=self._convert_path)
            except msgspec.ValidationError as error:
                self._add(key, _explain(error, hint))
            except TypeError as error:
                # msgspec knows no such type; only a plugin's schema can have one.
                self._add(key, f"cannot be set: {error}")
        try:
            return schema(**values)
        except Exception as error:  # noqa: BLE001 - a plugin's own check may raise anything
            self._add(prefix or "imgd.toml", str(error) or type(error).__name__)
            return None

    def _convert_path(self, kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str):
            return Path(os.path.normpath(self.base / Path(value).expanduser()))
        raise msgspec.ValidationError(f"Expected a path in quotes, got {_kind(value)}")

    def _check_roots(self, settings: Settings) -> None:
        for index, root in enumerate(settings.roots):
            for other in settings.roots[:index]:
                if root == other or other in root.parents or root in other.parents:
                    self._add("roots", f"{root} and {other} overlap; keep the outer one")

    def _add(self, key: str, problem: str) -> None:
        self.problems.append(ConfigProblem(key, problem, self.lines.get(key)))


def _kind(value: object) -> str:
    names = {
        dict: "a table",
        list: "an array",
        str: "a string",
        bool: "true or false",
        int: "an integer",
        float: "a number",
    }
    return names.get(type(value), type(value).__name__)


def _did_you_mean(word: str, known: typing.Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; allowed are {', '.join(f'`{name}`' for name in known)}" if known else ""


def _explain(error: msgspec.ValidationError, hint: Any) -> str:
    """msgspec's own words, with the allowed values where there is a fixed set of them."""
    text = str(error)
    text = text[0].lower() + text[1:]
    while isinstance(hint, types.GenericAlias) or typing.get_origin(hint) is Annotated:
        hint, *details = typing.get_args(hint)
        for each in details:
            if "matching regex" in text and isinstance(each, Meta) and each.description:
                return f"allowed are {each.description}"
    if typing.get_origin(hint) is Literal:
        allowed = [str(value) for value in typing.get_args(hint)]
        wrong = re.search(r"'([^']*)'", text)
        near = difflib.get_close_matches(wrong.group(1), allowed, n=1) if wrong else []
        guess = f"; did you mean `{near[0]}`?" if near else ""
        return f"{text}; allowed are {', '.join(f'`{value}`' for value in allowed)}{guess}"
    return text
