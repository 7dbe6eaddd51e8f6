"""The refresher: when indexes are brought up to date, and what it says of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from imgd.config import IndexSettings
from imgd.errors import IndexDamagedError
from imgd.index import refresh, vectors
from imgd.index.refresh import IndexRefresher
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.vectors import SpaceIndex
from imgd.index.words import Words


@pytest.fixture
def text(tmp_path: Path) -> Iterator[TextIndex]:
    index = TextIndex(tmp_path / "text.db")
    yield index
    index.close()


@pytest.fixture
def refresher(library, text, tmp_path) -> Iterator[Callable[..., IndexRefresher]]:
    made: list[IndexRefresher] = []

    def make(is_idle: Callable[[], bool] = lambda: True, **settings: float) -> IndexRefresher:
        spaces = SpaceIndexes(library.database, tmp_path / "vectors")
        chosen = IndexSettings(**({"idle_s": 0.0, "max_staleness_s": 3600.0} | settings))
        made.append(IndexRefresher(library.database, text, spaces, chosen, is_idle))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def wait_until_clean(refresher: IndexRefresher, text: TextIndex, monkeypatch) -> threading.Event:
    """An event that is set by the first refresh that leaves nothing dirty."""
    done = threading.Event()
    refresh = text.refresh

    def refresh_and_tell(*args: object) -> int:
        read = refresh(*args)  # type: ignore[arg-type]
        if refresher.freshness().clean:
            done.set()
        return read

    monkeypatch.setattr(text, "refresh", refresh_and_tell)
    return done


def test_a_commit_is_taken_in_when_the_pipeline_is_idle(library, text, refresher, monkeypatch):
    each = refresher()
    done = wait_until_clean(each, text, monkeypatch)
    library.add("a.jpg", tags={"dog": 1.0})
    each.start()
    assert done.wait(120)
    assert len(Words(text).matching("dog")) == 1
    done.clear()
    library.add("b.jpg", tags={"dog": 1.0})
    each.wake()
    assert done.wait(120)
    assert len(Words(text).matching("dog")) == 2


def test_a_busy_pipeline_is_waited_for_only_until_the_oldest_change_is_too_old(
    library, text, refresher, monkeypatch
):
    patient = refresher(lambda: False)
    patient.refresh_now()
    patient.start()
    library.add("a.jpg", tags={"dog": 1.0})
    patient.wake()
    hasty = refresher(lambda: False, max_staleness_s=0.01)
    assert not patient.freshness().clean
    assert patient.freshness().dirty == 1
    done = wait_until_clean(hasty, text, monkeypatch)
    hasty.start()
    assert done.wait(120)


def test_where_there_is_no_text_index_it_is_built_at_once_however_busy_the_pipeline_is(
    library, text, refresher, monkeypatch
):
    library.add("a.jpg", tags={"dog": 1.0})
    busy = refresher(lambda: False)
    done = wait_until_clean(busy, text, monkeypatch)
    busy.start()
    assert done.wait(120)
    assert len(Words(text).matching("dog")) == 1


def test_a_text_index_that_a_search_finds_damaged_is_built_anew_though_nothing_changes(
    library, text, refresher, monkeypatch, tmp_path
):
    photos = library.add_many([f"{n}.jpg" for n in range(500)], tags={"bulk": 1.0})
    each = refresher(lambda: False)
    each.refresh_now()
    with closing(sqlite3.connect(tmp_path / "text.db")) as raw, raw:
        raw.execute("DELETE FROM words_data WHERE id > 10")
    each.start()
    assert each.freshness().clean
    done = wait_until_clean(each, text, monkeypatch)
    with pytest.raises(IndexDamagedError, match=r"text\.db"):
        Words(text).matching("bulk")
    assert done.wait(120)
    assert len(Words(text).matching("bulk")) == len(photos)


@pytest.mark.parametrize("other", [None, b"", b"not a database at all" * 1000])
def test_a_text_index_that_is_removed_or_replaced_is_built_anew_though_nothing_changes(
    library, text, refresher, monkeypatch, tmp_path, other
):
    photos = library.add_many([f"{n}.jpg" for n in range(50)], tags={"bulk": 1.0})
    each = refresher(lambda: False)
    each.refresh_now()
    each.start()
    assert each.freshness().clean
    (tmp_path / "text.db").unlink()
    if other is not None:
        (tmp_path / "text.db").write_bytes(other)
    done = wait_until_clean(each, text, monkeypatch)
    with pytest.raises(IndexDamagedError, match=r"text\.db was removed or replaced"):
        Words(text).matching("bulk")
    assert done.wait(120)
    assert len(Words(text).matching("bulk")) == len(photos)
    text.check()


def test_an_older_library_in_the_place_of_a_newer_one_is_noticed_at_the_start(
    library, make_library, text, refresher, monkeypatch, tmp_path
):
    newer = make_library(tmp_path / "newer.db")
    for n in range(9):
        newer.add(f"{n}.jpg", tags={"cat": 1.0})
    text.refresh(newer.database)
    newer.database.close()
    library.add("a.jpg", tags={"dog": 1.0})
    each = refresher()
    assert not each.freshness().clean
    done = wait_until_clean(each, text, monkeypatch)
    each.start()
    assert done.wait(120)
    assert (len(Words(text).matching("dog")), len(Words(text).matching("cat"))) == (1, 0)


def test_refresh_now_leaves_nothing_dirty_and_says_so(library, refresher):
    each = refresher(lambda: False)
    library.add_many([f"{n}.jpg" for n in range(10)], vectors={"s": np.ones(8, np.float32)})
    before = each.freshness()
    assert (before.clean, before.dirty) == (False, 10)
    after = each.refresh_now()
    assert (after.clean, after.dirty, after.faults) == (True, 0, ())
    assert [(space.name, space.tail) for space in after.spaces] == [("s", 10)]


def test_records_of_removals_are_forgotten_once_every_index_has_them(library, refresher, tmp_path):
    photos = library.add_many(["a.jpg", "b.jpg"], vectors={"s": np.ones(8, np.float32)})
    each = refresher()
    each.refresh_now()
    [index] = SpaceIndexes(library.database, tmp_path / "vectors").all()
    index.rebuild()
    saved = refresher()
    library.remove(photos[0])
    saved.refresh_now()
    assert library.ask("SELECT count(*) FROM removed_photos") == [(0,)]
    assert library.ask("SELECT count(*) FROM removed_vectors") == [(1,)], "the saved index still holds it"
    saved._spaces.all()[0].rebuild()
    saved.refresh_now()
    assert library.ask("SELECT count(*) FROM removed_vectors") == [(0,)]


def test_a_fault_is_told_and_passes_when_its_cause_does(library, text, refresher, tmp_path):
    library.add("a.jpg", tags={"dog": 1.0})
    each = refresher()
    blocker = tmp_path / "text.db.new"
    blocker.mkdir()
    (blocker / "full").touch()
    assert "text.db.new" in " ".join(each.refresh_now().faults)
    (blocker / "full").unlink()
    blocker.rmdir()
    assert each.refresh_now().faults == ()
    assert len(Words(text).matching("dog")) == 1


def test_large_changes_of_a_space_lead_to_a_build(library, refresher, monkeypatch):
    each = refresher()
    library.add_many([f"{n}.jpg" for n in range(1200)], vectors={"s": np.ones(8, np.float32)})
    each._refresh(idle=False)
    assert each.freshness().spaces[0].indexed == 0
    each._refresh(idle=True)
    assert each.freshness().spaces[0].indexed == 1200
    library.add_many([f"more {n}.jpg" for n in range(5100)], vectors={"s": np.ones(8, np.float32)})
    each._refresh(idle=False)
    assert each.freshness().spaces[0].indexed == 6300


@pytest.mark.parametrize("harm", ["torn", "deleted"])
def test_a_vector_index_that_was_harmed_is_built_anew_at_the_start(
    library, refresher, tmp_path, monkeypatch, harm
):
    monkeypatch.setattr(vectors, "TAIL_LIMIT", 10)
    monkeypatch.setattr(vectors, "_CHUNK", 10)
    library.add_many([f"{n}.jpg" for n in range(35)], vectors={"s": np.ones(8, np.float32)})
    assert refresher().refresh_now().spaces[0].indexed == 35
    for path in (tmp_path / "vectors").iterdir():
        if harm == "deleted":
            path.unlink()
        elif path.suffix == ".faiss":
            path.write_bytes(path.read_bytes()[:-50])
    built = threading.Event()
    rebuild = SpaceIndex.rebuild

    def rebuild_and_tell(index: SpaceIndex, *args: object) -> None:
        rebuild(index, *args)  # type: ignore[arg-type]
        built.set()

    monkeypatch.setattr(SpaceIndex, "rebuild", rebuild_and_tell)
    each = refresher()
    each.start()
    assert built.wait(120)
    each.stop()
    after = each.freshness()
    assert (after.clean, after.faults) == (True, ())
    assert (after.spaces[0].indexed, after.spaces[0].waiting) == (35, 0)


def test_whatever_fails_in_a_refresh_is_told_and_the_thread_goes_on(library, text, refresher, monkeypatch):
    monkeypatch.setattr(refresh, "_RETRY_S", 0.0)
    each = refresher()
    done = wait_until_clean(each, text, monkeypatch)
    refresh_for_good = text.refresh
    told: list[tuple[str, ...]] = []

    def refresh_badly(*args: object) -> int:
        if not each.freshness().faults:
            raise ValueError("no such column")
        told.append(each.freshness().faults)
        return refresh_for_good(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(text, "refresh", refresh_badly)
    library.add("a.jpg", tags={"dog": 1.0})
    each.start()
    assert done.wait(120)
    assert told[0] == ("ValueError: no such column",)
    each.stop()
    assert each.freshness().faults == ()
