"""What stands after `like:`, and which photo or file is meant by it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from grown_library import Library

from imgd.errors import QueryError
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.targets import Place, Targets


class Bench:
    """A library whose root is a folder of real files."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "photos"
        self.root.mkdir()
        self.library = Library(folder / "library.db")
        self.library.database.write(self._move_root).result()
        self.text = TextIndex(folder / "text.db")
        self.targets = Targets(self.library.database, Words(self.text))

    def _move_root(self, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(self.root),))

    def add(self, name: str) -> int:
        folder, name = os.path.split(name)
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / folder / name).write_bytes(b"a photo")
        return int(self.library.add(name, folder=folder))

    def index(self) -> None:
        self.text.refresh(self.library.database)

    def find(self, target: str, cwd: Path | None = None) -> Place:
        return self.targets.find(target, None if cwd is None else os.fsencode(cwd))

    def refusal(self, target: str, cwd: Path | None = None) -> QueryError:
        with pytest.raises(QueryError) as caught:
            self.find(target, cwd)
        assert caught.value.column is None
        assert caught.value.advice
        return caught.value

    def path(self, name: str) -> bytes:
        return os.fsencode(self.root / name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.text.close()
    made.library.database.close()


def test_a_photo_is_named_by_its_id(bench: Bench) -> None:
    photo = bench.add("2019/a.jpg")
    assert bench.find(f"#{photo}") == Place(bench.path("2019/a.jpg"), photo)
    assert "no photo has the id 99" in bench.refusal("#99").detail
    assert "#123" in bench.refusal(f"#{10**30}").advice


def test_a_photo_is_named_by_its_path(bench: Bench, tmp_path: Path) -> None:
    photo = bench.add("2019/a.jpg")
    expected = Place(bench.path("2019/a.jpg"), photo)
    assert bench.find(str(bench.root / "2019" / "a.jpg")) == expected
    assert bench.find("a.jpg", bench.root / "2019") == expected
    assert bench.find("./x/../2019//a.jpg", bench.root) == expected
    assert bench.find("../photos/2019/a.jpg", bench.root) == expected
    (tmp_path / "link").symlink_to(bench.root)
    assert bench.find("link/2019/a.jpg", tmp_path) == expected


def test_a_photo_whose_file_is_gone_is_still_known_by_its_path(bench: Bench) -> None:
    photo = bench.add("a.jpg")
    (bench.root / "a.jpg").unlink()
    bench.library.lose(photo)
    assert bench.find("a.jpg", bench.root).photo_id == photo
    assert bench.find("a.jpg").photo_id == photo


def test_a_file_outside_the_library_serves_too(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add("a.jpg")
    (tmp_path / "a.jpg").write_bytes(b"another photo")
    outside = Place(os.fsencode(tmp_path / "a.jpg"))
    assert bench.find(str(tmp_path / "a.jpg")) == outside
    assert bench.find("a.jpg", tmp_path) == outside
    monkeypatch.setenv("HOME", str(tmp_path))
    assert bench.find("~/a.jpg") == outside


def test_a_photo_is_named_by_its_file_name_wherever_it_lies(bench: Bench, tmp_path: Path) -> None:
    photo = bench.add("2019/06/a.jpg")
    bench.add("2019/06/b.jpg")
    for target in ("a.jpg", "06/a.jpg", "2019/06/a.jpg", "photos/2019/06/a.jpg"):
        assert bench.find(target).photo_id == photo
        assert bench.find(target, tmp_path).photo_id == photo
    assert "6/a.jpg" in bench.refusal("6/a.jpg").detail


def test_a_file_name_may_differ_in_case_accents_or_its_ending(bench: Bench) -> None:
    photo = bench.add("Ferien/CAFÉ_17.JPG")
    bench.index()
    for target in ("café_17.jpg", "cafe_17.jpg", "CAFÉ_17", "ferien/café_17.jpg"):
        assert bench.find(target).photo_id == photo
    exact = bench.add("cafe_17.jpg")
    bench.index()
    assert bench.find("cafe_17.jpg").photo_id == exact


def test_of_several_photos_of_a_name_some_are_told_with_their_ids(bench: Bench) -> None:
    photos = [bench.add(f"{year}/a.jpg") for year in range(2015, 2020)]
    error = bench.refusal("a.jpg")
    assert "5 photos are called a.jpg" in error.detail
    assert f"#{photos[0]} {bench.root}/2015/a.jpg" in error.detail
    assert "and 2 more" in error.detail
    assert bench.find("2016/a.jpg").photo_id == photos[1]
    for photo in photos[1:]:
        bench.library.lose(photo)
    assert bench.find("a.jpg").photo_id == photos[0]


def test_what_names_nothing_is_refused_with_its_reason(bench: Bench, tmp_path: Path) -> None:
    bench.add("a.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert "it is a folder" in bench.refusal(str(bench.root)).detail
    assert "it is a folder" in bench.refusal(".", tmp_path).detail
    assert "no regular file" in bench.refusal("pipe", tmp_path).detail
    assert "No such file" in bench.refusal("/nowhere/a.jpg").detail
    assert "symbolic links" in bench.refusal("loop", tmp_path).detail
    assert "File name too long" in bench.refusal("x" * 5000, tmp_path).detail


@pytest.mark.parametrize(
    "target", ["", "#", "#x", "/", "..", "\0", "a\0b", "\ud800", "\udcff.jpg", "%", "*", "'", '"']
)
def test_nonsense_is_refused_and_breaks_nothing(bench: Bench, tmp_path: Path, target: str) -> None:
    bench.index()
    for cwd in (None, tmp_path):
        bench.refusal(target, cwd).detail.encode("utf-8")
