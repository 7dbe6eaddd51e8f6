from __future__ import annotations

import pytest

from imgd.pipeline.rates import WINDOW_S, RateMeter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_what_was_never_counted_has_no_rate(clock):
    assert RateMeter(clock).per_second("a") == 0


def test_a_rate_is_of_the_time_since_the_first_count(clock):
    meter = RateMeter(clock)
    for _ in range(11):
        meter.count(["a", "a", "b"])
        clock.now += 1
    clock.now -= 1
    assert meter.per_second("a") == pytest.approx(2.2)
    assert meter.per_second("b") == pytest.approx(1.1)


def test_the_first_moment_gives_no_huge_rate(clock):
    meter = RateMeter(clock)
    meter.count(["a"] * 5)
    assert meter.per_second("a") == 5


def test_what_is_older_than_the_window_is_forgotten(clock):
    meter = RateMeter(clock)
    meter.count(["a"] * 600)
    clock.now += WINDOW_S / 2
    meter.count(["a"] * 30)
    clock.now += WINDOW_S / 2 + 1
    assert meter.per_second("a") == pytest.approx(30 / 31)
    clock.now += WINDOW_S
    assert meter.per_second("a") == 0
