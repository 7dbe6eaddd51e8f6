"""Photos are found by tags that are near in meaning to the words of a query."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imgd.errors import ModelMissingError
from imgd.search import labels as labels_module
from imgd.search.meaning import Meaning, Near
from imgd.search.query_texts import QueryTexts

SPACE = "meaning"
_D = 32

KINDS = {"dog": ("puppy", "golden retriever", "terrier"), "cat": ("kitten", "tabby"), "boat": ("yacht",)}
"""Words that mean nearly the same as another one."""


def direction(text: str) -> npt.NDArray[np.float32]:
    own = np.random.default_rng(list(text.encode())).standard_normal(_D)
    return (own / np.linalg.norm(own)).astype(np.float32)


def meaning_of(text: str) -> npt.NDArray[np.float32]:
    """A kind's own direction, or 0.8 of that of the kind it belongs to."""
    text = text.lower()
    for kind, members in KINDS.items():
        if text in members:
            mixed = 0.8 * direction(kind) + 0.6 * direction(text)
            return (mixed / np.linalg.norm(mixed)).astype(np.float32)
    return direction(text)


class KindEncoders:
    """Encodes by kinds; keeps the texts it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.missing = False
        self.turned = False

    def spaces(self) -> Sequence[str]:
        return (SPACE,)

    def of_texts(self) -> Collection[str]:
        return ()

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return ()

    def background(self, space: str) -> Sequence[str]:
        return ("sea", "sky", "house", "tree")

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        if self.missing:
            raise ModelMissingError("minilm-l6-v2")
        self.asked += texts
        rows = np.stack([meaning_of(text) for text in texts])
        return rows[:, ::-1].copy() if self.turned else rows


class Asked:
    """A library that is asked by meaning, with tags encoded before each question."""

    def __init__(self, library, folder: Path) -> None:
        self.library = library
        self.folder = folder
        self.encoders = KindEncoders()
        self.restart()

    def restart(self) -> None:
        self.meaning = Meaning(self.library.database, QueryTexts(self.encoders, self.folder), self.folder)

    def find(self, *words: str, within: Sequence[int] | None = None) -> Near | None:
        async def ask() -> Near | None:
            await self.meaning.warm(SPACE)
            ids = None if within is None else np.array(within, np.int64)
            return await self.meaning.find(SPACE, words, ids)

        return asyncio.run(ask())


@pytest.fixture
def asked(bench, tmp_path: Path) -> Asked:
    return Asked(bench.library, tmp_path / "cache")


def test_a_word_finds_the_tags_that_mean_nearly_the_same(asked):
    retriever = asked.library.add("a.jpg", tags=[("golden retriever", 0.9)])
    asked.library.add("b.jpg", tags=[("yacht", 0.9)])
    near = asked.find("puppy")
    assert list(near.scores) == [retriever]
    assert near.reasons(retriever) == [f"puppy ~ golden retriever {cosine('puppy', 'golden retriever'):.2f}"]


def cosine(one: str, other: str) -> float:
    return float(meaning_of(one) @ meaning_of(other))


def test_nearer_and_surer_tags_count_more(asked):
    sure, unsure, farther, _ = (
        asked.library.add(name, tags=tags)
        for name, tags in (
            ("a.jpg", [("dog", 0.9)]),
            ("b.jpg", [("dog", 0.3)]),
            ("c.jpg", [("terrier", 0.3)]),
            ("d.jpg", [("yacht", 1.0)]),
        )
    )
    scores = asked.find("dog").scores
    assert scores[sure] > scores[unsure] > scores[farther] > 0


def test_the_best_tag_of_a_photo_counts_for_each_word(asked):
    both = asked.library.add("a.jpg", tags=[("dog", 0.9), ("terrier", 0.8), ("yacht", 0.9)])
    one = asked.library.add("b.jpg", tags=[("dog", 0.9), ("terrier", 0.8)])
    asked.library.add("c.jpg")
    near = asked.find("dog", "boat")
    assert near.scores[both] > near.scores[one]
    assert near.reasons(both) == ["tag: dog 0.90", f"boat ~ yacht {cosine('boat', 'yacht'):.2f}"]


def test_a_rare_word_counts_more_than_a_common_one(asked):
    dogs = [asked.library.add(f"{n}.jpg", tags=[("dog", 0.9)]) for n in range(5)]
    yacht = asked.library.add("y.jpg", tags=[("boat", 0.9)])
    scores = asked.find("dog", "boat").scores
    assert scores[yacht] > max(scores[each] for each in dogs)


def test_what_a_detector_found_counts_more_than_a_label(asked):
    label = asked.library.add("a.jpg", tags=[("cat", 0.9)])
    found = asked.library.add("b.jpg", regions=[("object", "dog")])
    asked.library.add("c.jpg")
    scores = asked.find("cat", "dog").scores
    assert scores[found] == pytest.approx(1.5 * scores[label], rel=0.01)


def test_only_photos_within_the_given_ones_are_found(asked):
    ids = [asked.library.add(f"{n}.jpg", tags=[("terrier", 0.9)]) for n in range(4)]
    asked.library.add("e.jpg")
    assert set(asked.find("dog", within=ids[1:3]).scores) == set(ids[1:3])


def test_sure_photos_have_a_tag_of_nearly_the_same_meaning_for_every_word(asked):
    full = asked.library.add("a.jpg", tags=[("dog", 0.9), ("boat", 0.8)])
    asked.library.add("b.jpg", tags=[("dog", 0.9)])
    asked.library.add("c.jpg", tags=[("dog", 0.9), ("boat", 0.5)])
    assert asked.find("dog", "boat").sure == {full}


def test_the_best_scored_photos_of_a_common_tag_are_taken(asked, monkeypatch):
    monkeypatch.setattr("imgd.search.meaning.MOST_TAGS_A_LABEL", 2)
    ids = [asked.library.add(f"{n}.jpg", tags=[("dog", score)]) for n, score in enumerate((0.5, 0.9, 0.7, 0.9))]
    assert set(asked.find("dog").scores) == {ids[1], ids[3]}


def test_the_newest_of_equally_scored_photos_are_taken(asked, monkeypatch):
    monkeypatch.setattr("imgd.search.meaning.MOST_TAGS_A_LABEL", 2)
    ids = [asked.library.add(f"{n}.jpg", tags=[("dog", 1.0)]) for n in range(5)]
    assert set(asked.find("dog").scores) == set(ids[-2:])


def test_a_new_tag_is_encoded_once_and_kept_over_a_restart(asked):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.find("dog")
    asked.find("dog")
    assert asked.encoders.asked.count("terrier") == 1
    for name in ("kitten", "tabby", "yacht"):
        asked.library.add(f"{name}.jpg", tags=[(name, 0.9)])
    asked.find("dog")
    asked.encoders.asked.clear()
    asked.restart()
    assert asked.find("cat").scores
    tags = {"terrier", "kitten", "tabby", "yacht"}
    assert len(tags & set(asked.encoders.asked)) == 2  # to see that the model is the same


def test_a_model_that_has_changed_encodes_every_tag_anew(asked):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.library.add("b.jpg", tags=[("yacht", 0.9)])
    assert asked.find("dog").scores
    asked.encoders.turned = True
    asked.restart()
    assert asked.find("dog").scores


def test_a_torn_file_of_vectors_is_made_again(asked):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.find("dog")
    for file in asked.folder.iterdir():
        file.write_bytes(file.read_bytes()[:-40])
    asked.restart()
    assert asked.find("dog").scores


def test_without_its_model_a_space_has_no_near_tags(asked):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.encoders.missing = True
    assert asked.find("dog") is None


def test_a_search_uses_the_tags_encoded_so_far_and_does_not_wait(asked):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])

    async def ask() -> tuple[Near | None, Near | None]:
        first = await asked.meaning.find(SPACE, ["dog"], None)
        await asked.meaning.warm(SPACE)
        return first, await asked.meaning.find(SPACE, ["dog"], None)

    first, second = asyncio.run(ask())
    assert first is None
    assert second.scores


@pytest.fixture
def counts(asked, monkeypatch) -> list[object]:
    """An item for each tag, each time that the tags of the library are counted."""
    counted: list[object] = []
    read = labels_module.Label

    def made(*row: object) -> labels_module.Label:
        counted.append(row)
        return read(*row)

    monkeypatch.setattr(labels_module, "Label", made)
    return counted


def test_searches_count_the_tags_again_once_a_minute_though_new_ones_come_all_the_time(asked, counts, monkeypatch):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.find("dog")
    asked.library.add("b.jpg", tags=[("tabby", 0.9)])

    async def ask() -> Near | None:
        await asked.meaning.find(SPACE, ["cat"], None)
        await asyncio.gather(*(each for each in asyncio.all_tasks() if each.get_name() == f"labels of {SPACE}"))
        return await asked.meaning.find(SPACE, ["cat"], None)

    counts.clear()
    assert not asyncio.run(ask()).scores
    assert not counts
    monkeypatch.setattr(labels_module, "_RECOUNT_NEW_S", 0.0)
    assert asyncio.run(ask()).scores


def test_a_space_without_its_model_does_not_have_the_tags_counted_by_every_search(asked, counts):
    asked.library.add("a.jpg", tags=[("terrier", 0.9)])
    asked.encoders.missing = True
    assert [asked.find("dog") for _ in range(3)] == [None, None, None]
    assert len(counts) == 1


def test_the_tags_with_the_most_photos_are_compared(asked, monkeypatch):
    monkeypatch.setattr(labels_module, "MOST_LABELS", 1)
    for n in range(3):
        asked.library.add(f"{n}.jpg", tags=[("terrier", 0.9)])
    rare = asked.library.add("r.jpg", tags=[("dog", 0.9)])
    near = asked.find("dog")
    assert near.scores
    assert rare not in near.scores
