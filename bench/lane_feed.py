"""One real lane, fed with pixels that lie ready in shared memory: what a lane costs without decode and commits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd.domain import PhotoInput
from imgd.pipeline.arena import MAX_PROCESSES, Arena, ArenaView
from imgd.pipeline.lanes import Lane
from imgd.pipeline.messages import AnalyzerOutcome, LaneItem, LaneSetup, Level
from imgd.pipeline.plan import make_spec
from imgd.pipeline.process import ChildStarter
from imgd.plugins import AnalyzerClass

Pixels = npt.NDArray[np.uint8]

_NEVER_S = 3600.0


class LaneFailedError(Exception):
    """The lane did not analyze what it was given; the message says why."""


class LaneFeed:
    """The main process's side of one lane. `photos` lie in shared memory, and go round until `count` were sent."""

    def __init__(
        self,
        starter: ChildStarter,
        analyzer: AnalyzerClass,
        settings: object,
        model_dirs: Mapping[str, Path],
        photos: Sequence[Pixels],
        *,
        device: str,
        memory_mb: int,
    ) -> None:
        self.name = analyzer.name
        edge = analyzer.needs.edge
        self._arena = Arena([edge], (len(photos) + 1) * (edge * edge * 3 + 4096))
        view = ArenaView(os.dup(self._arena.fd), self._arena.size_bytes, 0)
        self._levels = [_lay(view, self._arena.lend(), edge, pixels) for pixels in photos]
        self._left = 0
        self._done = asyncio.Event()
        self._reason = ""
        spec = make_spec(analyzer, settings, model_dirs, None)
        setup = LaneSetup(MAX_PROCESSES - 1, device, (spec,), self._arena.size_bytes, 0, memory_mb)
        self.lane = Lane(
            starter,
            self._arena,
            setup,
            {analyzer.name: analyzer.batch_size},
            self,
            batch_wait_s=0.25,
            timeout_s=600.0,
            idle_s=_NEVER_S,
        )

    @property
    def batch_size(self) -> int:
        """What the lane found for its memory; that which is declared before its first photo."""
        return self.lane.batch_sizes[self.name]

    async def analyze(self, count: int) -> float:
        """Seconds from the first photo that is sent to the last finding that is received.

        Raises:
            LaneFailedError: a photo has none.
        """
        levels = [self._levels[number % len(self._levels)] for number in range(count)]
        items = [
            LaneItem(number, b"/photos/%d.jpg" % number, "jpeg", level.width, level.height, level)
            for number, level in enumerate(levels)
        ]
        self._left = count
        self._done.clear()
        began = time.perf_counter()
        for item in items:
            self.lane.submit(self.name, item)
        await self._done.wait()
        wall_s = time.perf_counter() - began
        if self._reason:
            raise LaneFailedError(f"{self.name}: {self._reason}")
        return wall_s

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        del item, size_bytes
        self._reason = self._reason or outcome.reason
        self._left -= 1
        if not self._left:
            self._done.set()

    def item_returned(self, analyzer: str, item: LaneItem, reason: str) -> None:
        self.item_analyzed(item, AnalyzerOutcome(analyzer, reason=reason))

    def analyzers_unloadable(self, faults: dict[str, str]) -> None:
        self._reason = "; ".join(faults.values())

    def part_failed(self, name: str, error: BaseException) -> None:
        self._reason = f"{name}: {error!r}"
        self._done.set()

    def close(self) -> None:
        self._arena.close()


@asynccontextmanager
async def lane_feed(analyzer: AnalyzerClass, *arguments: Any, **options: Any) -> AsyncIterator[LaneFeed]:
    """A LaneFeed whose lane runs; neither it nor its processes are left."""
    starter = ChildStarter()
    feed = LaneFeed(starter, analyzer, *arguments, **options)
    feed.lane.start()
    try:
        yield feed
    finally:
        await feed.lane.stop()
        await starter.stop()
        feed.close()


def ready_batches(photos: Sequence[Pixels], count: int, batch_size: int) -> list[list[PhotoInput]]:
    """The same photos in the same order as `LaneFeed.analyze` sends them, in batches."""
    inputs = [
        PhotoInput(number, f"/photos/{number}.jpg", "jpeg", pixels.shape[1], pixels.shape[0], pixels)
        for number in range(count)
        for pixels in [photos[number % len(photos)]]
    ]
    return [inputs[start : start + batch_size] for start in range(0, count, batch_size)]


def _lay(view: ArenaView, offset: int, edge: int, pixels: Pixels) -> Level:
    view.memory[offset : offset + pixels.nbytes] = pixels.tobytes()
    return Level(edge, offset, pixels.shape[0], pixels.shape[1])
