"""How long photos take is measured where they are worked on, and stored with what was found."""

from __future__ import annotations

import asyncio

from pipeline_library import Library, analyze_all, make_photos

from imgd.pipeline.costs import BatchClock
from imgd.store.costs import DECODE_FILE, read_costs


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_analyzer_and_the_decoding_are_measured_where_they_run(library: Library) -> None:
    from toy_analyzers import Header, Lane, Shape

    active = library.activate(Shape, Header, Lane)
    make_photos(library, [f"{number}.jpg" for number in range(10)])
    asyncio.run(analyze_all(library, active))
    with library.database.read() as connection:
        costs = read_costs(connection)
    assert {task: (each.device, each.photos) for task, each in costs.items()} == {
        "shape": ("", 10.0),
        "header": ("", 10.0),
        "lane": ("cpu", 10.0),
        DECODE_FILE: ("", 10.0),
    }
    assert all(each.seconds > 0 and not each.outdated for each in costs.values())


def test_a_batch_takes_what_it_occupies_its_lane_without_the_wait_for_those_before_it() -> None:
    clock = Clock()
    lane = BatchClock(clock)
    lane.sent()
    lane.sent()
    clock.now += 4.0
    assert lane.done() == 4.0
    clock.now += 2.0
    assert lane.done() == 2.0
    clock.now += 50.0  # nothing to do
    lane.sent()
    clock.now += 3.0
    assert lane.done() == 3.0


def test_batches_that_a_lane_lost_are_not_measured() -> None:
    clock = Clock()
    lane = BatchClock(clock)
    lane.sent()
    lane.forget()
    clock.now += 9.0
    lane.sent()
    clock.now += 1.0
    assert lane.done() == 1.0
