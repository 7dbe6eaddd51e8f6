"""Pairs of codes that differ in few bits: the same as comparing each with each finds."""

from __future__ import annotations

import numpy as np
import pytest

from imgd.duplicates.hamming import close_pairs


def brute_force(codes: np.ndarray, least: int, most: int) -> set[tuple[int, int]]:
    distance = np.bitwise_count(codes[:, None] ^ codes[None])
    left, right = np.nonzero(np.triu((distance >= least) & (distance <= most), 1))
    return set(zip(left.tolist(), right.tolist(), strict=True))


def found(codes: np.ndarray, least: int, most: int) -> set[tuple[int, int]]:
    pairs = set()
    for left, right in close_pairs(codes, least, most):
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            assert a != b
            pairs.add((min(a, b), max(a, b)))
    return pairs


def codes_with_neighbours(seed: int) -> np.ndarray:
    """700 codes far apart, and for 300 of them one that differs in 0 to 12 bits."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 1 << 64, 700, dtype=np.uint64)
    flips = [
        sum(1 << int(bit) for bit in random.choice(64, int(random.integers(0, 13)), replace=False))
        for _ in range(300)
    ]
    return random.permutation(np.concatenate([codes, codes[:300] ^ np.array(flips, np.uint64)]))


@pytest.mark.parametrize(("least", "most"), [(0, 0), (1, 4), (0, 7), (5, 8), (0, 11)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_pair_within_the_bits_is_found_and_no_other(seed: int, least: int, most: int) -> None:
    codes = codes_with_neighbours(seed)
    expected = brute_force(codes, least, most)
    assert expected
    assert found(codes, least, most) == expected


def test_codes_that_are_all_alike_are_found_in_chunks() -> None:
    codes = np.repeat(np.array([7, 8], np.uint64), 1500)
    assert sum(len(left) for left, _ in close_pairs(codes, 0, 0)) == 2 * (1500 * 1499 // 2)


def test_there_are_no_pairs_without_codes() -> None:
    assert list(close_pairs(np.empty(0, np.uint64), 0, 8)) == []
