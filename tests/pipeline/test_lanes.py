"""Batches of a real lane, and what becomes of a batch that kills it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from imgd.pipeline import lanes
from imgd.pipeline.arena import MAX_PROCESSES, Arena, ArenaView
from imgd.pipeline.lanes import Lane, find_devices
from imgd.pipeline.messages import AnalyzerOutcome, LaneItem, LaneSetup, Level
from imgd.pipeline.plan import make_spec
from imgd.pipeline.process import ChildStarter

NEVER_S = 3600.0


class Bench:
    """One lane, and what it said of its items."""

    def __init__(self, starter: ChildStarter, *names: str, **settings: Any) -> None:
        import toy_analyzers

        kinds = [getattr(toy_analyzers, name) for name in names]
        self.arena = Arena([8], 1 << 20)
        view = ArenaView(os.dup(self.arena.fd), self.arena.size_bytes, 0)
        self._offset = self.arena.lend()
        view.memory[self._offset : self._offset + 192] = bytes(range(192))
        self.outcomes: dict[str, AnalyzerOutcome] = {}
        self.faults: dict[str, str] = {}
        self.failed: list[BaseException] = []
        self._heard = asyncio.Event()
        self.lane = Lane(
            starter,
            self.arena,
            LaneSetup(
                MAX_PROCESSES - 1,
                "cpu",
                tuple(make_spec(kind, None, {}, None) for kind in kinds),
                self.arena.size_bytes,
                0,
            ),
            {kind.name: kind.batch_size for kind in kinds},
            self,
            **{"batch_wait_s": 0.05, "timeout_s": 20.0, "idle_s": NEVER_S} | settings,
        )
        self.lane.start()

    def submit(self, *names: str, analyzer: str = "report") -> None:
        for name in names:
            level = Level(8, self._offset, 8, 8)
            item = LaneItem(sum(map(ord, name)), os.fsencode(f"/{name}.jpg"), "jpeg", 8, 8, level)
            self.lane.submit(analyzer, item)

    async def hear(self, count: int) -> dict[str, AnalyzerOutcome]:
        """Outcomes by photo, once there are `count`."""
        async with asyncio.timeout(40):
            while len(self.outcomes) < count and not self.failed:
                self._heard.clear()
                await self._heard.wait()
        return self.outcomes

    def batches(self) -> dict[str, int]:
        return {name: self.facts(name)["batch"] for name in self.outcomes if self.outcomes[name].finding}

    def facts(self, name: str) -> dict[str, Any]:
        finding = self.outcomes[name].finding
        assert finding is not None
        return finding.facts

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        self.outcomes[os.fsdecode(item.path)[1:-4]] = outcome
        self._heard.set()

    def analyzers_unloadable(self, faults: dict[str, str]) -> None:
        self.faults |= faults

    def part_failed(self, name: str, error: BaseException) -> None:
        self.failed.append(error)
        self._heard.set()


@asynccontextmanager
async def running(*names: str, **settings: Any) -> AsyncIterator[tuple[Bench, ChildStarter]]:
    starter = ChildStarter()
    bench = Bench(starter, *names, **settings)
    try:
        yield bench, starter
    finally:
        await bench.lane.stop()
        await starter.stop()
        bench.arena.close()
    assert bench.failed == []


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


def test_a_photo_that_hangs_the_lane_is_found_too() -> None:
    async def work() -> None:
        async with running("Report", timeout_s=1.5) as (bench, _):
            bench.submit("a", "hang")
            outcomes = await bench.hear(2)
            assert outcomes["a"].finding is not None
            assert outcomes["hang"].reason == "report took longer than 1.5 s at it"

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
            async with asyncio.timeout(20):
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


def test_devices_are_taken_as_named_and_auto_means_every_gpu_or_else_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_GPUS", tmp_path / "gpus")
    assert find_devices(["auto"]) == ["cpu"]
    assert find_devices(["cuda:1", "cpu"]) == ["cuda:1", "cpu"]
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert find_devices(["auto"]) == ["cuda:0", "cuda:1"]
    assert find_devices(["cuda:1", "auto", "cpu"]) == ["cuda:1", "cuda:0", "cpu"]
