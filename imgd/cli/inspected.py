"""What a plugin brings, looked at in a fresh process: it may have been installed a moment ago, and may crash.

python -m imgd.cli.inspected DISTRIBUTION MODELS_DIR prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imgd.errors import PluginBrokenError

if TYPE_CHECKING:
    from imgd.plugins import AnalyzerClass

_TIMEOUT_S = 120.0


class Inspected(msgspec.Struct, frozen=True):
    """`entries`: names of its entry points; none: it is no plugin. `error`: why it does not serve, or "".

    `missing`: models that its analyzers and encoders require with default settings, and that are not there.
    """

    distribution: str
    version: str
    entries: list[str] = []
    error: str = ""
    analyzers: list[str] = []
    models: list[str] = []
    missing: list[str] = []


def inspect_plugin(distribution: str, models_dir: Path) -> Inspected:
    """Look at the installed `distribution`.

    Raises:
        PluginBrokenError: the process that looked at it crashed, or took too long.
    """
    command = [sys.executable, "-P", "-m", "imgd.cli.inspected", distribution, str(models_dir)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise PluginBrokenError(
            f"{distribution}: loading it takes too long", hint=_removed(distribution)
        ) from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise PluginBrokenError(
            f"{distribution}: loading it ends the process: {said}", hint=_removed(distribution)
        )
    return msgspec.json.decode(lines[-1], type=Inspected)


def _removed(distribution: str) -> str:
    return f"`imgctl plugins uninstall {distribution}` removes it."


def default_settings(analyzers: Mapping[str, AnalyzerClass]) -> dict[str, Any]:
    """What each analyzer is given where imgd.toml says nothing of it."""
    return {name: each.settings_type() if each.settings_type else None for name, each in analyzers.items()}


def look(distribution: str, models_dir: Path) -> Inspected:
    """Load the plugin here, and say what it brings."""
    import importlib.metadata

    from imgd.config import Settings
    from imgd.daemon.start import DEFAULT_PLUGINS
    from imgd.errors import ModelError
    from imgd.hookspecs import PROJECT
    from imgd.plugins import build_plugin_manager
    from imgd.weights.catalogue import Catalogue
    from imgd.weights.store import ModelStore

    found = importlib.metadata.distribution(distribution)
    entries = [each.name for each in found.entry_points if each.group == PROJECT]
    registry = build_plugin_manager(DEFAULT_PLUGINS, selection=set(entries))
    settings = Settings()
    declared = registry.analyzers(settings)
    defaults = default_settings(declared)
    analyzers = {
        name: each
        for name, each in registry.configured(declared, defaults.get).items()
        if registry.owners.get(name) in entries
    }
    encoders = registry.query_encoders(settings, defaults.get)
    registry.formats()
    models = registry.models()
    store = ModelStore(models_dir, Catalogue(models))
    required = [name for each in analyzers.values() for name in each.requires]
    required += [name for each in encoders.values() for name in (*each.requires, *each.photo_requires)]
    missing = []
    for name in dict.fromkeys(required):
        try:
            store.directory(name)
        except ModelError:
            missing.append(name)
    errors = [each.error for name, each in registry.statuses.items() if name in entries and each.error]
    return Inspected(found.name, found.version, entries, "; ".join(errors), list(analyzers), list(models), missing)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(msgspec.to_builtins(look(sys.argv[1], Path(sys.argv[2])))) + "\n")
