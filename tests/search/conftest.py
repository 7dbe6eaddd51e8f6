"""A small library, indexed for real, and encoders that need no model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from grown_library import Library
from shelf import PHOTOS, Shelf
from toy_meaning import SPACE, NoFiles, ToyEncoders, meaning

from imgd.config import SearchSettings
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.search import readiness
from imgd.search.engine import SearchAnswer, SearchEngine
from imgd.search.options import SearchOptions


class Bench:
    """A library, its indexes, and an engine over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = Library(folder / "library.db")
        self.text = TextIndex(folder / "text.db")
        self.spaces = SpaceIndexes(self.library.database, folder / "vectors")
        self.encoders = ToyEncoders()
        self.use(self.encoders)

    def use(self, encoders: ToyEncoders) -> None:
        self.encoders = encoders
        self.engine = SearchEngine(
            self.library.database,
            self.text,
            self.spaces,
            encoders,
            files=NoFiles(),
            settings=SearchSettings(),
            cache=self.folder / "vectors",
        )

    def add(self, name: str, shows: str = "", **said: object) -> int:
        vectors = {"vectors": {SPACE: meaning(shows)}} if shows else {}
        return self.library.add(name, **vectors, **said)

    def refresh(self) -> None:
        self.text.refresh(self.library.database)

    def search(self, query: str, limit: int | None = None) -> SearchAnswer:
        return asyncio.run(self.engine.search(query, SearchOptions(limit)))

    def find(self, query: str) -> list[int]:
        return [hit.photo_id for hit in self.search(query).hits]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search goes on without what is still being prepared, however slow the machine is."""
    monkeypatch.setattr(readiness, "_PATIENCE_S", 120.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.text.close()
    made.library.database.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    made = Shelf(tmp_path_factory.mktemp("shelf"), PHOTOS)
    yield made
    made.close()
