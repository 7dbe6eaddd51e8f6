"""The main process's side of the lanes: batches that fill or time out, and a dead lane's batch halved until the
photo that kills it is found."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imgd.pipeline.arena import Arena
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.messages import AnalyzerOutcome, LaneBatch, LaneItem, LaneResult, LaneSetup, Ready
from imgd.pipeline.pool import describe_exit
from imgd.pipeline.process import Child, ChildStarter
from imgd.pipeline.tasks import start_task

log = logging.getLogger(__name__)

BATCHES_AHEAD = 2
"""Batches a lane has at hand: the one it computes, and the next."""
_MAX_STARTS = 3
MAX_DEATHS = 2
"""How often a lane may die at one photo, alone in its batch, before that photo fails."""
_GPUS = Path("/proc/driver/nvidia/gpus")

LaneChannel = AsyncChannel[LaneBatch, Ready | LaneResult]


class LaneListener(Protocol):
    """Whoever hears what became of a lane's items."""

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        """`size_bytes`: of the outcome as it was sent, about."""

    def analyzers_unloadable(self, faults: dict[str, str]) -> None: ...

    def part_failed(self, name: str, error: BaseException) -> None:
        """imgd's own code raised: the daemon cannot go on like this."""


@dataclass(slots=True)
class _Pending:
    """What one analyzer has yet to do. `suspects`: parts of a batch that killed the lane, each tried by itself."""

    batch_size: int
    items: deque[tuple[float, LaneItem]] = field(default_factory=deque)
    suspects: deque[list[LaneItem]] = field(default_factory=deque)


class Lane:
    """One device's process with all model analyzers; starts with the first item, unloads when idle."""

    def __init__(
        self,
        starter: ChildStarter,
        arena: Arena,
        setup: LaneSetup,
        batch_sizes: dict[str, int],
        listener: LaneListener,
        *,
        batch_wait_s: float,
        timeout_s: float,
        idle_s: float,
    ) -> None:
        self._starter = starter
        self._arena = arena
        self._setup = setup
        self._listener = listener
        self._batch_wait_s = batch_wait_s
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._pending = {name: _Pending(size) for name, size in batch_sizes.items()}
        self._sent: deque[LaneBatch] = deque()
        self._changed = asyncio.Event()
        self._failed_starts = 0
        self._last_heard = time.monotonic()
        self._deaths: dict[int, int] = {}
        self._broken: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self.device = setup.device

    def start(self) -> None:
        self._task = start_task(self._run(), f"lane {self.device}", self._listener.part_failed)

    async def stop(self) -> None:
        """End the lane; items that were not finished stay owed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def backlog(self) -> int:
        """Items submitted and not analyzed yet."""
        waiting = sum(
            len(each.items) + sum(len(part) for part in each.suspects) for each in self._pending.values()
        )
        return waiting + sum(len(batch.items) for batch in self._sent)

    def submit(self, analyzer: str, item: LaneItem) -> None:
        if analyzer in self._broken:
            outcome = AnalyzerOutcome(analyzer, reason=self._broken[analyzer], transient=True)
            asyncio.get_running_loop().call_soon(self._listener.item_analyzed, item, outcome)
            return
        self._pending[analyzer].items.append((time.monotonic(), item))
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            if self.backlog == 0:
                await self._changed.wait()
            await self._live()

    async def _live(self) -> None:
        """One child from start to end."""
        self._arena.clear_line(self._setup.index)
        child = await self._starter.start(
            "imgd.pipeline.lane:run", f"imgd-lane{self._setup.index}", self._setup, [self._arena.fd]
        )
        channel: LaneChannel = await AsyncChannel.open(child.connection, Ready | LaneResult)
        guilt = ""
        try:
            await self._serve(channel)
        except ChannelClosedError:
            pass
        except TimeoutError:
            guilt = f"took longer than {self._timeout_s:g} s"
        except UnreadableMessageError:
            guilt = "sent what is no message of imgd's"
        except asyncio.CancelledError:
            child.kill()
            raise
        finally:
            channel.close()
        if guilt:
            child.kill()
        await self._settle(child, guilt)

    async def _serve(self, channel: LaneChannel) -> None:
        async with asyncio.timeout(self._timeout_s):
            ready = await channel.receive()
        self._failed_starts = 0
        if isinstance(ready, Ready) and ready.faults:
            self._break(ready.faults)
        receiver = asyncio.create_task(self._receive(channel))
        receiver.add_done_callback(lambda _task: self._changed.set())
        try:
            while not receiver.done():
                self._send(channel)
                self._changed.clear()
                patience_s = self._patience_s()
                if patience_s <= 0:
                    if self._sent:
                        raise TimeoutError
                    return
                try:
                    async with asyncio.timeout(patience_s):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            receiver.result()
        finally:
            receiver.cancel()

    async def _receive(self, channel: LaneChannel) -> None:
        while True:
            result = await channel.receive()
            if isinstance(result, LaneResult):
                batch = self._sent.popleft()
                self._last_heard = time.monotonic()
                size_bytes = channel.received_bytes // len(batch.items)
                for item, outcome in zip(batch.items, result.outcomes, strict=True):
                    self._deaths.pop(item.photo_id, None)
                    self._listener.item_analyzed(item, outcome, size_bytes)
                self._changed.set()

    def _send(self, channel: LaneChannel) -> None:
        while len(self._sent) < BATCHES_AHEAD and (batch := self._next_batch()):
            if not self._sent:
                self._last_heard = time.monotonic()
            self._sent.append(batch)
            channel.send(batch)

    def _next_batch(self) -> LaneBatch | None:
        """The batch to send now: parts of one that killed the lane alone and first, then full ones, then the
        one that has waited long enough."""
        for name, pending in self._pending.items():
            if pending.suspects:
                return None if self._sent else LaneBatch(name, pending.suspects.popleft())
        now = time.monotonic()
        ripe = [
            (pending.items[0][0], name)
            for name, pending in self._pending.items()
            if len(pending.items) >= pending.batch_size
            or (pending.items and now - pending.items[0][0] >= self._batch_wait_s)
        ]
        if not ripe:
            return None
        name = min(ripe)[1]
        pending = self._pending[name]
        count = min(len(pending.items), pending.batch_size)
        return LaneBatch(name, [pending.items.popleft()[1] for _ in range(count)])

    def _patience_s(self) -> float:
        """How long nothing may happen: 0 or less means the lane hangs, or has been idle for long enough."""
        now = time.monotonic()
        hang_s = self._last_heard + self._timeout_s - now if self._sent else self._timeout_s
        first = [pending.items[0][0] for pending in self._pending.values() if pending.items]
        if first and len(self._sent) < BATCHES_AHEAD:
            return min(hang_s, max(0.001, min(first) + self._batch_wait_s - now))
        return hang_s if self._sent else self._last_heard + self._idle_s - now

    async def _settle(self, child: Child, guilt: str) -> None:
        """Find who is to blame for an end, and put everybody else back in front."""
        status = await child.wait()
        sent, self._sent = self._sent, deque()
        if not guilt and status == 0 and not sent:
            return
        doing = self._arena.read_line(self._setup.index)
        reason = guilt or describe_exit(status)
        log.warning("lane %s: %s while it did %s", self.device, reason, doing or "nothing")
        if sent:
            self._suspect(sent.popleft(), reason)
            for batch in reversed(sent):
                now = time.monotonic()
                self._pending[batch.analyzer].items.extendleft((now, item) for item in reversed(batch.items))
        else:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_STARTS:
                named = [doing] if doing in self._pending else list(self._pending)
                self._break(dict.fromkeys(named, f"the lane {reason} while it loaded {doing or 'its models'}"))
                self._failed_starts = 0
            else:
                await asyncio.sleep(self._failed_starts)
        self._changed.set()

    def _suspect(self, batch: LaneBatch, reason: str) -> None:
        pending = self._pending[batch.analyzer]
        if len(batch.items) > 1:
            middle = len(batch.items) // 2
            pending.suspects.extendleft([batch.items[middle:], batch.items[:middle]])
            return
        item = batch.items[0]
        self._deaths[item.photo_id] = self._deaths.get(item.photo_id, 0) + 1
        if self._deaths[item.photo_id] < MAX_DEATHS:
            pending.suspects.appendleft([item])
            return
        del self._deaths[item.photo_id]
        self._listener.item_analyzed(
            item, AnalyzerOutcome(batch.analyzer, reason=f"{batch.analyzer} {reason} at it")
        )

    def _break(self, faults: dict[str, str]) -> None:
        """These analyzers cannot run here: what waits for them goes back, still owed."""
        self._broken |= faults
        self._listener.analyzers_unloadable(faults)
        for name, reason in faults.items():
            pending = self._pending[name]
            waiting = [item for _, item in pending.items] + [item for part in pending.suspects for item in part]
            pending.items.clear()
            pending.suspects.clear()
            for item in waiting:
                self._listener.item_analyzed(item, AnalyzerOutcome(name, reason=reason, transient=True))


def find_devices(wanted: Sequence[str]) -> list[str]:
    """The devices to run lanes on: `auto` stands for every NVIDIA GPU of the machine, or else for the CPU."""
    gpus = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
    automatic = [f"cuda:{index}" for index in range(gpus)] or ["cpu"]
    found = [device for each in wanted for device in (automatic if each == "auto" else [each])]
    return list(dict.fromkeys(found))
