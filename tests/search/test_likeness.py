"""Photos that look like a photo: real files, real children, encoders that need no model."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from grown_library import Library
from PIL import Image

from imgd.config import DecodeSettings
from imgd.errors import ModelMissingError, QueryError, SearchError
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.pipeline.messages import AnalyzerSpec, FileAnswer
from imgd.pipeline.process import ChildStarter
from imgd.search.encoder import EncoderProcess
from imgd.search.likeness import LikenessSearch, Target
from imgd.search.onefile import FileReader
from imgd.search.restriction import Restriction
from imgd.search.terms import Terms

_TOYS = Path(__file__).parent / "toys"
COLOURS, SIZES = "colours:3", "sizes:4"
RED, DARK_RED, ORANGE, BLUE = (200, 0, 0), (190, 10, 0), (200, 100, 0), (0, 0, 200)
NO_WORDS = Terms((), (), ())
T = TypeVar("T")


class Chosen:
    """A condition that some photos meet; a broad one is not listed."""

    def __init__(self, photo_ids: Collection[int], *, is_broad: bool) -> None:
        self._photo_ids = np.array(sorted(photo_ids), np.int64)
        self._is_broad = is_broad

    @property
    def is_inverse(self) -> bool:
        return False

    def ids(self, limit: int) -> npt.NDArray[np.int64] | None:
        return None if self._is_broad else self._photo_ids

    def all_ids(self) -> npt.NDArray[np.int64]:
        return self._photo_ids

    def keep(self, photo_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return np.isin(photo_ids, self._photo_ids)


class CountingReader(FileReader):
    """Notes what it reads."""

    def __init__(self, starter: ChildStarter) -> None:
        super().__init__(starter, DecodeSettings())
        self.asked: list[tuple[bytes, set[int]]] = []

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        self.asked.append((path, set(edges)))
        return await super().read(path, edges)


class Bench:
    """A library whose root is a folder of real files, and what searches it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "photos"
        self.root.mkdir()
        self.library = Library(folder / "library.db")
        self.library.database.write(self._move_root).result()
        self.text = TextIndex(folder / "text.db")
        self.spaces = SpaceIndexes(self.library.database, folder / "vectors")
        self.offered: Collection[str] = ("Colours",)
        self.installed: Collection[str] = ("Colours",)

    def _move_root(self, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(self.root),))

    def draw(self, name: str, colour: tuple[int, int, int], folder: Path | None = None) -> Path:
        path = (folder or self.root) / name
        Image.new("RGB", (60, 40), colour).save(path)
        return path

    def add(
        self,
        name: str,
        colour: tuple[int, int, int] | None = None,
        more: Mapping[str, npt.NDArray[np.float64]] | None = None,
    ) -> int:
        """A photo with a vector of its colour, where it has one; and `more` vectors."""
        of_colour = {COLOURS: np.array(colour, float)} if colour else {}
        return int(self.library.add(name, vectors=of_colour | dict(more or {})))

    def add_noise(self, count: int = 40) -> None:
        """Photos of all colours, so that there is a chance to be measured."""
        for number, colour in enumerate(np.random.default_rng(0).integers(1, 255, (count, 3))):
            self.library.add(f"noise{number}.png", vectors={COLOURS: colour.astype(float)})

    def run(self, work: Callable[[LikenessSearch, CountingReader], Awaitable[T]]) -> T:
        import toy_encoders

        async def whole() -> T:
            starter = ChildStarter()
            kinds: dict[str, Any] = {name: getattr(toy_encoders, name) for name in self.installed}
            encoders = EncoderProcess(starter, {kind.space: kind for kind in kinds.values()})
            encoders.offer(
                {
                    kinds[name].space: AnalyzerSpec(kinds[name].space, "toy_encoders", name, None, {})
                    for name in self.offered
                },
                {
                    kind.space: "run `imgctl models pull toy`"
                    for name, kind in kinds.items()
                    if name not in self.offered
                },
            )
            files = CountingReader(starter)
            search = LikenessSearch(self.library.database, Words(self.text), self.spaces, encoders, files)
            try:
                async with asyncio.timeout(60):
                    return await work(search, files)
            finally:
                await encoders.stop()
                await starter.stop()

        return asyncio.run(whole())

    def resolve(self, target: str, cwd: Path | None = None) -> Target:
        return self.run(lambda search, _: search.resolve(target, None if cwd is None else os.fsencode(cwd)))

    def find(self, target: str, space: str = COLOURS, within: Chosen | None = None) -> list[tuple[int, float]]:
        async def work(search: LikenessSearch, _: CountingReader) -> list[tuple[int, float]]:
            words = Words(self.text)
            restriction = None if within is None else Restriction(within, NO_WORDS, words, has_filters=True)
            found = await search.find(await search.resolve(target, None), space, restriction, 1000)
            assert found is not None
            assert found.complete
            return [(each, found.similarities[each]) for each in found.found()]

        return self.run(work)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(_TOYS), os.environ.get("PYTHONPATH")])))
    monkeypatch.syspath_prepend(str(_TOYS))
    made = Bench(tmp_path)
    yield made
    made.text.close()
    made.library.database.close()


def test_a_photo_of_the_library_serves_by_its_stored_vectors_in_every_space(bench: Bench) -> None:
    photo = bench.add("a.png", RED, {"other:2": np.array([3.0, 4.0])})  # there is no such file

    async def work(search: LikenessSearch, files: CountingReader) -> Target:
        target = await search.resolve("a.png", None)
        assert files.asked == []
        return target

    target = bench.run(work)
    assert (target.photo_id, target.problems) == (photo, ())
    assert set(target.vectors) == {COLOURS, "other:2"}
    np.testing.assert_allclose(target.vectors["other:2"], [[0.6, 0.8]], atol=1e-3)
    assert target.vectors[COLOURS].dtype == np.float32


def test_vectors_of_regions_are_no_vectors_of_the_photo(bench: Bench) -> None:
    bench.draw("a.png", RED)
    photo = bench.add("a.png", None, {"faces:2": np.array([1.0, 0.0])})
    bench.library.database.write(lambda c: c.execute("UPDATE vectors SET region = 0")).result()
    target = bench.resolve(f"#{photo}")
    assert set(target.vectors) == {COLOURS}


def test_a_photo_that_is_not_analyzed_yet_is_encoded_from_its_file(bench: Bench) -> None:
    photo = bench.add("a.png")
    bench.draw("a.png", BLUE)
    target = bench.resolve("a.png")
    assert target.photo_id == photo
    np.testing.assert_allclose(target.vectors[COLOURS], [[0, 0, 1]], atol=1e-3)


def test_any_file_is_encoded_by_every_encoder_from_one_decode(bench: Bench, tmp_path: Path) -> None:
    bench.installed = bench.offered = ("Colours", "Sizes", "Letters")
    path = bench.draw("outside.png", (0, 30, 40), tmp_path)

    async def work(search: LikenessSearch, files: CountingReader) -> Target:
        target = await search.resolve("outside.png", os.fsencode(tmp_path))
        assert files.asked == [(os.fsencode(path), {32, 64})]
        return target

    target = bench.run(work)
    assert target.photo_id is None
    np.testing.assert_allclose(target.vectors[COLOURS], [[0, 0.6, 0.8]], atol=1e-3)
    sizes = target.vectors[SIZES][0]
    np.testing.assert_allclose(sizes / sizes[0], [1, 1.5, 1, 1.5], rtol=1e-4)
    assert set(target.vectors) == {COLOURS, SIZES}


def test_a_file_is_encoded_again_only_when_it_has_changed(bench: Bench, tmp_path: Path) -> None:
    path = bench.draw("outside.png", RED, tmp_path)

    async def work(search: LikenessSearch, files: CountingReader) -> None:
        first = await search.resolve(str(path), None)
        again = await search.resolve(str(path), None)
        assert len(files.asked) == 1
        np.testing.assert_array_equal(first.vectors[COLOURS], again.vectors[COLOURS])
        bench.draw("outside.png", BLUE, tmp_path)
        os.utime(path, ns=(1, 1))
        changed = await search.resolve(str(path), None)
        assert len(files.asked) == 2
        np.testing.assert_allclose(changed.vectors[COLOURS], [[0, 0, 1]], atol=1e-3)

    bench.run(work)


def test_one_encoder_that_fails_leaves_the_others_and_is_told_of(bench: Bench, tmp_path: Path) -> None:
    bench.installed = bench.offered = ("Colours", "Sizes")
    path = bench.draw("odd.png", RED, tmp_path)

    async def work(search: LikenessSearch, files: CountingReader) -> None:
        for tried in (1, 2):
            target = await search.resolve(str(path), None)
            assert set(target.vectors) == {COLOURS}
            assert ["too odd" in str(each) for each in target.problems] == [True]
            assert len(files.asked) == tried

    bench.run(work)


def test_a_missing_model_is_named_where_nothing_else_can_encode(bench: Bench, tmp_path: Path) -> None:
    path = bench.draw("a.png", RED, tmp_path)
    bench.offered = ()
    with pytest.raises(ModelMissingError) as caught:
        bench.resolve(str(path))
    assert caught.value.advice == "run `imgctl models pull toy`"
    bench.installed = ("Letters",)
    with pytest.raises(SearchError, match=r"no installed plugin can compare a\.png"):
        bench.resolve(str(path))


def test_what_cannot_be_encoded_is_told_with_the_files_name(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no photo at all")
    black = bench.draw("black.png", (0, 0, 0), tmp_path)
    crash = bench.draw("crash.png", RED, tmp_path)
    photo = bench.add("gone.png")
    with pytest.raises(SearchError, match=r"text\.png: .*plain text"):
        bench.resolve(str(tmp_path / "text.png"))
    with pytest.raises(SearchError, match=r"nothing was recognised in black\.png"):
        bench.resolve(str(black))
    with pytest.raises(SearchError, match="the encoder process ended"):
        bench.resolve(str(crash))
    with pytest.raises(SearchError, match=r"gone\.png: .*No such file"):
        bench.resolve(f"#{photo}")
    with pytest.raises(QueryError):
        bench.resolve("nowhere.png", tmp_path)


def test_the_photo_itself_comes_first_and_what_is_like_it_next(bench: Bench) -> None:
    bench.add_noise()
    twin, blue, dark, photo = (
        bench.add(name, colour)
        for name, colour in (("twin.png", RED), ("b.png", BLUE), ("d.png", DARK_RED), ("a.png", RED))
    )
    found = bench.find(f"#{photo}")
    assert found[0] == (photo, 1.0)
    assert [each for each, _ in found[1:3]] == [twin, dark]
    assert blue not in dict(found)
    similarities = [value for _, value in found]
    assert similarities == sorted(similarities, reverse=True)
    assert len(found) < 15


def test_a_copy_outside_the_library_finds_its_original_first(bench: Bench, tmp_path: Path) -> None:
    bench.add_noise()
    original = bench.add("a.png", ORANGE)
    found = bench.find(str(bench.draw("copy.png", ORANGE, tmp_path)))
    assert found[0][0] == original
    assert found[0][1] > 0.999


@pytest.mark.parametrize("is_broad", [False, True])
def test_only_present_photos_that_the_filters_allow_are_found(bench: Bench, is_broad: bool) -> None:
    bench.add_noise()
    photo, twin, lost = (bench.add(name, RED) for name in ("a.png", "twin.png", "lost.png"))
    bench.library.lose(lost)
    assert [each for each, value in bench.find(f"#{photo}") if value > 0.999] == [photo, twin]
    assert [each for each, _ in bench.find(f"#{photo}", within=Chosen([twin, lost], is_broad=is_broad))] == [twin]
    assert [each for each, value in bench.find(f"#{lost}") if value > 0.999] == [photo, twin]


def test_a_photo_with_several_vectors_counts_by_its_best(bench: Bench) -> None:
    bench.add_noise()
    photo = bench.add("a.png", RED)
    both = bench.add("both.png", BLUE)
    bench.library.database.write(
        lambda c: bench.library._put_vector(c, both, COLOURS, np.array(RED, float))
    ).result()
    assert dict(bench.find(f"#{photo}"))[both] > 0.999
    found = [each for each, value in bench.find(f"#{both}") if value > 0.999]
    assert found == [both, photo]


def test_a_space_without_vectors_or_of_another_size_finds_nothing(bench: Bench) -> None:
    photo = bench.add("a.png", RED)

    async def work(search: LikenessSearch, _: CountingReader) -> None:
        target = await search.resolve(f"#{photo}", None)
        assert await search.find(target, "unheard-of", None, 10) is None
        odd = Target(b"/p/a.png", None, {COLOURS: np.ones((1, 7), np.float32)})
        assert await search.find(odd, COLOURS, None, 10) is None

    bench.run(work)
