from __future__ import annotations

import pytest

from imgd.pipeline.capacity import find_capacity

MB = 1 << 20


@pytest.mark.parametrize(
    ("wanted", "cores", "free_mb", "workers"),
    [(0, 2, 24_000, 2), (0, 64, 16_000, 20), (0, 8, 100, 1), (3, 8, 100, 3), (0, 4, None, 4)],
)
def test_there_is_a_worker_a_core_or_as_many_as_memory_feeds(
    wanted: int, cores: int, free_mb: int | None, workers: int
) -> None:
    assert find_capacity(wanted, cores, None if free_mb is None else free_mb * MB).workers == workers


def test_what_a_photo_may_take_at_once_is_a_worker_s_share_but_enough_for_an_ordinary_one() -> None:
    assert find_capacity(4, 8, 16_000 * MB).share_bytes == 2_000 * MB
    assert find_capacity(4, 8, 1_000 * MB).share_bytes == 400 * MB
