"""The vector index of a space: what was committed is found, what was removed is not, whatever befell the file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imgd.errors import DiskFullError, StoreError
from imgd.index import faiss_file, vectors
from imgd.index.build import BuildRequest, build
from imgd.index.shapes import Limits
from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import IndexOptions, SpaceIndex

SPACE = "clip:ViT-B-32/openai"
D = 32


def direction(seed: int) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal(D).astype(np.float32)
    return values / np.linalg.norm(values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def opened(library, folder) -> Callable[..., SpaceIndex]:
    def open_index(**options: object) -> SpaceIndex:
        index = SpaceIndexes(library.database, folder, IndexOptions(**options)).get(SPACE)
        assert index is not None
        return index

    return open_index


def fill(library, count: int, start: int = 0) -> list[int]:
    return [library.add(f"{n}.jpg", vectors={SPACE: direction(n)}) for n in range(start, start + count)]


def search(index: SpaceIndex, query: npt.NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    """Vector ids and similarities of the best."""
    [found] = index.find(query[np.newaxis], k)
    return list(zip(found.vector_ids.tolist(), found.similarities.tolist(), strict=True))


def first(index: SpaceIndex, seed: int) -> int:
    return search(index, direction(seed), 3)[0][0]


def test_a_vector_is_found_as_soon_as_it_is_committed(library, opened):
    photos = fill(library, 5)
    index = opened()
    assert search(index, direction(3), 2)[0] == (library.vector_ids(photos[3])[0], pytest.approx(1.0, abs=2e-3))
    new = library.add("new.jpg", vectors={SPACE: direction(99)})
    assert first(index, 99) == library.vector_ids(new)[0]


def test_a_space_without_vectors_is_unknown_and_an_emptied_one_finds_nothing(library, folder, opened):
    assert SpaceIndexes(library.database, folder).get(SPACE) is None
    photo = library.add("a.jpg", vectors={SPACE: direction(1)})
    index = opened()
    search(index, direction(1), 3)
    library.remove(photo)
    assert search(index, direction(1), 3) == []
    index.rebuild()
    assert search(index, direction(1), 3) == []
    assert index.sample(5).shape == (0, D)
    assert SpaceIndexes(library.database, folder).get(SPACE) is None


def test_removed_and_replaced_vectors_are_never_returned(library, opened):
    photos = fill(library, 50)
    index = opened()
    index.rebuild()
    late = fill(library, 10, start=50)
    index.catch_up()
    gone = [library.vector_ids(photo)[0] for photo in (photos[7], photos[8], late[3])]
    library.remove(photos[7])
    library.say(photos[8], vectors={SPACE: direction(1000)})
    library.say(late[3])
    found = {each for seed in (7, 8, 53) for each, _ in search(index, direction(seed), 60)}
    assert found.isdisjoint(gone)
    assert len(found) == 58
    assert first(index, 1000) == library.vector_ids(photos[8])[0]
    assert len(search(index, direction(8), 58)) == 58, "the mask takes no places"
    index.rebuild()
    assert {each for each, _ in search(index, direction(8), 60)} == found
    assert index.status().removed == 0


def test_a_loaded_index_knows_what_happened_since_it_was_saved(library, opened):
    photos = fill(library, 30)
    opened().rebuild()
    gone = library.vector_ids(photos[4])[0]
    library.remove(photos[4])
    new = library.add("new.jpg", vectors={SPACE: direction(77)})
    index = opened()
    index.catch_up()
    assert (index.status().indexed, index.status().tail, index.status().removed) == (30, 1, 1)
    assert gone not in [each for each, _ in search(index, direction(4), 40)]
    assert first(index, 77) == library.vector_ids(new)[0]


@pytest.mark.parametrize("harm", ["cut", "flipped", "no file", "bad manifest", "stray build"])
def test_a_torn_or_missing_file_is_noticed_and_built_anew(library, folder, opened, harm):
    photos = fill(library, 40)
    opened().rebuild()
    [path] = folder.glob("*.faiss")
    [manifest] = folder.glob("*.json")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif harm == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif harm == "no file":
        path.unlink()
    elif harm == "bad manifest":
        manifest.write_text("{")
    else:
        (folder / f"{faiss_file.safe_name(SPACE)}.9-9-ab.faiss").write_bytes(b"half")
    index = opened()
    assert first(index, 11) == library.vector_ids(photos[11])[0], "the tail serves meanwhile"
    assert bool(index.status().fault) == (harm != "stray build")
    assert index.is_due(idle=False) == (harm != "stray build")
    index.rebuild()
    assert index.status().fault == ""
    assert len(list(folder.glob("*.faiss"))) == 1
    assert opened().status().indexed == 40


def test_vectors_that_come_and_go_while_an_index_is_built_are_right_after_it(library, opened):
    photos = fill(library, 30)
    gone = [library.vector_ids(photos[at])[0] for at in (2, 5)]
    news: list[int] = []

    def build_meanwhile(request: BuildRequest, stopped: Callable[[], bool]) -> None:
        library.remove(photos[5])
        search(index, direction(1), 3)
        build(request, stopped)
        library.remove(photos[2])
        news.append(library.add("late.jpg", vectors={SPACE: direction(500)}))
        search(index, direction(1), 3)

    index = opened(build=build_meanwhile)
    index.catch_up()
    index.rebuild()
    found = [each for each, _ in search(index, direction(2), 50)]
    assert len(found) == 29
    assert set(found).isdisjoint(gone)
    assert first(index, 500) == library.vector_ids(news[0])[0]
    assert index.covered_seq < library.ask("SELECT value FROM counters")[0][0]


def test_a_build_that_is_stopped_or_cannot_be_saved_leaves_the_old_index_serving(library, folder, opened):
    fill(library, 20)
    index = opened()
    index.rebuild()
    fill(library, 5, start=20)
    index.rebuild(lambda: True)
    assert index.status().indexed == 20
    kept = [path.name for path in folder.iterdir()]
    folder.rename(folder.with_name("away"))
    folder.write_text("a file where the folder was")
    with pytest.raises(Exception, match="vectors"):
        index.rebuild()
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)
    assert len(search(index, direction(1), 50)) == 25


@pytest.mark.parametrize(("harm", "told"), [("full disk", DiskFullError), ("not a file", StoreError)])
def test_only_a_full_disk_is_called_full(library, folder, opened, monkeypatch, harm, told):
    photos = fill(library, 20)
    index = opened(build=build)
    write = faiss_file._write

    def write_harmed(index: object, path: Path) -> None:
        if harm == "full disk":
            path.symlink_to("/dev/full")
        else:
            path.mkdir()
        write(index, path)

    monkeypatch.setattr(faiss_file, "_write", write_harmed)
    with pytest.raises(told, match=SPACE) as caught:
        index.rebuild()
    assert type(caught.value) is told
    assert first(index, 3) == library.vector_ids(photos[3])[0]
    assert not list(folder.glob("*.json"))


def test_more_than_the_tail_may_hold_waits_for_the_build(library, opened, monkeypatch):
    monkeypatch.setattr(vectors, "TAIL_LIMIT", 10)
    monkeypatch.setattr(vectors, "_CHUNK", 10)
    fill(library, 35)
    index = opened()
    index.catch_up()
    assert (index.status().tail, index.status().waiting) == (10, 25)
    index.rebuild()
    assert (index.status().indexed, index.status().tail, index.status().waiting) == (35, 0, 0)


def test_searches_of_many_queries_agree_with_single_ones(library, opened):
    fill(library, 30)
    index = opened()
    queries = np.stack([direction(n) for n in (3, 4, 5)])
    many = index.find(queries, 4)
    assert [each.vector_ids.tolist() for each in many] == [[i for i, _ in search(index, q, 4)] for q in queries]


def test_an_index_that_is_replaced_can_be_searched_to_the_end(library, opened):
    fill(library, 300)
    index = opened(build=build, limits=Limits(exact=0))
    index.rebuild()
    before = index._built
    index.rebuild()
    assert before is not None
    assert index._built is not before
    assert len(before.search(direction(3)[np.newaxis], 200, None)[0]) == 200


def test_a_flaw_that_a_glance_misses_is_found_when_all_is_read(library, folder, opened, monkeypatch):
    for name, value in (("_BLOCK", 256), ("_SPOTS", 4), ("_SPOT", 16)):
        monkeypatch.setattr(faiss_file, name, value)
    photos = fill(library, 300)
    opened(build=build).rebuild()
    [path] = folder.glob("*.faiss")
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    index = opened(build=build)
    assert (index.fault, index.checked, index.is_due(idle=False)) == ("", False, False)
    index.check()
    assert path.name in index.fault
    assert index.is_due(idle=False)
    index.rebuild()
    assert (index.fault, index.checked) == ("", True)
    assert first(index, 11) == library.vector_ids(photos[11])[0]


def test_names_of_spaces_make_files_of_their_own():
    assert faiss_file.safe_name("a:b") != faiss_file.safe_name("a/b")
    assert "/" not in faiss_file.safe_name("../../etc/passwd")


def test_a_search_within_some_photos_finds_the_best_of_those(library, opened):
    photos = fill(library, 30)
    index = opened()
    [found] = index.find(direction(3)[np.newaxis], 2, np.array(photos[5:15]))
    assert set(found.photo_ids) <= set(photos[5:15])
    assert len(found) == 2
    assert found.similarities[0] >= found.similarities[1]
    [every] = index.find(direction(3)[np.newaxis], 2)
    assert every.photo_ids[0] == photos[3]


def test_an_index_of_another_library_is_not_searched(library, make_library, folder, opened, tmp_path):
    fill(library, 20)
    opened(build=build).rebuild()
    other = make_library(tmp_path / "other.db")
    photos = fill(other, 40, start=1000)
    index = SpaceIndexes(other.database, folder, IndexOptions(build=build)).get(SPACE)
    assert "another library" in index.fault
    found = index.find(np.stack([direction(1000 + n) for n in range(40)]), 1)
    assert [each.photo_ids.tolist() for each in found] == [[photo] for photo in photos]
    other.database.close()


def test_what_killed_builds_left_makes_room_for_the_next_one(library, folder, opened, monkeypatch):
    fill(library, 20)
    index = opened(build=build)
    index.rebuild()
    in_place = set(folder.iterdir())
    left = folder / f"{faiss_file.safe_name(SPACE)}.9-9-0a0b0c0d.faiss"
    left.write_bytes(b"half an index")

    def write(_index: object, path: Path) -> None:
        assert set(path.parent.iterdir()) == in_place, "what is in place stays, and nothing else"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(faiss_file, "_write", write)
    with pytest.raises(DiskFullError):
        index.rebuild()
    assert first(index, 3) == library.vector_ids(4)[0]


def test_vectors_that_leave_while_a_search_counts_them_do_not_disturb_it(library, opened):
    photos = fill(library, 20)
    index = opened(build=build)
    index.rebuild()
    library.remove(photos[0])
    index.catch_up()
    positions = index._built.positions
    mask = positions.mask(None)
    positions.remove(positions.vector_ids)
    assert np.count_nonzero(mask) == 19


def test_a_build_takes_no_module_from_the_folder_that_the_daemon_was_started_in(
    library, opened, tmp_path, monkeypatch
):
    fill(library, 20)
    (tmp_path / "faiss.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    index = opened()
    index.rebuild()
    assert index.status().indexed == 20
