"""The pipeline over real files, with real workers and lanes."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pipeline_library import AheadClock, Library, analyze_all, make_photos, with_pipeline, write_photo

from imgd.config import LaneSettings
from imgd.pipeline import pool
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.store.jobs import QueuePosition

NEVER_S = 3600.0


def test_every_owed_analyzer_gets_each_photo_at_its_own_size(library: Library) -> None:
    from toy_analyzers import Header, Lane, Shape

    active = library.activate(Shape, Header, Lane)
    make_photos(library, [f"{number}.jpg" for number in range(10)])
    asyncio.run(analyze_all(library, active))
    shapes = library.findings("shape")
    assert len(shapes) == 10
    assert shapes["0.jpg"] == {"pixels_wide": 200, "pixels_high": 133, "full": [600, 400], "format": "jpeg"}
    lanes = library.findings("lane")
    assert len(lanes) == 10
    assert lanes["0.jpg"]["pixels"] == [43, 64, 3]
    assert lanes["0.jpg"]["shape_said"] == 200
    assert library.findings("header")["0.jpg"]["bytes"] == (library.root / "0.jpg").stat().st_size
    assert library.owed() == 0
    assert library.failures() == {}


def test_lanes_receive_batches(library: Library) -> None:
    from toy_analyzers import Lane

    library.settings = dataclasses.replace(
        library.settings, lanes=LaneSettings(devices=("cpu",), batch_wait_s=NEVER_S)
    )
    active = library.activate(Lane)
    make_photos(library, [f"{number}.jpg" for number in range(16)])
    asyncio.run(analyze_all(library, active))
    assert {facts["batch"] for facts in library.findings("lane").values()} == {4}


def test_a_model_analyzer_says_what_runs_it_and_where(library: Library) -> None:
    from toy_analyzers import Lane, Shape

    active = library.activate(Shape, Lane)
    make_photos(library, ["a.jpg"])
    heard = asyncio.run(analyze_all(library, active))
    assert heard.pipeline is not None
    assert heard.pipeline.devices_of("lane") == ["cpu"]
    assert heard.pipeline.runtimes_of("lane") == ["numpy on cpu"]
    assert heard.pipeline.devices_of("shape") == heard.pipeline.runtimes_of("shape") == []


def test_findings_vectors_and_tags_are_stored(library: Library) -> None:
    from toy_analyzers import Lane

    active = library.activate(Lane)
    make_photos(library, ["a.jpg"])
    asyncio.run(analyze_all(library, active))
    assert library.rows("SELECT label, score FROM tags JOIN labels ON labels.id = label_id") == [("toy", 0.5)]
    assert library.rows("SELECT name, dimensions FROM spaces") == [("toy:3", 3)]
    assert len(library.rows("SELECT data FROM vectors")[0][0]) == 6


def test_one_analyzer_alone_is_decoded_for_at_its_own_size(library: Library) -> None:
    from toy_analyzers import Header, Shape

    active = library.activate(Shape, Header)
    paths = [write_photo(library.root / "a.jpg", (4000, 3000))]
    library.register(*paths)
    asyncio.run(analyze_all(library, active[1:]))
    assert library.rows("SELECT route FROM photos") == [(None,)]
    asyncio.run(analyze_all(library, active))
    assert library.rows("SELECT route, width, height FROM photos") == [("dct 1/8", 4000, 3000)]


def test_a_broken_image_fails_with_its_reason_and_still_gives_what_needs_no_pixels(library: Library) -> None:
    from toy_analyzers import Header, Lane, Shape

    active = library.activate(Shape, Header, Lane)
    broken = library.root / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    library.register(broken)
    asyncio.run(analyze_all(library, active))
    failures = library.failures()
    assert set(failures) == {("broken.jpg", "shape"), ("broken.jpg", "lane")}
    assert all(failures.values())
    assert set(library.findings("header")) == {"broken.jpg"}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Crash", "signal 11"),
        ("LaneCrash", "signal 11"),
        ("Raise", "no such thing"),
        ("Nan", "NaN"),
        ("Refuse", "not my kind"),
        ("Quit", "ended with status 0"),
        ("OddReason", "a list"),
        ("Huge", "too large"),
        ("LaneHuge", "too large"),
    ],
)
def test_a_bad_analyzer_costs_only_its_finding_of_the_bad_photo(library: Library, kind: str, reason: str) -> None:
    import toy_analyzers

    bad = getattr(toy_analyzers, kind)
    active = library.activate(toy_analyzers.Header, bad)
    make_photos(library, [f"{number}.jpg" for number in range(12)] + ["bad.jpg"])
    asyncio.run(analyze_all(library, active))
    assert len(library.findings(bad.name)) == 12
    assert reason in library.failures()["bad.jpg", bad.name]
    assert len(library.findings("header")) >= 12
    assert library.owed() == 0


def test_a_photo_that_hangs_its_worker_costs_nothing_but_itself(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_analyzers import Hang, Header

    clock = AheadClock()
    monkeypatch.setattr(pool, "time", clock)
    active = library.activate(Header, Hang)
    make_photos(library, [f"{number}.jpg" for number in range(6)] + ["bad.jpg"])
    bad, hangs = os.fsencode(library.root / "bad.jpg"), library.root / "bad.hangs"

    async def run_out_of_time(pipeline: Pipeline, _starter: ChildStarter) -> None:
        (hand,) = pipeline._pool._hands
        while not hangs.exists() or hand.tasks[0].path != bad:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.ahead_s = library.settings.decode.timeout_s

    asyncio.run(analyze_all(library, active, workers=1, during=run_out_of_time))
    assert library.failures() == {("bad.jpg", "hang"): "analyzer hang: it took longer than 120 s"}
    assert len(library.findings("hang")) == 6
    assert len(library.findings("header")) == 7
    assert library.owed() == 0


@pytest.mark.parametrize("kind", ["Unloadable", "LaneUnloadable"])
def test_an_analyzer_that_cannot_be_loaded_is_named_and_its_jobs_stay_owed(library: Library, kind: str) -> None:
    import toy_analyzers

    bad = getattr(toy_analyzers, kind)
    active = library.activate(toy_analyzers.Header, bad)
    make_photos(library, [f"{number}.jpg" for number in range(5)])
    heard = asyncio.run(analyze_all(library, active))
    assert heard.broke == {bad.name: "ImportError: a library is missing"}
    assert len(library.findings("header")) == 5
    assert library.owed() == 5


def test_a_file_that_changed_since_it_was_registered_is_reported_and_stays_owed(library: Library) -> None:
    from toy_analyzers import Shape

    active = library.activate(Shape)
    (path,) = make_photos(library, ["a.jpg"])
    write_photo(path, (1000, 900))
    heard = asyncio.run(analyze_all(library, active))
    assert heard.changed[0] == os.fsencode(path)
    assert library.findings("shape") == {}
    assert library.owed() == 1


def test_a_change_while_a_photo_is_analyzed_is_never_lost(library: Library) -> None:
    from toy_analyzers import Shape

    active = library.activate(Shape)
    paths = make_photos(library, [f"{number}.jpg" for number in range(30)])

    async def change(pipeline: Pipeline, _starter: ChildStarter) -> None:
        for path in paths:
            write_photo(path, (300, 300))
            library.register(path)
            pipeline.wake()
            await asyncio.sleep(0.005)

    asyncio.run(analyze_all(library, active, during=change, until=lambda: library.owed() == 0))
    assert {tuple(facts["full"]) for facts in library.findings("shape").values()} == {(300, 300)}


def test_a_photo_that_comes_due_while_the_rest_of_the_queue_is_read_is_tried_then(
    library: Library, let_through: Callable[[int], None]
) -> None:
    from toy_analyzers import Gated

    active = library.activate(Gated)
    make_photos(library, [f"{number:03}.jpg" for number in range(600)])
    put_off = "UPDATE jobs SET not_before = ? WHERE photo_id = (SELECT MIN(id) FROM photos)"
    library.database.write(lambda c: c.execute(put_off, (time.time() + 3600,))).result()

    async def come_due(pipeline: Pipeline, _starter: ChildStarter) -> None:
        let_through(1)
        while not library.findings("gated"):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
        assert pipeline.busy
        library.database.write(lambda c: c.execute(put_off, (time.time(),))).result()
        let_through(600)

    asyncio.run(analyze_all(library, active, during=come_due, until=lambda: library.owed() == 0))
    assert len(library.findings("gated")) == 600


def test_commits_under_load_hold_fifty_photos_each(library: Library) -> None:
    from toy_analyzers import Header, Shape

    library.settings = with_pipeline(library.settings, commit_photos=50, commit_interval_s=NEVER_S)
    active = library.activate(Shape, Header)
    make_photos(library, [f"{number:03}.jpg" for number in range(400)])
    heard = asyncio.run(analyze_all(library, active))
    assert len(library.findings("shape")) == 400
    assert len(heard.commits) <= 400 // 50


def test_the_last_photos_are_committed_at_once_though_they_came_during_a_commit(
    library: Library, let_through: Callable[[int], None]
) -> None:
    from toy_analyzers import Gated

    library.settings = with_pipeline(library.settings, commit_photos=2, commit_interval_s=NEVER_S)
    active = library.activate(Gated)
    make_photos(library, ["a.jpg", "b.jpg", "c.jpg"])
    go_on = threading.Event()

    async def hold_up_the_commit(pipeline: Pipeline, _starter: ChildStarter) -> None:
        flights = pipeline._flights

        def state() -> tuple[int, int]:
            """How many photos are done, and how many of them wait for a commit to begin."""
            return sum(not each.is_out for each in flights._flights.values()), flights.committer.backlog

        library.database.write(lambda _: go_on.wait())
        for count, reached in ((2, (2, 0)), (1, (3, 1))):
            let_through(count)
            while state() != reached:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        go_on.set()

    heard = asyncio.run(analyze_all(library, active, during=hold_up_the_commit))
    assert [len(each.counted) for each in heard.commits] == [2, 1]


def test_no_process_is_left_behind(library: Library) -> None:
    from toy_analyzers import Lane, Shape

    active = library.activate(Shape, Lane)
    make_photos(library, [f"{number}.jpg" for number in range(5)])
    pids: list[int] = []

    async def note(pipeline: Pipeline, starter: ChildStarter) -> None:
        while pipeline.busy:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        pids.extend(starter.pids)

    asyncio.run(analyze_all(library, active, during=note))
    assert len(pids) >= 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_pipeline_that_has_stopped_holds_no_memory_that_the_next_one_counts_on(library: Library) -> None:
    from toy_analyzers import Lane, Shape

    active = library.activate(Shape, Lane)
    make_photos(library, [f"{number}.jpg" for number in range(5)])

    async def stop(pipeline: Pipeline, starter: ChildStarter) -> None:
        while pipeline.busy:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert len(starter.pids) >= 3
        await pipeline.stop()
        assert set(starter.names().values()) == {"imgd-nursery"}

    asyncio.run(analyze_all(library, active, during=stop))


def test_a_job_owed_anew_while_its_photo_is_in_flight_is_done_too(library: Library) -> None:
    from toy_analyzers import Header, Slow

    active = library.activate(Header, Slow)
    make_photos(library, ["a.jpg"])

    async def owe_again(pipeline: Pipeline, _starter: ChildStarter) -> None:
        while not library.findings("header"):  # noqa: ASYNC110 - the lane still has the photo
            await asyncio.sleep(0.02)
        library.database.write(
            lambda connection: connection.execute(
                "INSERT INTO jobs (photo_id, analyzer_id, priority)"
                " SELECT 1, id, 10 FROM analyzers WHERE name = 'header'"
            )
        ).result()
        pipeline.wake()

    asyncio.run(analyze_all(library, active, during=owe_again))
    assert library.owed() == 0


def test_a_job_owed_anew_while_its_photo_is_claimed_is_done_too(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_analyzers import Header, Slow

    active = library.activate(Header, Slow)
    make_photos(library, ["a.jpg"])
    library.database.write(
        lambda c: c.execute(
            "DELETE FROM jobs WHERE analyzer_id = (SELECT id FROM analyzers WHERE name = 'header')"
        )
    ).result()

    async def owe_while_claimed(pipeline: Pipeline, _starter: ChildStarter) -> None:
        loop, read_page = asyncio.get_running_loop(), pipeline._read_page

        def read_and_owe(position: QueuePosition, skip: frozenset[int], waiting: Sequence[int]) -> object:
            page = read_page(position, skip, waiting)
            monkeypatch.setattr(pipeline, "_read_page", read_page)
            library.database.write(
                lambda c: c.execute(
                    "INSERT INTO jobs (photo_id, analyzer_id, priority)"
                    " SELECT 1, id, 10 FROM analyzers WHERE name = 'header'"
                )
            ).result()
            loop.call_soon_threadsafe(pipeline.wake)
            return page

        monkeypatch.setattr(pipeline, "_read_page", read_and_owe)

    asyncio.run(analyze_all(library, active, during=owe_while_claimed))
    assert set(library.findings("header")) == {"a.jpg"}
    assert library.owed() == 0


def test_a_photo_whose_analyzer_breaks_before_its_commit_does_not_stay_in_flight(library: Library) -> None:
    from toy_analyzers import Header, Shape

    library.settings = with_pipeline(library.settings, commit_interval_s=0.5)
    active = library.activate(Shape, Header)
    make_photos(library, ["a.jpg"])

    async def break_it(pipeline: Pipeline, _starter: ChildStarter) -> None:
        flights = pipeline._flights
        while not flights.committer.backlog:  # noqa: ASYNC110 - its outcomes wait for their commit
            await asyncio.sleep(0)
        flights.analyzers_unloadable({"shape": "it broke"})

    heard = asyncio.run(analyze_all(library, active, during=break_it))
    assert heard.broke["shape"] == "it broke"


def test_a_file_that_cannot_be_read_for_long_fails_at_last(library: Library) -> None:
    from toy_analyzers import Shape

    active = library.activate(Shape)
    (path,) = make_photos(library, ["a.jpg"])
    path.unlink()
    library.database.write(lambda connection: connection.execute("UPDATE jobs SET attempts = 8")).result()
    asyncio.run(analyze_all(library, active))
    assert library.failures() == {("a.jpg", "shape"): "the file is not there"}
