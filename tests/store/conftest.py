"""A real library in a temporary folder, with one root and two analyzers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from imgd.domain import SeenFile
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.store.roots import configure

T = TypeVar("T")


class Library:
    """A database with shortcuts for what the tests ask it."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, migrations())

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self.database.write(work).result()

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return connection.execute(statement, parameters).fetchall()

    def value(self, statement: str, *parameters: object) -> object:
        return self.rows(statement, *parameters)[0][0]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library.db")
    library.write(
        lambda c: synchronise(
            c, [AnalyzerDeclaration("metadata", "1", ""), AnalyzerDeclaration("technical", "1", "")]
        )
    )
    yield library
    library.database.close()


@pytest.fixture
def root(library: Library) -> int:
    (stored,) = library.write(lambda c: configure(c, [b"/photos"], 0.0))
    return stored.id


@pytest.fixture
def seen() -> Callable[..., SeenFile]:
    """Makes a file as a scan saw it; by default each has an inode of its own."""
    inodes = iter(range(1000, 1_000_000))

    def make(
        name: str | bytes, folder: bytes = b"", size: int = 10, mtime_ns: int = 5, inode: int | None = None
    ) -> SeenFile:
        raw = name if isinstance(name, bytes) else name.encode()
        return SeenFile(folder, raw, size, mtime_ns, 1, next(inodes) if inode is None else inode)

    return make
