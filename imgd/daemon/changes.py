"""What a start changes about analyzers: which of them analyze the library again, and why."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping

from imgd.config import Settings
from imgd.daemon.roster import Roster
from imgd.domain import RunMode
from imgd.plugins import PluginRegistry
from imgd.store.analyzers import AnalyzerDeclaration, AnalyzerRow, read_analyzers
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStore

_WHEN = {RunMode.ALWAYS: "always", RunMode.IDLE: "on idle", RunMode.REQUEST: "on request", RunMode.OFF: "never"}


def describe_changes(before: Mapping[str, AnalyzerRow], declared: Iterable[AnalyzerDeclaration]) -> list[str]:
    """A sentence for each analyzer that is not as the library knows it. An empty library has nothing to tell."""
    told = []
    wanted = {each.name: each for each in declared}
    for name, declaration in wanted.items():
        row = before.get(name)
        asked = " once it is asked for" if declaration.run is RunMode.REQUEST else ""
        if row is None:
            if before:
                told.append(f"{name} is new: it analyzes all photos{asked}")
        elif row.version != declaration.version:
            versions = f"version {declaration.version} in place of {row.version}"
            told.append(f"{name} is analyzed again{asked}: {versions}; what it found before serves until then")
        elif row.digest != declaration.digest:
            told.append(f"{name} is analyzed again{asked}: other settings; what it found before serves until then")
        elif not row.active:
            told.append(f"{name} is back: it analyzes what came since{asked}")
        elif row.run is not declaration.run:
            told.append(f"{name} runs {_WHEN[declaration.run]} from now on; before that, {_WHEN[row.run]}")
    told += [
        f"{name} runs no more; what it found stays"
        for name, row in before.items()
        if row.active and name not in wanted
    ]
    return told


def changes_to_come(settings: Settings, registry: PluginRegistry) -> list[str]:
    """What the next start of the daemon with these settings changes; nothing where there is no library yet."""
    roster = Roster(registry, settings, ModelStore(settings.paths.models_dir, Catalogue(registry.models())))
    try:
        connection = sqlite3.connect(f"{settings.database.absolute().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(connection):
            before = {row.name: row for row in read_analyzers(connection)}
    except sqlite3.Error:  # there is none, or it is of another version: the start itself tells
        return []
    return describe_changes(before, roster.declarations())
