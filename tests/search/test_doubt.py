"""A match by tags of which their analyzer was not sure is doubtful; any other is not."""

from __future__ import annotations

import pytest

from imgd.index.words import Words
from imgd.search.doubt import Doubts


@pytest.fixture
def doubts(bench) -> Doubts:
    return Doubts(bench.library.database, Words(bench.text))


def test_only_unsure_tags_are_doubtful(bench, doubts):
    unsure = bench.add("a.jpg", tags={"train": 0.5})
    sure = bench.add("b.jpg", tags={"train": 0.9})
    both = bench.add("c.jpg", tags={"train": 0.5, "steam train": 0.8})
    keyword = bench.add("d.jpg", texts=[("keyword", "train")])
    caption = bench.add("e.jpg", tags={"train": 0.5}, texts=[("caption", "a train")])
    named = bench.add("train.jpg", tags={"train": 0.5})
    bench.refresh()
    assert doubts.of('"train"', [unsure, sure, both, keyword, caption, named]) == {unsure}


def test_words_are_compared_as_the_text_index_does(bench, doubts):
    sure = bench.add("a.jpg", tags={"Crêpes": 0.9})
    bench.refresh()
    assert doubts.of('"crepe"', [sure]) == frozenset()


def test_a_word_that_stands_elsewhere_vouches_for_the_others(bench, doubts):
    photo = bench.add("a.jpg", tags={"train": 0.5}, texts=[("caption", "red")])
    bench.refresh()
    assert doubts.of('"red" OR "train"', [photo]) == frozenset()


def test_nothing_found_is_nothing_doubted(doubts):
    assert doubts.of('"train"', []) == frozenset()
