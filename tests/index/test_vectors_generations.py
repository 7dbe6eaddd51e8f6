"""Two generations of a space side by side: the old one serves until the new one is complete, and then goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from imgd.config import IndexSettings
from imgd.domain import Outcome, Priority, RunMode, SeenFile, StoredFinding, StoredVector
from imgd.index import refresh
from imgd.index.build import build
from imgd.index.refresh import IndexRefresher
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.vectors import IndexOptions
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.findings import commit
from imgd.store.migrate import migrations
from imgd.store.photos import register
from imgd.store.roots import configure

OLD, NEW = "concepts:old", "concepts:new"
PHOTOS = range(1, 7)
ANALYZER = 1


class Analyzed:
    """A real library whose one analyzer says what the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "library.db", migrations())
        self.text = TextIndex(folder / "text.db")
        self.open_indexes()
        self.write(lambda c: configure(c, [b"/photos"], 0.0))
        self.use_version("1")
        self.register([SeenFile(b"", f"{n}.jpg".encode(), 10, 5, 1, 1000 + n) for n in PHOTOS])

    def open_indexes(self) -> None:
        """As after a restart."""
        self.spaces = SpaceIndexes(self.database, self.folder / "vectors", IndexOptions(build=build))
        settings = IndexSettings(idle_s=0.0, max_staleness_s=3600.0)
        self.refresher = IndexRefresher(self.database, self.text, self.spaces, settings, lambda: True)

    def write(self, work):
        return self.database.write(work).result()

    def use_version(self, version: str, run: RunMode = RunMode.ALWAYS) -> None:
        """The model changes: every photo is owed again, unless the analyzer runs on request."""
        self.write(lambda c: synchronise(c, [AnalyzerDeclaration("concepts", version, "", run)]))

    def register(self, files: Sequence[SeenFile]) -> None:
        self.write(lambda c: register(c, 1, files, now=1.0, priority=Priority.SCAN, moved=None))

    def commit(self, photos: Sequence[int], *spaces: str, revision: int = 1) -> None:
        outcomes = [
            Outcome(photo, ANALYZER, revision, StoredFinding(vectors=[vector(space, photo) for space in spaces]))
            for photo in photos
        ]
        self.write(lambda c: commit(c, [], outcomes, 1.0))

    def found(self, space: str) -> list[int]:
        """The photos that a search in the space finds."""
        index = self.spaces.get(space)
        return [] if index is None else sorted(index.find(np.ones((1, 4), np.float32), 50)[0].photo_ids.tolist())

    def serving(self) -> list[str]:
        return self.spaces.serving([OLD, NEW])

    def refresh(self) -> None:
        self.refresher._refresh(idle=True)


def vector(space: str, seed: int) -> StoredVector:
    values = np.random.default_rng(seed).random(4)
    return StoredVector(space, (values / np.linalg.norm(values)).astype(np.float16).tobytes(), None)


@pytest.fixture
def analyzed(tmp_path: Path) -> Iterator[Analyzed]:
    made = Analyzed(tmp_path)
    made.commit(PHOTOS, OLD)
    made.spaces.all()[0].rebuild()
    yield made
    made.text.close()
    made.database.close()


def test_an_old_space_serves_until_the_new_one_is_complete(analyzed, tmp_path):
    assert analyzed.serving() == [OLD, NEW]
    analyzed.use_version("2")
    assert analyzed.serving() == [OLD, NEW], "nothing has taken its place yet"
    analyzed.commit([1, 2], NEW)
    assert analyzed.serving() == [OLD]
    assert analyzed.found(OLD) == [*PHOTOS]
    assert analyzed.found(NEW) == [1, 2]
    analyzed.refresh()
    assert analyzed.found(OLD) == [*PHOTOS], "what still serves is not cleared away"
    assert [status.name for status in analyzed.refresher.freshness().spaces] == [OLD, NEW]
    assert analyzed.spaces.serving([NEW]) == [NEW], "an old one whose encoder is gone serves no more"
    analyzed.commit([3, 4, 5, 6], NEW)
    assert analyzed.serving() == [NEW]


def test_a_space_that_is_not_needed_any_more_goes_with_its_index(analyzed, tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "_REMOVE_CHUNK", 2)
    analyzed.use_version("2")
    analyzed.commit(PHOTOS, NEW)
    assert any("old" in path.name for path in (tmp_path / "vectors").iterdir())
    assert analyzed.refresher._is_a_space_superseded()
    analyzed.refresh()
    assert not any("old" in path.name for path in (tmp_path / "vectors").iterdir())
    assert analyzed.found(OLD) == []
    assert analyzed.found(NEW) == [*PHOTOS]
    assert [status.name for status in analyzed.refresher.freshness().spaces] == [NEW]
    with analyzed.database.read() as library:
        assert library.execute("SELECT count(*) FROM vectors").fetchone() == (6,)
        assert library.execute("SELECT count(*) FROM removed_vectors").fetchone() == (0,)
    assert not analyzed.refresher._is_a_space_superseded()
    analyzed.open_indexes()
    assert analyzed.serving() == [OLD, NEW]
    assert analyzed.found(OLD) == []


def test_a_changed_file_loses_its_vectors_in_every_space_of_the_analyzer(analyzed):
    analyzed.use_version("2")
    analyzed.commit([1, 2], NEW)
    analyzed.register([SeenFile(b"", b"2.jpg", 11, 6, 1, 1002), SeenFile(b"", b"3.jpg", 11, 6, 1, 1003)])
    analyzed.commit([2, 3], NEW, revision=2)
    assert analyzed.found(OLD) == [1, 4, 5, 6]
    assert analyzed.found(NEW) == [1, 2, 3]


def test_a_new_version_that_fills_the_same_space_replaces_its_vectors_at_once(analyzed):
    analyzed.use_version("2")
    analyzed.commit([1])  # nothing seen, before anything was
    analyzed.commit([2, 3], OLD)
    analyzed.commit([4])
    assert analyzed.found(OLD) == [2, 3, 5, 6]
    assert analyzed.serving() == [OLD, NEW]
    analyzed.commit([5, 6], OLD)
    analyzed.refresh()
    assert analyzed.found(OLD) == [2, 3, 5, 6]


def test_going_back_to_the_old_model_keeps_its_space(analyzed):
    analyzed.use_version("2")
    analyzed.commit([1], NEW)
    analyzed.use_version("3")
    analyzed.commit([2], OLD)
    assert analyzed.serving() == [OLD], "one of six photos is too little to serve"
    assert analyzed.found(OLD) == [*PHOTOS]
    analyzed.commit([1, 3, 4, 5, 6], OLD)
    analyzed.refresh()
    assert analyzed.found(OLD) == [*PHOTOS]
    assert analyzed.found(NEW) == []


def test_photos_that_cannot_be_reached_do_not_keep_an_old_space(analyzed):
    analyzed.use_version("2")
    analyzed.commit([1, 2, 3, 4, 5], NEW)
    assert analyzed.serving() == [OLD]
    analyzed.write(lambda c: c.execute("UPDATE photos SET state = 'missing', missing_since = 1.0 WHERE id = 6"))
    assert analyzed.serving() == [NEW]


def test_on_request_the_old_space_serves_until_all_of_its_photos_were_asked_for(analyzed: Analyzed) -> None:
    analyzed.use_version("2", RunMode.REQUEST)
    analyzed.commit([1], NEW)
    analyzed.refresh()
    assert analyzed.serving() == [OLD]
    assert analyzed.found(OLD) == list(PHOTOS)
    analyzed.commit(PHOTOS, NEW)
    analyzed.refresh()
    assert analyzed.found(NEW) == list(PHOTOS)
    assert analyzed.found(OLD) == []


def test_of_an_analyzer_that_is_switched_off_half_way_the_old_space_stays(analyzed: Analyzed) -> None:
    analyzed.use_version("2")
    analyzed.commit([1, 2, 3, 4], NEW)
    analyzed.write(lambda c: synchronise(c, []))
    analyzed.refresh()
    assert analyzed.found(OLD) == [*PHOTOS]
    assert analyzed.serving() == [OLD]
    analyzed.use_version("2")
    analyzed.commit([5, 6], NEW)
    analyzed.write(lambda c: synchronise(c, []))
    analyzed.refresh()
    assert (analyzed.found(OLD), analyzed.found(NEW)) == ([], [*PHOTOS])
