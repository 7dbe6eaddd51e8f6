"""The decode workers: fed ahead so that none waits, replaced when they die, and never more than one photo the
worse for it."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import structs

from imgd.pipeline.arena import Arena
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.costs import CostMeter
from imgd.pipeline.messages import DECODING, WAITING, PhotoResult, PhotoTask, Ready, WorkerSetup
from imgd.pipeline.process import Child, ChildStarter
from imgd.pipeline.tasks import start_task

log = logging.getLogger(__name__)

TASKS_AHEAD = 2
"""Tasks a worker has at hand: the one it does, and the next, so that it never waits for a round trip."""

_START_TIMEOUT_S = 120.0
_MAX_STARTS = 3
_MAX_PAUSE_S = 30.0
_LOOK_S = 0.25
"""How often a worker that takes its time is looked at: whether it waits. So much of its time may be miscounted."""

WorkerChannel = AsyncChannel[PhotoTask, Ready | PhotoResult]


class Guilt(enum.Enum):
    """How sure it is that a worker's end is the fault of the photo that it had in hand."""

    CERTAIN = enum.auto()
    """It used up its time."""
    LIKELY = enum.auto()
    """It crashed, at this photo or at what an earlier one left behind."""
    UNKNOWN = enum.auto()
    """It was killed: by somebody, or by the kernel for want of memory."""


class PoolListener(Protocol):
    """Whoever hears what became of tasks."""

    def photo_worked(self, task: PhotoTask, result: PhotoResult, size_bytes: int) -> None:
        """`size_bytes`: of the result as it was sent."""

    def photo_killed(self, task: PhotoTask, doing: str, reason: str, guilt: Guilt) -> None:
        """The worker ended at this photo while `doing` (`decode`, or an analyzer's name); `guilt` is theirs."""

    def analyzers_unloadable(self, faults: dict[str, str]) -> None: ...

    def worker_free(self) -> None: ...

    def workers_unstartable(self, reason: str) -> None:
        """No worker could be started of late; it is tried on. An empty reason: one could."""

    def part_failed(self, name: str, error: BaseException) -> None:
        """imgd's own code raised: the daemon cannot go on like this."""


class WorkerPool:
    """`count` workers over one queue. Workers start with the first task, and end when idle for `idle_s`."""

    def __init__(
        self,
        starter: ChildStarter,
        arena: Arena,
        make_setup: Callable[[int], WorkerSetup],
        listener: PoolListener,
        *,
        count: int,
        timeout_s: float,
        idle_s: float,
        costs: CostMeter | None = None,
    ) -> None:
        self._starter = starter
        self._arena = arena
        self._make_setup = make_setup
        self.listener = listener
        self.costs = costs or CostMeter()
        self.timeout_s = timeout_s
        self.idle_s = idle_s
        self._queue: deque[PhotoTask] = deque()
        self._added = asyncio.Event()
        self.count = count
        self._hands = [_Hand(self, index) for index in range(count)]
        self._tasks: list[asyncio.Task[None]] = []
        self._barred: set[str] = set()

    def start(self) -> None:
        self._tasks = [
            start_task(hand.run(), f"worker {hand.index}", self.listener.part_failed) for hand in self._hands
        ]

    async def stop(self) -> None:
        """End all workers; tasks that were not finished stay owed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def room(self) -> int:
        """How many more tasks it takes to keep every worker fed."""
        return max(0, self.count * (TASKS_AHEAD + 1) - len(self._queue) - sum(len(h.tasks) for h in self._hands))

    def submit(self, task: PhotoTask) -> None:
        self._queue.append(task)
        self._added.set()

    def take(self) -> PhotoTask | None:
        if not self._queue:
            return None
        task = self._queue.popleft()
        if self._barred.isdisjoint(task.analyzers):
            return task
        return structs.replace(task, analyzers=tuple(name for name in task.analyzers if name not in self._barred))

    def bar(self, analyzers: Iterable[str]) -> None:
        """Let no worker load these, and ask none for what they find."""
        self._barred.update(analyzers)

    def put_back(self, tasks: deque[PhotoTask]) -> None:
        """Tasks that a dead worker had not begun."""
        self._queue.extendleft(reversed(tasks))
        self._added.set()

    async def wait_for_work(self) -> None:
        while not self._queue:
            self._added.clear()
            await self._added.wait()

    async def start_worker(self, index: int) -> Child:
        setup = self._make_setup(index)
        allowed = tuple(each for each in setup.analyzers if each.name not in self._barred)
        setup = dataclasses.replace(setup, analyzers=allowed)
        return await self._starter.start(
            "imgd.pipeline.worker:run", f"imgd-worker{index}", setup, [self._arena.fd]
        )

    def doing(self, index: int) -> str:
        return self._arena.read_line(index)

    def forget_doing(self, index: int) -> None:
        self._arena.clear_line(index)


class _Hand:
    """One worker's place in the pool: runs a child, and the next when it ends."""

    def __init__(self, pool: WorkerPool, index: int) -> None:
        self._pool = pool
        self.index = index
        self.tasks: deque[PhotoTask] = deque()
        self._failed_starts = 0

    async def run(self) -> None:
        while True:
            await self._pool.wait_for_work()
            await self._live()

    async def _live(self) -> None:
        """One child from start to end."""
        self._pool.forget_doing(self.index)
        self._failed_starts += 1  # until it says that it is ready
        child = await self._pool.start_worker(self.index)
        try:
            await self._employ(child)
        finally:
            await child.destroy()

    async def _employ(self, child: Child) -> None:
        channel: WorkerChannel = await AsyncChannel.open(child.connection, Ready | PhotoResult)
        guilt = ""
        try:
            await self._feed(channel)
        except ChannelClosedError:
            pass
        except TimeoutError:
            guilt = f"it took longer than {self._pool.timeout_s:g} s"
        except UnreadableMessageError:
            guilt = "the worker sent what is no message of imgd's"
        finally:
            channel.close()
        if guilt:
            child.kill()
        status = await child.wait(self._pool.timeout_s)  # an analyzer may hang in `close`
        if self._failed_starts:
            await self._bear(status)
        else:
            self._settle(status, guilt)

    async def _feed(self, channel: WorkerChannel) -> None:
        async with asyncio.timeout(_START_TIMEOUT_S):
            ready = await channel.receive()
        self._failed_starts = 0
        self._pool.listener.workers_unstartable("")
        if isinstance(ready, Ready) and ready.faults:
            self._pool.listener.analyzers_unloadable(ready.faults)
        while True:
            while len(self.tasks) < TASKS_AHEAD and (task := self._pool.take()):
                self.tasks.append(task)
                channel.send(task)
            if not self.tasks:
                try:
                    async with asyncio.timeout(self._pool.idle_s):
                        await self._pool.wait_for_work()
                except TimeoutError:
                    return
                continue
            result = await self._hear(channel)
            if isinstance(result, PhotoResult):
                self._pool.costs.photo_worked(result)
                self._pool.listener.photo_worked(self.tasks.popleft(), result, channel.received_bytes)
                self._pool.listener.worker_free()

    async def _hear(self, channel: WorkerChannel) -> Ready | PhotoResult:
        """The worker's next message; while it waits for others that decode large photos, no time counts."""
        receiving = asyncio.ensure_future(channel.receive())
        deadline = time.monotonic() + self._pool.timeout_s
        try:
            while not (await asyncio.wait([receiving], timeout=_LOOK_S))[0]:
                if self._pool.doing(self.index) == WAITING:
                    deadline = time.monotonic() + self._pool.timeout_s
                elif time.monotonic() >= deadline:
                    raise TimeoutError
            return receiving.result()
        finally:
            receiving.cancel()

    async def _bear(self, status: int) -> None:
        """A worker that could not even start: wait a little longer each time, and blame what it was loading."""
        doing = self._pool.doing(self.index)
        reason = f"the worker {describe_exit(status)} while it loaded {doing or 'its libraries'}"
        log.error("worker %d: %s", self.index, reason)
        if doing and self._failed_starts >= _MAX_STARTS:
            self._pool.listener.analyzers_unloadable({doing: reason})
            self._failed_starts = 0
        elif self._failed_starts >= _MAX_STARTS:
            self._pool.listener.workers_unstartable(reason)
        await asyncio.sleep(min(_MAX_PAUSE_S, 0.1 * 2**self._failed_starts))

    def _settle(self, status: int, guilt: str) -> None:
        """Find who is to blame for an end: the photo in hand, or nobody when the worker ended between two."""
        tasks, self.tasks = self.tasks, deque()
        doing = self._pool.doing(self.index)
        if tasks and (guilt or status != 0 or doing):
            certain = guilt or status == -signal.SIGXCPU
            killed = Guilt.UNKNOWN if status in (-signal.SIGKILL, -signal.SIGTERM) else Guilt.LIKELY
            reason = guilt or f"the worker {describe_exit(status)}"
            log.warning("worker %d: %s while it did %s", self.index, reason, doing or DECODING)
            photo_guilt = Guilt.CERTAIN if certain else killed
            self._pool.listener.photo_killed(tasks.popleft(), doing or DECODING, reason, photo_guilt)
        self._pool.put_back(tasks)
        self._pool.listener.worker_free()


def describe_exit(status: int) -> str:
    """How a process ended, in words."""
    if status == -signal.SIGXCPU:
        return "used more CPU time than `decode.cpu_s` allows"
    if status < 0:
        return f"was killed by signal {-status}"
    return f"ended with status {status}"
