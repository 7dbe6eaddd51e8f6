"""The main process's side of the lanes: batches that fill or time out, and a dead lane's batch halved until the
photo that kills it is found, or the analyzer that no photo explains."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from dataclasses import replace
from typing import Protocol

from imgd.pipeline.arena import Arena
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.costs import BatchClock, CostMeter
from imgd.pipeline.messages import (
    AnalyzerOutcome,
    LaneBatch,
    LaneEnd,
    LaneItem,
    LaneReady,
    LaneResult,
    LaneSetup,
)
from imgd.pipeline.pending import Pending
from imgd.pipeline.pool import describe_exit
from imgd.pipeline.process import Child, ChildStarter
from imgd.pipeline.tasks import start_task

log = logging.getLogger(__name__)

BATCHES_AHEAD = 3
"""Batches a lane has at hand: the one it computes, the one it has begun, and the next in its socket."""
_MAX_STARTS = 3
MAX_DEATHS = 2
"""How often a lane may die at one photo, alone in its batch, before that photo counts as convicted."""
MAX_KILLS = 5
"""The same for a lane that was killed, perhaps from outside."""
MAX_CONVICTIONS = 3
"""How many photos in a row may be convicted before it is the analyzer that does not work."""

LaneChannel = AsyncChannel[LaneBatch, LaneReady | LaneResult | LaneEnd]


class LaneListener(Protocol):
    """Whoever hears what became of a lane's items."""

    def item_analyzed(self, item: LaneItem, outcome: AnalyzerOutcome, size_bytes: int = 0) -> None:
        """`size_bytes`: of the outcome as it was sent, about."""

    def item_returned(self, analyzer: str, item: LaneItem, reason: str) -> None:
        """`analyzer` does not run in this lane: another one may take the item."""

    def analyzers_unloadable(self, faults: dict[str, str]) -> None: ...

    def part_failed(self, name: str, error: BaseException) -> None:
        """imgd's own code raised: the daemon cannot go on like this."""


class Lane:
    """One device's process with its model analyzers; starts with the first item, unloads when idle."""

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
        costs: CostMeter | None = None,
    ) -> None:
        self._starter = starter
        self._arena = arena
        self._setup = setup
        self._listener = listener
        self._batch_wait_s = batch_wait_s
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._most = dict(batch_sizes)
        self._pending = {name: Pending(size, size) for name, size in batch_sizes.items()}
        self._sent: deque[LaneBatch] = deque()
        self._costs = costs or CostMeter()
        self._clock = BatchClock()
        self.runtimes: dict[str, str] = {}
        """What runs each analyzer, where it told, once the lane was started."""
        self._changed = asyncio.Event()
        self._failed_starts = 0
        self._last_heard = time.monotonic()
        self._deaths: dict[tuple[str, ...], int] = {}
        self._broken: dict[str, str] = {}
        self._last_words = ""
        self._batches = 0
        self._suspect_had_its_turn = False
        self._task: asyncio.Task[None] | None = None
        self.device = setup.device
        self.leaks: dict[str, str] = {}
        """What is to be told of analyzers for whose sake this lane was replaced, by name."""

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
        waiting = sum(each.waiting for each in self._pending.values())
        return waiting + sum(len(batch.items) for batch in self._sent)

    @property
    def batch_sizes(self) -> dict[str, int]:
        """How many photos at once each analyzer gets: what its lane's memory allows, once that was started."""
        return {name: each.batch_size for name, each in self._pending.items()}

    def hosts(self, analyzer: str) -> bool:
        """Whether photos can be sent here for `analyzer`."""
        return analyzer in self._pending and analyzer not in self._broken

    def submit(self, analyzer: str, item: LaneItem) -> None:
        if analyzer in self._broken:
            reason = self._broken[analyzer]
            asyncio.get_running_loop().call_soon(self._listener.item_returned, analyzer, item, reason)
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
        self._last_words = ""
        sound = tuple(each for each in self._setup.analyzers if each.name not in self._broken)
        child = await self._starter.start(
            "imgd.pipeline.lane:run",
            f"imgd-lane{self._setup.index}",
            replace(self._setup, analyzers=sound),
            [self._arena.fd],
        )
        try:
            await self._employ(child)
        finally:
            await child.destroy()

    async def _employ(self, child: Child) -> None:
        channel: LaneChannel = await AsyncChannel.open(child.connection, LaneReady | LaneResult | LaneEnd)
        guilt, hung = "", False
        try:
            await self._serve(channel)
            self._forget_sizes()
        except ChannelClosedError:
            pass
        except TimeoutError:
            guilt, hung = f"took longer than {self._timeout_s:g} s", True
        except UnreadableMessageError:
            guilt = "sent what is no message of imgd's"
        finally:
            channel.close()
        if guilt:
            child.kill()
        await self._settle(child, guilt, hung=hung)

    async def _serve(self, channel: LaneChannel) -> None:
        async with asyncio.timeout(self._timeout_s):
            ready = await channel.receive()
        self._failed_starts = 0
        if isinstance(ready, LaneReady):
            self._break(ready.faults)
            self.runtimes = ready.runtimes
            for name, size in ready.batch_sizes.items():
                self._pending[name].resize(size)
            if ready.batch_sizes:
                room = f", in {ready.room_mb} MB" if ready.room_mb >= 0 else ""
                log.info("lane %s: at most %s photos at once%s", self.device, ready.batch_sizes, room)
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
            message = await channel.receive()
            if isinstance(message, LaneResult):
                self._take(message, channel.received_bytes)
            elif isinstance(message, LaneEnd):
                self._last_words = message.reason
                if message.leaky:
                    self.leaks[message.leaky] = f"analyzer {message.leaky}: {message.leak}"

    def _take(self, result: LaneResult, size_bytes: int) -> None:
        if not self._sent or len(result.outcomes) != len(self._sent[0].items):
            raise UnreadableMessageError
        batch = self._sent.popleft()
        self._costs.add(batch.analyzer, self.device, len(batch.items), self._clock.done())
        self._last_heard = time.monotonic()
        pending = self._pending[batch.analyzer]
        pending.resize(result.batch_size)
        self._absolve(batch.analyzer)
        self._deaths.pop(_key(batch), None)
        for item, outcome in zip(batch.items, result.outcomes, strict=True):
            self._listener.item_analyzed(item, outcome, size_bytes // len(batch.items))
        self._changed.set()

    def _send(self, channel: LaneChannel) -> None:
        while len(self._sent) < BATCHES_AHEAD and (batch := self._next_batch()):
            if not self._sent:
                self._last_heard = time.monotonic()
            self._sent.append(batch)
            self._clock.sent()
            channel.send(batch)

    def _next_batch(self) -> LaneBatch | None:
        """The batch to send now: a full one, or one that has waited long enough, of the analyzer that waits the
        longest. Parts of a batch that killed the lane go alone, in turn with batches of other analyzers."""
        if self._must_empty:
            return None
        suspected = [name for name, pending in self._pending.items() if pending.suspects]
        ripe = self._ripe()
        if suspected and not (ripe and self._suspect_had_its_turn):
            self._suspect_had_its_turn = True
            return self._batch(suspected[0], self._pending[suspected[0]].suspects.popleft())
        if ripe is None:
            return None
        self._suspect_had_its_turn = False
        pending = self._pending[ripe]
        count = min(len(pending.items), pending.batch_size)
        return self._batch(ripe, [pending.items.popleft()[1] for _ in range(count)])

    def _ripe(self) -> str | None:
        """The analyzer whose batch is due: none of whose photos is looked for."""
        now = time.monotonic()
        ripe = [
            (pending.since, name)
            for name, pending in self._pending.items()
            if pending.items
            and not pending.suspects
            and (len(pending.items) >= pending.batch_size or now - pending.since >= self._batch_wait_s)
        ]
        return min(ripe)[1] if ripe else None

    def _batch(self, analyzer: str, items: list[LaneItem]) -> LaneBatch:
        self._batches += 1
        return LaneBatch(analyzer, items, self._batches)

    def _patience_s(self) -> float:
        """How long nothing may happen: 0 or less means the lane hangs, or has been idle for long enough."""
        now = time.monotonic()
        hang_s = self._last_heard + self._timeout_s - now if self._sent else self._timeout_s
        if len(self._sent) < BATCHES_AHEAD and not self._must_empty:
            first = [each.since for each in self._pending.values() if each.items and not each.suspects]
            if first:
                return min(hang_s, max(0.001, min(first) + self._batch_wait_s - now))
        return hang_s if self._sent else self._last_heard + self._idle_s - now

    @property
    def _must_empty(self) -> bool:
        """Whether the lane has a suspected batch in hand, or the next one is: nothing is sent beside it, so that
        what another batch does to the device is not laid at its door."""
        suspected = any(each.suspects for each in self._pending.values())
        return bool(self._sent) and (suspected or self._suspect_had_its_turn)

    def _forget_sizes(self) -> None:
        """The lane unloads: what was too large for it may fit into the next one."""
        for name, pending in self._pending.items():
            pending.most = self._most[name]

    async def _settle(self, child: Child, guilt: str, *, hung: bool) -> None:
        """Find who is to blame for an end, and put everybody else back in front."""
        status = await child.wait(self._timeout_s)  # an analyzer may hang in `close`
        sent, self._sent = self._sent, deque()
        self._clock.forget()
        if not guilt and status == 0 and not sent:
            return
        doing, _, number = self._arena.read_line(self._setup.index).partition(" ")
        killed = status == -signal.SIGKILL and not guilt
        reason = guilt or self._last_words or describe_exit(status)
        log.warning("lane %s: %s while it did %s", self.device, reason, doing or "nothing")
        if sent:
            fatal = next((batch for batch in sent if str(batch.number) == number), sent[0])
            now = time.monotonic()
            for batch in reversed(sent):
                if batch is not fatal:
                    self._pending[batch.analyzer].items.extendleft((now, item) for item in reversed(batch.items))
            self._suspect(fatal, reason, killed=killed, hung=hung)
        else:
            self._failed_starts += 1
            if self._failed_starts >= (MAX_KILLS if killed else _MAX_STARTS):
                named = [doing] if doing in self._pending else [each for each in self._pending if self.hosts(each)]
                self._break(dict.fromkeys(named, f"the lane {reason} while it loaded {doing or 'its models'}"))
                self._failed_starts = 0
            else:
                await asyncio.sleep(self._failed_starts)
        self._changed.set()

    def _suspect(self, batch: LaneBatch, reason: str, *, killed: bool, hung: bool) -> None:
        """The lane died at a batch: it is tried again, halved, or convicted. `killed`: perhaps from outside."""
        pending = self._pending[batch.analyzer]
        count, key = len(batch.items), _key(batch)
        deaths = self._deaths[key] = self._deaths.get(key, 0) + 1
        alone = MAX_KILLS if killed else 1 if hung else MAX_DEATHS
        if deaths < (alone if count == 1 else 2 if killed else 1):
            pending.suspects.appendleft(batch.items)
            return
        del self._deaths[key]
        if count > 1:
            pending.fatal_size = min(pending.fatal_size or count, count)
            pending.suspects.extendleft([batch.items[count // 2 :], batch.items[: count // 2]])
            return
        pending.fatal_size = 0
        pending.convicted.append((batch.items[0], f"{batch.analyzer} {reason} at it"))
        pending.convictions += 1
        if pending.convictions >= MAX_CONVICTIONS:
            self._break({batch.analyzer: f"{batch.analyzer} {reason} at {pending.convictions} photos in a row"})
        elif not pending.waiting:
            self._punish(pending, batch.analyzer)

    def _absolve(self, name: str) -> None:
        """The analyzer has served a batch: it is photos that were to blame, or the size of a batch."""
        pending = self._pending[name]
        pending.convictions = 0
        self._punish(pending, name)
        if pending.fatal_size and not pending.suspects:
            pending.most = max(1, pending.fatal_size // 2)
            pending.resize(pending.batch_size)
            pending.fatal_size = 0

    def _punish(self, pending: Pending, name: str) -> None:
        convicted, pending.convicted = pending.convicted, []
        for item, reason in convicted:
            self._listener.item_analyzed(item, AnalyzerOutcome(name, reason=reason))

    def _break(self, faults: dict[str, str]) -> None:
        """These analyzers cannot run here: what waits for them goes back, still owed."""
        if not faults:
            return
        self._broken |= faults
        self._deaths = {key: deaths for key, deaths in self._deaths.items() if key[0] not in faults}
        self._listener.analyzers_unloadable(faults)
        for name, reason in faults.items():
            log.error("lane %s: %s is set aside: %s", self.device, name, reason)
            pending = self._pending[name]
            back = [item for _, item in pending.items] + [item for part in pending.suspects for item in part]
            back += [item for item, _ in pending.convicted]
            self._pending[name] = Pending(pending.most, pending.batch_size)
            for item in back:
                self._listener.item_returned(name, item, reason)


def _key(batch: LaneBatch) -> tuple[str, ...]:
    """What tells that it is the same batch again."""
    return (batch.analyzer, *(str(item.photo_id) for item in batch.items))
