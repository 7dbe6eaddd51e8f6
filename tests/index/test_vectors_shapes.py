"""Every shape of a vector index finds what exact search finds, in all photos and within any of them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgd.index.build import build
from imgd.index.built import Breadth, Narrowness
from imgd.index.shapes import Kind, Limits
from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import IndexOptions, SpaceIndex
from imgd.store.changes import next_change_seq

D = 32
COUNT = 3_000
NARROW = Narrowness(few=100, gathered=250, wide=0.2)

LIMITS = {
    Kind.EXACT: Limits(),
    Kind.CODES: Limits(exact=0),
    Kind.SIEVE: Limits(exact=0, codes=0),
    Kind.LISTS: Limits(exact=0, codes=0, sieve=0, scanned=1.0),
}

Floats = npt.NDArray[np.float32]


def points(rng: np.random.Generator, count: int, dimensions: int = D) -> Floats:
    """As photos lie: around some centres, L2-normalised."""
    centres = rng.standard_normal((max(1, count // 250), dimensions))
    made = 0.7 * centres[rng.integers(0, len(centres), count)] + rng.standard_normal((count, dimensions))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def put(library, vectors: Floats, folder: str = "") -> list[int]:
    """A photo for each vector, in one commit."""
    photos = library.add_many([f"{n}.jpg" for n in range(len(vectors))], folder=folder)

    def work(connection: sqlite3.Connection) -> None:
        next_change_seq(connection)
        connection.execute("INSERT OR IGNORE INTO spaces (name, dimensions) VALUES ('s', ?)", (vectors.shape[1],))
        connection.executemany(
            "INSERT INTO vectors (space_id, photo_id, analyzer_id, generation, data)"
            " SELECT id, ?, 1, 1, ? FROM spaces WHERE name = 's'",
            [(photo, each.astype(np.float16).tobytes()) for photo, each in zip(photos, vectors, strict=True)],
        )

    library.database.write(work).result()
    return photos


def open_index(library, folder: Path, kind: Kind, narrowness: Narrowness = NARROW) -> SpaceIndex:
    options = IndexOptions(limits=LIMITS[kind], narrowness=narrowness, build=build)
    index = SpaceIndexes(library.database, folder, options).get("s")
    assert index is not None
    return index


def best(vectors: Floats, photos: Sequence[int], query: Floats, k: int, within: set[int]) -> list[int]:
    """Brute force, by the values as they are stored."""
    similarities = vectors.astype(np.float16).astype(np.float32) @ query
    return [photos[at] for at in np.argsort(-similarities) if photos[at] in within][:k]


def queries_of(vectors: Floats, seed: int) -> Floats:
    """A photo-like, a text-like and a far-off one."""
    rng = np.random.default_rng(seed)
    near, shared, noise = vectors[seed % len(vectors)], rng.standard_normal(D), rng.standard_normal(D)
    scale = D**0.5
    made = np.stack([near + 0.3 * noise / scale, 0.25 * scale * near + 0.7 * shared + 0.6 * noise, noise])
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_restricted_search_finds_what_brute_force_does(library, tmp_path, kind):
    vectors = points(np.random.default_rng(1), COUNT + 100)
    photos = put(library, vectors[:COUNT])
    built = open_index(library, tmp_path / "vectors", kind)
    built.rebuild()
    photos += put(library, vectors[COUNT:], "late")  # these are in the tail
    index = open_index(library, tmp_path / "vectors", kind)
    index.catch_up()
    for photo in (gone := set(photos[5::97])):
        library.remove(photo)
    index.catch_up()
    status = index.status()
    assert (status.kind, status.indexed, status.tail, status.removed) == (kind, COUNT, 100, len(gone))
    recalls: defaultdict[float, list[float]] = defaultdict(list)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(share=st.sampled_from([0.0, 0.003, 0.06, 0.15, 0.3, 0.7, 1.0]), seed=st.integers(0, 10_000))
    def check(share: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(photos, round(share * len(photos)), replace=False)).astype(np.int64)
        allowed = set(chosen.tolist()) - gone
        queries = queries_of(vectors, seed)
        for query, found in zip(queries, index.find(queries, 20, chosen), strict=True):
            expected = best(vectors, photos, query, 20, allowed)
            assert len(found) == len(expected)
            assert set(found.photo_ids.tolist()) <= allowed
            assert np.all(np.diff(found.similarities) <= 0)
            if expected:
                recalls[share].append(len(set(expected) & set(found.photo_ids.tolist())) / len(expected))

    check()
    assert {share: recall for share, each in recalls.items() if (recall := np.mean(each)) < 0.99} == {}


@pytest.mark.parametrize("kind", list(Kind))
def test_an_index_opened_again_answers_as_the_one_that_was_built(library, tmp_path, kind):
    vectors = points(np.random.default_rng(2), COUNT)
    photos = put(library, vectors)
    index = open_index(library, tmp_path / "vectors", kind)
    index.rebuild()
    again = open_index(library, tmp_path / "vectors", kind)
    for query in queries_of(vectors, 7):
        [mine], [theirs] = index.find(query[np.newaxis], 50), again.find(query[np.newaxis], 50)
        assert mine.photo_ids.tolist() == theirs.photo_ids.tolist()
        expected = best(vectors, photos, query, 50, set(photos))
        assert len(set(mine.photo_ids.tolist()) & set(expected)) >= 49


@pytest.mark.parametrize("kind", [Kind.SIEVE, Kind.LISTS])
def test_a_sieve_that_finds_too_little_gives_way_to_codes_of_eight_bits(library, tmp_path, kind, monkeypatch):
    put(library, points(np.random.default_rng(3), COUNT))
    monkeypatch.setattr("imgd.index.build.choose_breadth", poor_recall)
    index = open_index(library, tmp_path / "vectors", kind)
    index.rebuild()
    assert index.status().kind == "sq8"


def poor_recall(*_asked: object) -> tuple[Breadth, float]:
    return Breadth(), 0.5


@pytest.mark.parametrize("kind", [Kind.SIEVE, Kind.LISTS])
def test_photos_far_from_the_query_are_found_within_themselves(library, tmp_path, kind):
    vectors = points(np.random.default_rng(4), COUNT)
    query = np.random.default_rng(5).standard_normal(D).astype(np.float32)
    query /= np.linalg.norm(query)
    photos = np.array(put(library, vectors))
    index = open_index(library, tmp_path / "vectors", kind, Narrowness(few=10, gathered=10, wide=0.1))
    index.rebuild()
    farthest = np.sort(photos[np.argsort(vectors @ query)[: COUNT // 4]])
    [found] = index.find(query[np.newaxis], 20, farthest)
    expected = best(vectors, photos.tolist(), query, 20, set(farthest.tolist()))
    assert len(set(found.photo_ids.tolist()) & set(expected)) >= 19


def test_lists_of_which_most_are_needed_give_way_to_a_sieve_without(library, tmp_path):
    put(library, points(np.random.default_rng(6), COUNT))
    limits = Limits(exact=0, codes=0, sieve=0, scanned=0.0)
    index = SpaceIndexes(library.database, tmp_path / "vectors", IndexOptions(limits=limits, build=build)).get("s")
    assert index is not None
    index.rebuild()
    assert index.status().kind == Kind.SIEVE
