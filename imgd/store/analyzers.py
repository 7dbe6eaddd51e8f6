"""The analyzers the library knows, and which of their findings are stale."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from imgd.domain import Priority
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "analyzers")


@dataclass(frozen=True, slots=True)
class AnalyzerRow:
    """One analyzer as stored. `generation` counts its changes of version or settings."""

    id: int
    name: str
    version: str
    digest: str
    generation: int
    active: bool


@dataclass(frozen=True, slots=True)
class AnalyzerDeclaration:
    """What is installed and enabled now. `digest`: of the settings that change findings."""

    name: str
    version: str
    digest: str


def read_analyzers(connection: sqlite3.Connection) -> list[AnalyzerRow]:
    return [
        AnalyzerRow(id_, name, version, digest, generation, bool(active))
        for id_, name, version, digest, generation, active in connection.execute(_SQL["all"])
    ]


def synchronise(connection: sqlite3.Connection, declared: Iterable[AnalyzerDeclaration]) -> dict[str, AnalyzerRow]:
    """Make the stored analyzers equal `declared`; returns the active ones by name.

    A new analyzer, or one that was away, owes every photo it has no current finding of; one whose version or
    digest changed owes every photo again, at low priority, and its old findings serve until replaced. An
    analyzer that is no longer declared keeps its findings; its owed jobs go.
    """
    known = {row.name: row for row in read_analyzers(connection)}
    names = set()
    for declaration in declared:
        names.add(declaration.name)
        row = known.get(declaration.name)
        if row is None:
            (analyzer_id,) = connection.execute(
                _SQL["add"], (declaration.name, declaration.version, declaration.digest)
            ).fetchone()
            _owe(connection, analyzer_id, Priority.SCAN)
        elif (row.version, row.digest) != (declaration.version, declaration.digest):
            connection.execute(_SQL["renew"], (declaration.version, declaration.digest, row.id))
            _owe(connection, row.id, Priority.REANALYSIS)
        elif not row.active:
            connection.execute(_SQL["set_active"], (1, row.id))
            _owe(connection, row.id, Priority.SCAN)
    for row in known.values():
        if row.name not in names and row.active:
            connection.execute(_SQL["set_active"], (0, row.id))
            connection.execute(_SQL["drop_owed"], (row.id,))
    return {row.name: row for row in read_analyzers(connection) if row.active}


def _owe(connection: sqlite3.Connection, analyzer_id: int, priority: Priority) -> None:
    connection.execute(_SQL["owe_everywhere"], {"analyzer_id": analyzer_id, "priority": int(priority)})
