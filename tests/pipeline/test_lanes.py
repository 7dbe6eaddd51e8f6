"""Batches of a real lane, and what becomes of a batch that kills it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from lane_bench import NEVER_S, running
from pipeline_library import AheadClock

from imgd.pipeline import lanes
from imgd.pipeline.arena import MAX_PROCESSES
from imgd.pipeline.lanes import MAX_KILLS
from imgd.pipeline.messages import LaneBatch


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_MAX_STARTS", 2)


def test_full_batches_go_at_once_and_the_rest_when_its_time_has_come() -> None:
    async def work() -> None:
        async with running("Report") as (bench, _):
            bench.submit(*"abcdef")
            assert bench.lane.backlog == 6
            await bench.hear(6)
            assert bench.batches() == dict.fromkeys("abcd", 4) | dict.fromkeys("ef", 2)
            assert bench.lane.backlog == 0
            assert bench.facts("a")["pixels"] == [0, 1, 2]

    asyncio.run(work())


def test_a_batch_waits_for_its_time_to_fill() -> None:
    async def work() -> None:
        async with running("Report", batch_wait_s=NEVER_S) as (bench, _):
            bench.submit(*"abcde")
            await bench.hear(4)
            assert bench.lane.backlog == 1
            bench.submit(*"fgh")
            await bench.hear(8)
            assert set(bench.batches().values()) == {4}

    asyncio.run(work())


def test_the_analyzers_of_a_lane_share_its_process() -> None:
    async def work() -> None:
        async with running("Report", "Lane") as (bench, starter):
            bench.submit("a", "b")
            bench.submit("c", analyzer="lane")
            await bench.hear(3)
            assert bench.facts("a")["pid"] == bench.facts("c")["pid"]
            assert len(starter.pids) == 2

    asyncio.run(work())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("crash", "report was killed by signal 11 at it"), ("leave", "report ended with status 0 at it")],
)
def test_a_batch_that_ends_the_lane_is_halved_until_the_photo_is_found(bad: str, reason: str) -> None:
    async def work() -> None:
        async with running("Report") as (bench, _):
            bench.submit("a", "b", bad, "d", *"efgh")
            outcomes = await bench.hear(8)
            assert outcomes[bad].reason == reason
            assert not outcomes[bad].transient
            assert {name for name, outcome in outcomes.items() if outcome.finding} == set("abdefgh")

    asyncio.run(work())


def test_a_photo_that_hangs_the_lane_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = AheadClock()
    monkeypatch.setattr(lanes, "time", clock)

    async def work() -> None:
        async with running("Report", timeout_s=600.0) as (bench, _):
            bench.submit("a", "hang")
            for hanging in ("report 1", "report 3"):  # both together; then each alone
                while bench.arena.read_line(MAX_PROCESSES - 1) != hanging:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                clock.ahead_s += 600.0
                bench.lane._changed.set()
            outcomes = await bench.hear(2)
            assert outcomes["a"].finding is not None
            assert outcomes["hang"].reason == "report took longer than 600 s at it"

    asyncio.run(work())


def test_a_lane_that_is_killed_from_outside_costs_no_photo() -> None:
    async def work() -> None:
        async with running("Report") as (bench, _):
            bench.submit("a")
            await bench.hear(1)
            bench.submit(*"bcdefghi")
            await asyncio.sleep(0)
            os.kill(bench.facts("a")["pid"], signal.SIGKILL)
            outcomes = await bench.hear(9)
            assert all(outcome.finding for outcome in outcomes.values())

    asyncio.run(work())


def test_a_lane_that_is_killed_again_and_again_costs_no_photo_and_no_analyzer() -> None:
    async def work() -> None:
        async with running("Report") as (bench, starter):
            bench.submit("a")
            await bench.hear(1)
            killed = 0
            for number in range(MAX_KILLS):
                bench.submit(*(f"{100 + 4 * number + place}" for place in range(4)))
                await asyncio.sleep(0)
                while set(starter.pids[1:]) <= {killed}:  # noqa: ASYNC110 - it had answered before it was killed
                    await asyncio.sleep(0.01)
                (killed,) = set(starter.pids[1:]) - {killed}
                os.kill(killed, signal.SIGKILL)
                await bench.hear(5 + 4 * number)
            assert all(outcome.finding for outcome in bench.outcomes.values())
            assert bench.faults == {}

    asyncio.run(work())


def test_a_lane_survives_the_death_of_the_nursery() -> None:
    async def work() -> None:
        async with running("Report") as (bench, starter):
            bench.submit("a")
            await bench.hear(1)
            os.kill(starter.pids[0], signal.SIGKILL)
            bench.submit("b")
            assert (await bench.hear(2))["b"].finding is not None

    asyncio.run(work())


def test_an_idle_lane_unloads_its_models_and_the_next_photo_starts_it_again() -> None:
    async def work() -> None:
        async with running("Report", idle_s=0.1) as (bench, starter):
            bench.submit("a")
            await bench.hear(1)
            while len(starter.pids) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            bench.submit("b")
            await bench.hear(2)
            assert bench.facts("a")["pid"] != bench.facts("b")["pid"]

    asyncio.run(work())


def test_an_analyzer_that_raises_when_loaded_gives_its_items_back_and_others_go_on() -> None:
    async def work() -> None:
        async with running("Report", "LaneUnloadable") as (bench, _):
            bench.submit("a", analyzer="laneunloadable")
            bench.submit("b")
            outcomes = await bench.hear(2)
            assert outcomes["a"].transient
            assert outcomes["b"].finding is not None
            assert bench.faults == {"laneunloadable": "ImportError: a library is missing"}
            bench.submit("c", analyzer="laneunloadable")
            assert (await bench.hear(3))["c"].reason == "ImportError: a library is missing"

    asyncio.run(work())


def test_an_analyzer_whose_loading_ends_the_process_is_named() -> None:
    async def work() -> None:
        async with running("CrashingLoad") as (bench, _):
            bench.submit("a", analyzer="crashingload")
            outcomes = await bench.hear(1)
            assert outcomes["a"].transient
            reason = "the lane was killed by signal 11 while it loaded crashingload"
            assert bench.faults == {"crashingload": reason}

    asyncio.run(work())


def test_one_analyzer_that_cannot_be_loaded_does_not_keep_the_others_from_starting() -> None:
    async def work() -> None:
        async with running("CrashingLoad", "Report") as (bench, _):
            bench.submit("a", analyzer="crashingload")
            bench.submit("b")
            outcomes = await bench.hear(2)
            assert outcomes["a"].transient
            assert outcomes["b"].finding is not None
            assert set(bench.faults) == {"crashingload"}
            assert bench.lane.hosts("report")
            assert not bench.lane.hosts("crashingload")

    asyncio.run(work())


def test_an_analyzer_that_kills_the_lane_at_every_photo_is_set_aside_and_no_photo_fails_for_it() -> None:
    async def work() -> None:
        async with running("Deadly", "Report") as (bench, _):
            bench.submit(*(f"{number}" for number in range(100, 106)), analyzer="deadly")
            bench.submit(*"abcdefgh")
            outcomes = await bench.hear(14)
            assert all(outcomes[name].finding for name in "abcdefgh")
            assert all(outcomes[f"{number}"].transient for number in range(100, 106))
            reason = "deadly was killed by signal 11 at 3 photos in a row"
            assert bench.faults == {"deadly": reason}

    asyncio.run(work())


def test_while_the_photo_is_looked_for_that_kills_one_analyzer_the_others_get_their_turn() -> None:
    async def work() -> None:
        async with running("LaneCrash", "Report") as (bench, _):
            bench.submit("a", "bad1", *"cdefgh", analyzer="lanecrash")
            bench.submit(*"ijklmnop")
            await bench.hear(16)
            heard = list(bench.outcomes)
            assert bench.outcomes["bad1"].reason == "lanecrash was killed by signal 11 at it"
            assert max(heard.index(name) for name in "ijkl") < heard.index("bad1")
            assert bench.faults == {}

    asyncio.run(work())


def test_a_batch_too_large_for_the_memory_is_halved_and_no_photo_fails() -> None:
    async def work() -> None:
        async with running("Hungry", memory_mb=64) as (bench, _):
            bench.submit(*"abcdefghijklmnop", analyzer="hungry")
            outcomes = await bench.hear(16)
            assert all(outcome.finding for outcome in outcomes.values())
            assert set(bench.batches().values()) == {2}
            assert bench.lane.batch_sizes == {"hungry": 2}

    asyncio.run(work())


def test_a_photo_that_does_not_fit_by_itself_fails_with_a_plain_reason() -> None:
    async def work() -> None:
        async with running("Hungry", memory_mb=64) as (bench, _):
            bench.submit("huge", analyzer="hungry")
            outcome = (await bench.hear(1))["huge"]
            assert outcome.reason == "not enough memory for this photo on cpu (`lanes.memory_mb`)"
            assert not outcome.transient

    asyncio.run(work())


def test_a_lane_that_has_lost_its_memory_is_replaced_and_no_photo_fails() -> None:
    async def work() -> None:
        async with running("Leaky", memory_mb=64) as (bench, _):
            names = [f"{number}" for number in range(100, 112)]
            bench.submit(*names, analyzer="leaky")
            outcomes = await bench.hear(12)
            assert all(outcome.finding for outcome in outcomes.values())
            assert len({bench.facts(name)["pid"] for name in names}) > 1
            assert bench.faults == {}

    asyncio.run(work())


def test_a_batch_whose_size_kills_the_lane_makes_the_next_ones_smaller() -> None:
    async def work() -> None:
        async with running("Bursting", batch_wait_s=NEVER_S) as (bench, _):
            bench.submit(*"abcdefgh", analyzer="bursting")
            outcomes = await bench.hear(8)
            assert all(outcome.finding for outcome in outcomes.values())
            assert bench.lane.batch_sizes == {"bursting": 4}
            bench.submit(*"ijkl", analyzer="bursting")
            await bench.hear(12)
            assert bench.facts("i")["batch"] == 4

    asyncio.run(work())


def test_a_lane_makes_its_batches_as_large_as_its_memory_allows() -> None:
    async def work() -> None:
        async with running("Measured", memory_mb=100) as (bench, _):
            bench.submit(*"abcdefghijklmnop", analyzer="measured")
            await bench.hear(16)
            assert set(bench.batches().values()) <= {8, 16}
            assert bench.lane.batch_sizes == {"measured": 8}

    asyncio.run(work())


def test_a_batch_is_begun_before_the_last_one_is_finished() -> None:
    async def work() -> None:
        async with running("Ahead") as (bench, _):
            bench.submit("a>", "b", "c>", "d", "e>", "f", "g", "h", analyzer="ahead")
            await bench.hear(8)
            assert bench.facts("a>")["calls"] == ["begin a>", "begin c>", "finish a>"]
            assert bench.facts("g")["calls"][-3:] == ["begin g", "finish e>", "finish g"]

    asyncio.run(work())


def test_a_batch_that_kills_the_lane_while_it_is_begun_ahead_is_the_one_that_is_blamed() -> None:
    async def work() -> None:
        async with running("Ahead") as (bench, _):
            bench.submit("a", "b", "crash", "d", analyzer="ahead")
            outcomes = await bench.hear(4)
            assert outcomes["crash"].reason == "ahead was killed by signal 11 at it"
            assert bench.facts("a")["batch"] == 2
            assert bench.facts("d")["batch"] == 1

    asyncio.run(work())


def test_a_device_that_is_lost_at_what_is_begun_is_not_laid_at_the_door_of_the_batch_before() -> None:
    async def work() -> None:
        async with running("Ahead", "Report") as (bench, _):
            bench.submit(*"abcd", "lose", "f", *"gh", analyzer="ahead")
            bench.submit(*"ijkl")
            outcomes = await bench.hear(12)
            assert {name for name, outcome in outcomes.items() if not outcome.finding} == {"lose"}
            assert bench.facts("a")["batch"] == bench.facts("c")["batch"] == 2
            assert bench.faults == {}

    asyncio.run(work())


def test_a_suspected_batch_is_alone_in_the_lane() -> None:
    async def work() -> None:
        async with running("Report", "Ahead") as (bench, _):
            bench.submit("a", "crash", "c", "d")
            for number in range(10, 20):
                bench.submit(f"{number}", analyzer="ahead")
            beside = []
            send = bench.lane._next_batch

            def note() -> LaneBatch | None:
                batch = send()
                if batch is not None:
                    beside.append((batch, len(bench.lane._sent)))
                return batch

            bench.lane._next_batch = note  # type: ignore[method-assign]
            outcomes = await bench.hear(14)
            assert {name for name, outcome in outcomes.items() if not outcome.finding} == {"crash"}
            suspected = [place for place, (batch, _) in enumerate(beside) if batch.analyzer == "report"][1:]
            assert len(suspected) >= 4
            assert all(beside[place][1] == 0 for place in suspected)
            assert all(beside[place + 1][1] == 0 for place in suspected if place + 1 < len(beside))

    asyncio.run(work())


def test_an_analyzer_that_hangs_when_its_idle_lane_closes_it_costs_no_photo() -> None:
    async def work() -> None:
        async with running("LaneClinging") as (bench, starter):
            bench.submit("a", analyzer="laneclinging")
            await bench.hear(1)
            (pid,) = starter.pids[1:]
            bench.lane._idle_s, bench.lane._timeout_s = 0.0, 0.5
            bench.lane._changed.set()
            while pid in starter.pids:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            bench.lane._idle_s = bench.lane._timeout_s = NEVER_S
            bench.submit("b", analyzer="laneclinging")
            outcomes = await bench.hear(2)
            assert all(outcome.finding for outcome in outcomes.values())

    asyncio.run(work())


def test_a_device_that_fails_ends_the_lane_and_only_the_photo_that_it_failed_at_fails() -> None:
    async def work() -> None:
        async with running("Ahead") as (bench, _):
            bench.submit("a", "b", "assert", "d", *"ef", analyzer="ahead")
            outcomes = await bench.hear(6)
            assert "CUDA error: device-side assert" in outcomes["assert"].reason
            assert {name for name, outcome in outcomes.items() if outcome.finding} == set("abdef")

    asyncio.run(work())
