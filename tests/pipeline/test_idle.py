"""Analyzers that wait for imgd to be idle, beside others that do not."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_library import Heard, Library, analyze_all, make_photos, with_pipeline, write_photo

from imgd.domain import Priority, RunMode
from imgd.pipeline.idleness import Idleness
from imgd.pipeline.plan import ActiveAnalyzer
from imgd.pipeline.pool import TASKS_AHEAD
from imgd.pipeline.scheduler import Pipeline
from imgd.store.findings import Committed

AT_WORKERS = 2 * (TASKS_AHEAD + 1)
"""How many photos two workers take at most before one is done."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def active(library: Library) -> list[ActiveAnalyzer]:
    """`shape` runs always, `header` on idle."""
    from toy_analyzers import Header, Shape

    shape, header = library.activate(Shape, Header)
    return [shape, dataclasses.replace(header, run=RunMode.IDLE)]


@pytest.fixture
def gated(library: Library) -> list[ActiveAnalyzer]:
    """`shape` runs always, and `gated` on idle: no more photos of it than are let through."""
    from toy_analyzers import Gated, Shape

    shape, gated = library.activate(Shape, Gated)
    return [shape, dataclasses.replace(gated, run=RunMode.IDLE)]


def order(library: Library, heard: Heard) -> list[tuple[str, int]]:
    """(analyzer, photo) as they were committed."""
    names = dict(library.rows("SELECT id, name FROM analyzers"))
    return [(names[each.analyzer_id], each.photo_id) for commit in heard.commits for each in commit.counted]


def test_what_waits_for_idleness_begins_when_all_else_is_committed(
    library: Library, active: list[ActiveAnalyzer]
) -> None:
    make_photos(library, [f"{number}.jpg" for number in range(12)])
    heard = asyncio.run(analyze_all(library, active, idleness=Idleness(0.0), until=lambda: library.owed() == 0))
    assert [name for name, _ in order(library, heard)] == ["shape"] * 12 + ["header"] * 12


def test_nothing_begins_while_somebody_searches_but_what_was_asked_for(
    library: Library, active: list[ActiveAnalyzer]
) -> None:
    clock = Clock()
    idleness = Idleness(60.0, clock)
    make_photos(library, [f"{number}.jpg" for number in range(6)])
    library.database.write(
        lambda c: c.execute(
            "UPDATE jobs SET priority = ? WHERE photo_id = 2 AND analyzer_id = ?",
            (int(Priority.REQUEST), active[1].id),
        )
    ).result()
    asyncio.run(analyze_all(library, active, idleness=idleness))
    assert len(library.findings("shape")) == 6
    assert list(library.findings("header")) == ["1.jpg"]

    async def grow_idle(pipeline: Pipeline, _starter: Any) -> None:
        clock.now += 60.0
        pipeline.wake()

    asyncio.run(
        analyze_all(library, active, idleness=idleness, during=grow_idle, until=lambda: library.owed() == 0)
    )
    assert len(library.findings("header")) == 6


def test_a_search_ends_what_waits_for_idleness(
    library: Library, gated: list[ActiveAnalyzer], let_through: Callable[[int], None]
) -> None:
    clock = Clock()
    idleness = Idleness(60.0, clock)
    clock.now += 60.0
    make_photos(library, [f"{number}.jpg" for number in range(40)])
    library.database.write(lambda c: c.execute("DELETE FROM jobs WHERE analyzer_id = ?", (gated[0].id,))).result()
    library.settings = with_pipeline(library.settings, commit_photos=1)
    let_through(4)

    def search(_committed: Committed) -> None:
        idleness.disturb()
        let_through(40)

    heard = asyncio.run(
        analyze_all(library, gated, idleness=idleness, on_commit=search, until=lambda: library.owed() < 40)
    )
    assert 1 <= len(order(library, heard)) <= 4 + AT_WORKERS
    assert library.owed() == 40 - len(order(library, heard))


def test_a_new_photo_goes_before_all_that_waits_for_idleness(
    library: Library, gated: list[ActiveAnalyzer], let_through: Callable[[int], None]
) -> None:
    make_photos(library, [f"{number}.jpg" for number in range(60)])
    library.database.write(lambda c: c.execute("DELETE FROM jobs WHERE analyzer_id = ?", (gated[0].id,))).result()
    library.settings = with_pipeline(library.settings, commit_photos=4)
    let_through(4)
    pipelines: list[Pipeline] = []

    async def remember(pipeline: Pipeline, _starter: Any) -> None:
        pipelines.append(pipeline)

    def add_photo(_committed: Committed) -> None:
        if not library.rows("SELECT id FROM photos WHERE display_name = 'new.jpg'"):
            library.register(write_photo(library.root / "new.jpg", (300, 200)))  # no copy of another one
            pipelines[0].wake()
            let_through(60)

    heard = asyncio.run(
        analyze_all(
            library,
            gated,
            idleness=Idleness(0.0),
            during=remember,
            on_commit=add_photo,
            until=lambda: library.owed() == 0,
        )
    )
    committed = order(library, heard)
    assert len(committed) == 62
    assert committed.index(("shape", 61)) <= 4 + AT_WORKERS


def test_what_is_read_of_the_queue_as_imgd_is_woken_holds_up_nobody(
    library: Library, active: list[ActiveAnalyzer]
) -> None:
    idleness = Idleness(60.0, clock := Clock())
    clock.now += 60.0
    woken = threading.Event()
    make_photos(library, [f"{number}.jpg" for number in range(6)])
    library.database.write(lambda c: c.execute("DELETE FROM jobs WHERE analyzer_id = ?", (active[0].id,))).result()

    async def wake_as_it_reads(pipeline: Pipeline, _starter: Any) -> None:
        loop, read = asyncio.get_running_loop(), pipeline._read_page

        def wake() -> None:
            idleness.disturb()
            pipeline.wake()
            woken.set()

        def read_and_wake(position: Any, skip: Any, waiting: Any) -> Any:
            page = read(position, skip, waiting)
            if page[0].photos:
                loop.call_soon_threadsafe(wake)
                woken.wait()
            return page

        pipeline._read_page = read_and_wake  # type: ignore[method-assign]

    heard = asyncio.run(
        analyze_all(library, active, idleness=idleness, during=wake_as_it_reads, until=woken.is_set)
    )
    assert order(library, heard) == []
    assert library.owed() == 6
