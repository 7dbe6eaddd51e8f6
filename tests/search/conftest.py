"""A small library, indexed for real, and encoders that need no model."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from grown_library import Library
from shelf import PHOTOS, Shelf

from imgd.config import SearchSettings
from imgd.errors import ModelMissingError, SearchError
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.pipeline.messages import FileAnswer
from imgd.search.engine import SearchAnswer, SearchEngine
from imgd.search.options import SearchOptions

SPACE = "meaning"
THINGS = ("cat", "dog", "rocket", "coffee", "beach", "tree", "house", "car", "boat", "horse", "bird", "moon")
_COMMON = 0.5
_D = 64


def meaning(text: str) -> npt.NDArray[np.float32]:
    """A direction a thing, plus one that all texts share, as text encoders have; other words say nothing."""
    things = [word for word in text.lower().split() if word not in ("a", "the", "of", "photo")]
    total = np.zeros(_D)
    for word in things or [text]:
        own = np.random.default_rng(list(word.encode())).standard_normal(_D)
        total += own / np.linalg.norm(own)
    total /= np.linalg.norm(total)
    total[0] += _COMMON
    return (total / np.linalg.norm(total)).astype(np.float32)


class ToyEncoders:
    """Encodes by the words themselves; counts the texts it was asked for."""

    def __init__(self, *, missing: bool = False, background: Sequence[str] = THINGS) -> None:
        self.missing = missing
        self.texts: list[str] = []
        self._background = background

    def spaces(self) -> Sequence[str]:
        return (SPACE,)

    def of_texts(self) -> Collection[str]:
        return ()

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return self.spaces() if self.missing or photos else ()

    def background(self, space: str) -> Sequence[str]:
        return self._background

    def photo_edges(self) -> Mapping[str, int]:
        return {}

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        if self.missing:
            raise ModelMissingError("minilm-l6-v2", hint="`imgctl models pull default`")
        self.texts += texts
        return np.stack([meaning(text) for text in texts])


class NoFiles:
    """There are no files: photos of these tests are rows of the library."""

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        raise SearchError(f"{path!r} cannot be read")


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
