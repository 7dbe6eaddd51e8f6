"""The analyzers the library knows, and which of their findings are stale."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from imgd.domain import Priority, RunMode
from imgd.store.readers import declare_reads
from imgd.store.spaces import unsettle_choices_of
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "analyzers")


@dataclass(frozen=True, slots=True)
class AnalyzerRow:
    """One analyzer as stored. `generation` counts its changes of version or settings. `run`: of one that is not
    active, when it ran last."""

    id: int
    name: str
    version: str
    digest: str
    generation: int
    active: bool
    run: RunMode = RunMode.ALWAYS


@dataclass(frozen=True, slots=True)
class AnalyzerDeclaration:
    """What is installed and not switched off now. `digest`: of the settings that change findings. `after`: whose
    findings it reads."""

    name: str
    version: str
    digest: str
    run: RunMode = RunMode.ALWAYS
    after: tuple[str, ...] = ()


def read_analyzers(connection: sqlite3.Connection) -> list[AnalyzerRow]:
    return [
        AnalyzerRow(id_, name, version, digest, generation, bool(active), RunMode(run))
        for id_, name, version, digest, generation, active, run in connection.execute(_SQL["all"])
    ]


def synchronise(connection: sqlite3.Connection, declared: Iterable[AnalyzerDeclaration]) -> dict[str, AnalyzerRow]:
    """Make the stored analyzers equal `declared`; returns the active ones by name.

    A new analyzer, or one that was away, owes every photo it has no current finding of; one whose version or
    digest changed owes every photo again, at low priority, and its old findings serve until replaced. To one that
    runs on request, photos owe nothing by themselves: what was asked for stays owed. An analyzer that is no longer
    declared keeps its findings; its owed jobs go, and so do those of one that runs on request from now on. Nor do
    its spaces answer alone any more.
    """
    known = {row.name: row for row in read_analyzers(connection)}
    names = set()
    for declaration in declared:
        names.add(declaration.name)
        row = known.get(declaration.name)
        if row is None:
            (analyzer_id,) = connection.execute(
                _SQL["add"], (declaration.name, declaration.version, declaration.digest, declaration.run)
            ).fetchone()
            connection.execute(_SQL["record_generation"], (analyzer_id,))
            _owe(connection, analyzer_id, declaration.run, Priority.SCAN)
        else:
            _update(connection, row, declaration)
        declare_reads(connection, declaration.name, declaration.after)
    for row in known.values():
        if row.name not in names and row.active:
            connection.execute(_SQL["set_active"], (0, row.id))
            connection.execute(_SQL["drop_owed"], (row.id,))
            unsettle_choices_of(connection, row.name)
    return {row.name: row for row in read_analyzers(connection) if row.active}


def _update(connection: sqlite3.Connection, row: AnalyzerRow, declaration: AnalyzerDeclaration) -> None:
    """Make the analyzer of `row`, which is known already, what is declared now."""
    if declaration.run is not row.run:
        connection.execute(_SQL["set_run"], (declaration.run, row.id))
        if declaration.run is RunMode.REQUEST:
            connection.execute(_SQL["drop_owed"], (row.id,))
    if (row.version, row.digest) != (declaration.version, declaration.digest):
        connection.execute(_SQL["renew"], (declaration.version, declaration.digest, row.id))
        connection.execute(_SQL["record_generation"], (row.id,))
        _owe(connection, row.id, declaration.run, Priority.REANALYSIS)
    elif not row.active or (row.run is RunMode.REQUEST and declaration.run is not RunMode.REQUEST):
        connection.execute(_SQL["set_active"], (1, row.id))
        _owe(connection, row.id, declaration.run, Priority.SCAN)


def _owe(connection: sqlite3.Connection, analyzer_id: int, run: RunMode, priority: Priority) -> None:
    if run is not RunMode.REQUEST:
        connection.execute(_SQL["owe_everywhere"], {"analyzer_id": analyzer_id, "priority": int(priority)})
