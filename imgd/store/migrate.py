"""Bringing a database to the newest schema: numbered `.sql` files, each with its record in one transaction."""

from __future__ import annotations

import importlib.resources
import sqlite3
from dataclasses import dataclass

from imgd.errors import StoreError, StoreNewerError

APPLICATION_ID = 0x696D6764  # "imgd": tells a library from any other SQLite file


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    script: str


def migrations(package: str = "imgd.store") -> list[Migration]:
    """All migrations of `package`, by version."""
    folder = importlib.resources.files(package) / "sql" / "migrations"
    found = [
        Migration(int(entry.name[:4]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.version)


def migrate(connection: sqlite3.Connection, steps: list[Migration]) -> int:
    """Apply what `connection` (in autocommit mode) lacks of `steps`; returns the version reached.

    Raises:
        StoreNewerError: when the database knows migrations that this imgd does not.
        StoreError: when it is a database of another program.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application not in (0, APPLICATION_ID) or (application == 0 and _has_tables(connection)):
        raise StoreError(
            "it was made by another program", hint="Set `paths.state_dir` to a directory of imgd's own."
        )
    newest = steps[-1].version if steps else 0
    if version > newest:
        raise StoreNewerError(f"its schema is version {version}, this imgd knows {newest}")
    for step in steps:
        if step.version > version:
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{step.script}\nPRAGMA application_id = {APPLICATION_ID};\n"
                    f"PRAGMA user_version = {step.version};\nCOMMIT;"
                )
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.rollback()
                raise
    return newest


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
