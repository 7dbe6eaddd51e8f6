"""The cut-off of a space comes from its own library and follows it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from imgd.search.cutoff import Cutoff, Cutoffs, measure


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_chance_is_where_most_pairs_lie_whatever_a_few_matches_do():
    rng = np.random.default_rng(0)
    background, vectors = unit(rng.standard_normal((50, 64))), unit(rng.standard_normal((400, 64)))
    vectors[:20] = background[:20]
    cutoff = measure(background, vectors)
    assert cutoff.centre == pytest.approx(0.0, abs=0.02)
    assert cutoff.scatter == pytest.approx(1 / 8, rel=0.1)


def test_a_space_whose_similarities_lie_high_has_a_high_cutoff():
    rng = np.random.default_rng(0)
    shift = np.zeros(64)
    shift[0] = 16.0
    lifted = measure(unit(rng.standard_normal((50, 64)) + shift), unit(rng.standard_normal((400, 64)) + shift))
    assert lifted.centre > 0.7


def test_a_query_matches_when_its_best_photo_stands_out():
    cutoff = Cutoff(0.5, 0.1)
    assert math.isinf(cutoff.least(0.8))
    assert cutoff.least(0.85) == pytest.approx(0.7)
    assert cutoff.least(0.95) == pytest.approx(0.75)


def test_a_sentence_also_matches_by_two_of_its_words():
    cutoff = Cutoff(0.5, 0.1)
    assert math.isinf(cutoff.least(0.6, [0.78, 0.55, 0.5]))
    assert math.isinf(cutoff.least(0.6, [0.7, 0.7, 0.7]))
    assert cutoff.least(0.6, [0.78, 0.77, 0.5]) == pytest.approx(0.4)


def test_one_word_that_stands_out_by_far_is_enough_for_a_sentence():
    assert math.isfinite(Cutoff(0.5, 0.1).least(0.6, [0.95, 0.6, 0.5]))


def test_a_cutoff_stays_until_it_is_renewed_and_is_stale_when_the_space_has_changed(bench):
    bench.add("a.jpg", "cat")
    index = bench.spaces.get("meaning")
    background = unit(np.random.default_rng(0).standard_normal((20, 64)))
    cutoffs = Cutoffs()
    before = cutoffs.of(index, background)
    assert not cutoffs.is_stale(index, background)
    bench.add("b.jpg", "dog")
    index.catch_up()
    assert cutoffs.is_stale(index, background)
    assert cutoffs.of(index, background) is before
    cutoffs.renew(index, background)
    assert not cutoffs.is_stale(index, background)
    assert cutoffs.of(index, background) is not before


def test_a_cutoff_that_few_texts_gave_is_stale_once_all_are_there(bench):
    bench.add("a.jpg", "cat")
    index = bench.spaces.get("meaning")
    background = unit(np.random.default_rng(0).standard_normal((20, 64)))
    cutoffs = Cutoffs()
    cutoffs.of(index, background[:5])
    assert cutoffs.is_stale(index, background)


def test_the_sample_of_a_small_library_tells_the_best_photo_of_a_word(bench):
    for name, thing in (("a.jpg", "cat"), ("b.jpg", "dog")):
        bench.add(name, thing)
    index = bench.spaces.get("meaning")
    query = unit(np.random.default_rng(0).standard_normal((1, 64)))
    measured = Cutoffs().of(index, query)
    assert measured.best(query)[0] == pytest.approx(index.find(query[:1], 1)[0].similarities[0], abs=1e-3)
    assert measured.best(query[:0]) == []


def test_captions_must_stand_out_more_and_are_compared_as_a_whole():
    cutoff = Cutoff(0.1, 0.1, of_texts=True)
    assert math.isinf(cutoff.least(0.55))
    assert math.isinf(cutoff.least(0.55, [0.9, 0.9]))
    assert cutoff.least(0.65) == pytest.approx(0.58)
    assert cutoff.least(0.9) == pytest.approx(0.7)
