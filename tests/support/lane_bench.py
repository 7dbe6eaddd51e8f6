"""A real lane over toy analyzers, fed by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from imgd.pipeline.arena import MAX_PROCESSES, Arena, ArenaView
from imgd.pipeline.lanes import Lane
from imgd.pipeline.messages import AnalyzerOutcome, LaneItem, LaneSetup, Level
from imgd.pipeline.plan import make_spec
from imgd.pipeline.process import ChildStarter

NEVER_S = 3600.0


class Bench:
    """One lane, and what it said of its items."""

    def __init__(self, starter: ChildStarter, *names: str, memory_mb: int = 0, **settings: Any) -> None:
        import toy_analyzers
        import toy_models

        kinds = [getattr(toy_models, name, None) or getattr(toy_analyzers, name) for name in names]
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
                memory_mb,
            ),
            {kind.name: kind.batch_size for kind in kinds},
            self,
            **{"batch_wait_s": 0.05, "timeout_s": NEVER_S, "idle_s": NEVER_S} | settings,
        )
        self.lane.start()

    def submit(self, *names: str, analyzer: str = "report") -> None:
        for name in names:
            level = Level(8, self._offset, 8, 8)
            item = LaneItem(sum(map(ord, name)), os.fsencode(f"/{name}.jpg"), "jpeg", 8, 8, level)
            self.lane.submit(analyzer, item)

    async def hear(self, count: int) -> dict[str, AnalyzerOutcome]:
        """Outcomes by photo, once there are `count`."""
        async with asyncio.timeout(120):
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
        name = os.fsdecode(item.path)[1:-4]
        assert name not in self.outcomes
        self.outcomes[name] = outcome
        self._heard.set()

    def item_returned(self, analyzer: str, item: LaneItem, reason: str) -> None:
        self.item_analyzed(item, AnalyzerOutcome(analyzer, reason=reason, transient=True))

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
