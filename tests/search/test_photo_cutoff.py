"""From where on two photos are alike by more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from grown_library import Library

from imgd.index.spaces import SpaceIndexes
from imgd.search.photo_cutoff import SAME, PhotoCutoffs

Vectors = npt.NDArray[np.float64]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.library = Library(folder / "library.db")
        self.spaces = SpaceIndexes(self.library.database, folder / "vectors")
        self.cutoffs = PhotoCutoffs()

    def add(self, vectors: Vectors) -> None:
        for number, each in enumerate(vectors):
            self.library.add(f"{self.spaces}{number}{each[0]}.jpg", vectors={"s": each})

    def least(self) -> float:
        index = self.spaces.get("s")
        assert index is not None
        cutoff = self.cutoffs.of_photos(index)
        assert cutoff is not None
        return cutoff.least


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.library.database.close()


def around(common: float, count: int, seed: int = 0) -> Any:
    """Unit vectors that share a direction to the amount `common`."""
    noise = np.random.default_rng(seed).standard_normal((count, 64))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    noise[:, 0] += common
    return noise / np.linalg.norm(noise, axis=1, keepdims=True)


@pytest.mark.parametrize("common", [0.0, 1.0, 5.0])
def test_few_pairs_are_above_the_limit_and_copies_always_are(bench: Bench, common: float) -> None:
    vectors = around(common, 120)
    bench.add(vectors)
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    least = bench.least()
    assert 0.0 < (pairs >= least).mean() < 0.1
    assert least < 0.999


def test_photos_that_are_all_alike_still_have_copies(bench: Bench) -> None:
    bench.add(around(100.0, 20))
    assert bench.least() < 0.999


@pytest.mark.parametrize("common", [0.0, 1.0, 5.0, 100.0])
def test_a_copy_counts_the_same_in_every_library(bench: Bench, common: float) -> None:
    bench.add(around(common, 20))
    index = bench.spaces.get("s")
    assert index is not None
    cutoff = bench.cutoffs.of_photos(index)
    assert cutoff is not None
    centre, scatter = cutoff.scale
    assert (1.0 - centre) / scatter == pytest.approx(SAME)


def test_one_photo_has_a_limit_and_none_has_not(bench: Bench) -> None:
    photo = bench.library.add("a.jpg", vectors={"s": around(0.0, 1)[0]})
    assert 0.0 <= bench.least() < 1.0
    bench.library.remove(photo)
    index = bench.spaces.get("s")
    assert index is not None
    assert PhotoCutoffs().of_photos(index) is None


def test_the_limit_is_measured_again_when_the_library_has_changed_much(bench: Bench) -> None:
    bench.add(around(0.0, 40))
    before = bench.least()
    bench.add(around(0.0, 1, seed=1))
    assert bench.least() == before
    bench.add(around(2.0, 80, seed=2))
    assert bench.least() > before
