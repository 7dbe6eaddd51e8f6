"""Photos are found by their looks, within what a branch may find, above the cut-off of their space."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from imgd.search import pictures as pictures_module
from imgd.search.pictures import PictureSearch
from imgd.search.query_texts import QueryTexts
from imgd.search.rank import Likeness

SPACE = "meaning"


class Only:
    """A restriction to some photos, as a list or not."""

    def __init__(self, photo_ids: list[int], *, narrow: bool) -> None:
        self._all = np.array(sorted(photo_ids), np.int64)
        self.ids = self._all if narrow else None
        self.listed = 0

    def keep(self, photo_ids: np.ndarray) -> np.ndarray:
        return np.isin(photo_ids, self._all)

    def all_ids(self) -> np.ndarray:
        self.listed += 1
        return self._all


@pytest.fixture
def pictures(bench, tmp_path: Path) -> PictureSearch:
    return PictureSearch(bench.spaces, QueryTexts(bench.encoders, tmp_path / "cache"))


def find(pictures: PictureSearch, sentence: str, restriction: Only | None = None, k: int = 100) -> Likeness | None:
    words = sentence.split()
    return asyncio.run(pictures.find(SPACE, sentence, words, restriction, k))


def fill(bench, *shown: str) -> dict[str, int]:
    return {thing: bench.add(f"{thing}.jpg", thing) for thing in shown}


THINGS = ("cat", "dog", "rocket", "coffee", "beach", "tree", "house", "car", "boat", "bird", "moon")


def test_what_looks_like_the_query_is_found_first(bench, pictures):
    ids = fill(bench, *THINGS)
    found = find(pictures, "rocket")
    assert found.found()[0] == ids["rocket"]
    assert found.complete
    assert set(found.similarities) == set(ids.values())


def test_what_no_photo_shows_is_not_found_though_the_nearest_are_told(bench, pictures):
    fill(bench, *THINGS)
    found = find(pictures, "zeppelin")
    assert math.isinf(found.least)
    assert found.found() == []
    assert found.similarities


def test_a_sentence_is_found_by_two_of_its_words(bench, pictures):
    ids = fill(bench, *THINGS)
    found = find(pictures, "dog cat somewhere sometimes somehow")
    assert {ids["dog"], ids["cat"]} <= set(found.found())


@pytest.mark.parametrize("narrow", [True, False])
def test_a_restriction_leaves_only_its_photos(bench, pictures, narrow):
    ids = fill(bench, *THINGS)
    only = Only([ids["dog"], ids["cat"]], narrow=narrow)
    found = find(pictures, "dog", only)
    assert set(found.similarities) == {ids["dog"], ids["cat"]}


def test_a_broad_restriction_that_refuses_the_best_is_searched_within(bench, pictures, monkeypatch):
    monkeypatch.setattr(pictures_module, "_ASKED", 3)
    ids = fill(bench, *THINGS)
    only = Only([ids["cat"]], narrow=False)
    assert list(find(pictures, "dog", only, k=2).similarities) == [ids["cat"]]
    assert only.listed == 1


def test_a_library_without_vectors_of_a_space_has_no_likeness(pictures):
    assert find(pictures, "dog") is None


def test_more_photos_than_asked_for_make_the_answer_incomplete(bench, pictures):
    fill(bench, *THINGS)
    assert not find(pictures, "dog", k=3).complete
