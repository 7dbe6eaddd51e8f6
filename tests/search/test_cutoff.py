"""The cut-off of a space comes from its own library and follows it."""

from __future__ import annotations

import numpy as np
import pytest

from imgd.search.cutoff import Cutoffs, measure


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_chance_is_where_most_pairs_lie_whatever_a_few_matches_do():
    rng = np.random.default_rng(0)
    background, vectors = unit(rng.standard_normal((50, 64))), unit(rng.standard_normal((400, 64)))
    vectors[:20] = background[:20]
    cutoff = measure(background, vectors)
    assert cutoff.centre == pytest.approx(0.0, abs=0.02)
    assert cutoff.scatter == pytest.approx(1 / 8, rel=0.1)
    assert cutoff.of_sentence(0.2) < cutoff.least < 0.5


def test_a_space_whose_similarities_lie_high_has_a_high_cutoff():
    rng = np.random.default_rng(0)
    shift = np.zeros(64)
    shift[0] = 16.0
    lifted = measure(unit(rng.standard_normal((50, 64)) + shift), unit(rng.standard_normal((400, 64)) + shift))
    assert lifted.centre > 0.7


def test_a_cutoff_is_measured_again_when_the_space_has_changed(bench):
    bench.add("a.jpg", "cat")
    index = bench.spaces.get("meaning")
    background = unit(np.random.default_rng(0).standard_normal((20, 64)))
    cutoffs = Cutoffs()
    before = cutoffs.of(index, background)
    assert cutoffs.of(index, background) is before
    bench.add("b.jpg", "dog")
    assert cutoffs.of(index, background) is not before
