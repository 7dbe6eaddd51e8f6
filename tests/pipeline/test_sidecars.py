"""A sidecar that comes while its photo is being analyzed: only what depends on sidecars is analyzed again."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline_library import Heard, Library, analyze_all, make_photos

from imgd.domain import Priority, SeenFile
from imgd.pipeline.plan import ActiveAnalyzer
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.store.readers import declare_reads
from imgd.store.sidecars import commit_sidecars, compare_sidecars

GENEROUS = 9
"""Photos that are let through the gate: more than should come to it."""


def put_sidecar(library: Library, active: list[ActiveAnalyzer], path: Path) -> Callable[[], None]:
    """Writes a sidecar and has it stored, as the watcher does; returns what waits until it is."""
    path.write_text("<xmp/>")
    seen = SeenFile.of(b"", path.name.encode(), path.stat())
    readers = [each.id for each in active if each.declaration.reads_sidecars]
    written = library.database.write(
        lambda c: commit_sidecars(c, compare_sidecars(c, 1, [seen]), readers, Priority.EVENT)
    )
    return written.result


def count(heard: Heard, active: list[ActiveAnalyzer]) -> tuple[dict[str, int], dict[str, int]]:
    """How many outcomes of each analyzer were committed, and how many were dropped."""
    names = {each.id: each.name for each in active}
    counted = Counter(names[each.analyzer_id] for commit in heard.commits for each in commit.counted)
    dropped = Counter(names[each.analyzer_id] for commit in heard.commits for each in commit.dropped)
    return dict(counted), dict(dropped)


def test_only_what_depends_on_sidecars_runs_again_where_one_comes_meanwhile(
    library: Library, let_through: Callable[[int], None]
) -> None:
    from toy_analyzers import Gated, Header, Shape
    from toy_chain import Echo

    active = library.activate(Gated, Header, Shape, Echo)
    library.database.write(lambda connection: declare_reads(connection, "echo", Echo.after)).result()
    make_photos(library, ["a.jpg"])

    async def add_sidecar(pipeline: Pipeline, _starter: ChildStarter) -> None:
        while not pipeline._flights.photo_ids:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        put_sidecar(library, active, library.root / "a.xmp")()
        pipeline.wake()
        let_through(GENEROUS)

    heard = asyncio.run(analyze_all(library, active, during=add_sidecar, until=lambda: library.owed() == 0))
    assert count(heard, active) == ({"gated": 1, "header": 1, "shape": 1, "echo": 1}, {"header": 1, "echo": 1})
    assert library.findings("header")["a.jpg"]["sidecars"] == ["a.xmp"]
    assert library.findings("echo")["a.jpg"]["sidecars"] == ["a.xmp"]
    assert library.rows("SELECT DISTINCT generation, revision FROM findings") == [(1, 2)], "none is stale"
    known = library.rows("SELECT width, height, route LIKE 'dct%', fingerprint IS NOT NULL FROM photos")
    assert known == [(600, 400, True, True)], "what was decoded is not forgotten, nor decoded again"


def test_what_is_dropped_runs_again_though_the_rest_of_its_photo_is_still_on_its_way(
    library: Library, let_through: Callable[[int], None]
) -> None:
    from toy_analyzers import Header, LaneGated

    active = library.activate(Header, LaneGated)
    make_photos(library, ["a.jpg"])
    go_on = threading.Event()

    async def add_sidecar(pipeline: Pipeline, _starter: ChildStarter) -> None:
        library.database.write(lambda _: go_on.wait())
        stored = put_sidecar(library, active, library.root / "a.xmp")
        flights = pipeline._flights
        while not any(each.in_lanes for each in flights._flights.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        go_on.set()
        stored()
        while any(each.uncommitted for each in flights._flights.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        let_through(GENEROUS)

    heard = asyncio.run(analyze_all(library, active, during=add_sidecar, until=lambda: library.owed() == 0))
    assert count(heard, active) == ({"header": 1, "lanegated": 1}, {"header": 1})
    assert library.findings("header")["a.jpg"]["sidecars"] == ["a.xmp"]
    assert library.rows("SELECT DISTINCT revision FROM findings") == [(2,)]


def test_what_came_to_be_owed_of_a_photo_on_its_way_follows_once_that_has_landed(
    library: Library, let_through: Callable[[int], None]
) -> None:
    from toy_analyzers import Header, LaneGated
    from toy_chain import Echo

    active = library.activate(Header, Echo)
    make_photos(library, ["a.jpg"])
    asyncio.run(analyze_all(library, active))
    active = library.activate(Header, Echo, LaneGated)
    library.database.write(lambda connection: declare_reads(connection, "echo", Echo.after)).result()
    put_sidecar(library, active, library.root / "a.xmp")()

    async def let_on(pipeline: Pipeline, _starter: ChildStarter) -> None:
        while library.findings("header")["a.jpg"]["sidecars"] == []:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert pipeline._flights.photo_ids
        let_through(GENEROUS)

    heard = asyncio.run(analyze_all(library, active, during=let_on, until=lambda: library.owed() == 0))
    assert count(heard, active) == ({"header": 1, "lanegated": 1, "echo": 1}, {})
    assert library.findings("echo")["a.jpg"]["sidecars"] == ["a.xmp"]


@pytest.mark.parametrize("gone", [False, True])
def test_a_failure_at_the_file_counts_though_a_sidecar_comes_meanwhile(library: Library, gone: bool) -> None:
    from toy_analyzers import Header, Shape

    active = library.activate(Header, Shape)
    broken = library.root / "broken.jpg"
    broken.write_bytes(b"not a photo at all")
    library.register(broken)
    if gone:
        broken.unlink()
    go_on = threading.Event()

    async def add_sidecar(pipeline: Pipeline, _starter: ChildStarter) -> None:
        library.database.write(lambda _: go_on.wait())
        put_sidecar(library, active, library.root / "broken.xmp")
        flights = pipeline._flights
        while not any(each.uncommitted for each in flights._flights.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        go_on.set()

    heard = asyncio.run(analyze_all(library, active, during=add_sidecar))
    counted, dropped = count(heard, active)
    assert (counted.keys(), dropped) == ({"header", "shape"}, {"header": 1})
    if gone:
        put_off = library.rows("SELECT DISTINCT reason FROM jobs WHERE state = 'owed' AND not_before > 0")
        assert (library.owed(), put_off) == (2, [("the file is not there",)])
    else:
        assert set(library.failures()) == {("broken.jpg", "shape")}
        assert library.findings("header")["broken.jpg"]["sidecars"] == ["broken.xmp"]
