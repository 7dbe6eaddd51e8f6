"""A lane: the process that hosts the model analyzers of one device and works through batches of photos."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from imgd.analyzer import Analyzer
from imgd.domain import PhotoInput
from imgd.pipeline.allotment import Allotment, LaneMemory
from imgd.pipeline.arena import ArenaView
from imgd.pipeline.channel import Channel, ChannelClosedError, MessageTooLargeError
from imgd.pipeline.checked import clean_text, plain_finding
from imgd.pipeline.growth import Growth
from imgd.pipeline.hosted import DeviceFaultError, Fault, analyze, attempt, close_hosted, load_hosted, settle
from imgd.pipeline.messages import AnalyzerOutcome, LaneBatch, LaneEnd, LaneItem, LaneReady, LaneResult, LaneSetup

_LEAK_BYTES = 256 << 20
"""What a lane that has run out of memory must have grown by, after its models were loaded, to call that a leak."""

LaneChannel = Channel[LaneReady | LaneResult | LaneEnd, LaneBatch]


def run(connection: socket.socket, fds: list[int], setup: LaneSetup) -> None:
    """Serve batches until the main process closes the connection."""
    os.nice(setup.nice)
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # so that cuda:1 is the second that nvidia-smi lists
    memory = LaneMemory(setup.device, setup.memory_mb)
    memory.bound()
    arena = ArenaView(fds[0], setup.arena_bytes, setup.index, read_only=True)
    channel: LaneChannel = Channel(connection, LaneBatch)
    analyzers, faults = load_hosted(setup.analyzers, setup.device, arena.write_line)
    allotments, room_mb = memory.allot(analyzers)
    growth = Growth(_LEAK_BYTES)
    try:
        sizes = {name: each.size for name, each in allotments.items()}
        runtimes = {name: clean_text(each.runtime) for name, each in analyzers.items() if each.runtime}
        channel.send(LaneReady(faults, sizes, room_mb, runtimes))
        _Desk(channel, arena, analyzers, allotments, growth).work()
    except DeviceFaultError as error:
        leaky = growth.culprit if growth.is_too_much else ""
        channel.send(LaneEnd(str(error), leaky, growth.sentence))
        return  # whoever drove the device may hang in `close`
    except ChannelClosedError:
        pass
    close_hosted(analyzers.values())


class _Inbox:
    """Batches as they come, received by a thread: what has come can be had without waiting for more."""

    def __init__(self, channel: LaneChannel) -> None:
        self._channel = channel
        self._batches: queue.SimpleQueue[LaneBatch | None] = queue.SimpleQueue()
        threading.Thread(target=self._receive, name="inbox", daemon=True).start()

    def take(self, *, wait: bool) -> LaneBatch | None:
        """The next batch; None where there is none yet.

        Raises:
            ChannelClosedError: when the main process wants no more.
        """
        try:
            batch = self._batches.get(block=wait)
        except queue.Empty:
            return None
        if batch is None:
            raise ChannelClosedError
        return batch

    def _receive(self) -> None:
        try:
            while True:
                self._batches.put(self._channel.receive())
        except ChannelClosedError:
            self._batches.put(None)


@dataclass(slots=True)
class _Begun:
    """A batch in hand. `begun`: what its analyzer's `begin` returned, where the batch was begun ahead."""

    batch: LaneBatch
    photos: list[PhotoInput]
    ahead: bool
    begun: Any = None

    @property
    def line(self) -> str:
        return f"{self.batch.analyzer} {self.batch.number}"


class _Desk:
    """Works through the batches: the next one is begun before the last one is finished."""

    def __init__(
        self,
        channel: LaneChannel,
        arena: ArenaView,
        analyzers: Mapping[str, Analyzer[Any]],
        allotments: Mapping[str, Allotment],
        growth: Growth,
    ) -> None:
        self._channel = channel
        self._arena = arena
        self._analyzers = analyzers
        self._allotments = allotments
        self._growth = growth

    def work(self) -> None:
        """Until the main process wants no more.

        Raises:
            ChannelClosedError: it wants no more.
            DeviceFaultError: this process can analyze no more.
        """
        inbox = _Inbox(self._channel)
        last: _Begun | None = None
        while True:
            batch = inbox.take(wait=last is None)
            following = None if batch is None else self._begin(batch)
            if last is not None:
                self._finish(last)
                self._arena.write_line(following.line if following else "")
            last = following

    def _begin(self, batch: LaneBatch) -> _Begun:
        analyzer, allotment = self._analyzers[batch.analyzer], self._allotments[batch.analyzer]
        photos = [_photo(item, self._arena, analyzer.after) for item in batch.items]
        begun = _Begun(batch, photos, allotment.begins_ahead and len(photos) <= allotment.size)
        if begun.ahead:
            self._arena.write_line(begun.line)
            try:
                begun.begun = analyzer.begin(list(photos))
            except (Exception, SystemExit) as error:
                begun.begun = fault = Fault.of(error)
                if fault.device:  # the batch before it could not be finished, and would be blamed
                    raise DeviceFaultError(fault.reason) from error
        return begun

    def _finish(self, last: _Begun) -> None:
        self._arena.write_line(last.line)
        name, allotment = last.batch.analyzer, self._allotments[last.batch.analyzer]
        with self._growth.during(name):
            outcomes = self._outcomes(last, self._analyzers[name], allotment)
        allotment.worked = allotment.worked or any(each.finding for each in outcomes)
        try:
            self._channel.send(LaneResult(name, outcomes, allotment.size))
        except MessageTooLargeError:
            refused = AnalyzerOutcome(name, reason="the findings of its batch are too large")
            self._channel.send(LaneResult(name, [refused] * len(outcomes), allotment.size))

    def _outcomes(self, last: _Begun, analyzer: Analyzer[Any], allotment: Allotment) -> list[AnalyzerOutcome]:
        if not last.ahead:
            return analyze(analyzer, last.photos, allotment)
        begun, last.begun = last.begun, None
        answers = begun if isinstance(begun, Fault) else attempt(partial(analyzer.finish, begun), len(last.photos))
        del begun  # what does not fit has to be gone before it is tried in halves
        return settle(analyzer, last.photos, answers, allotment)


def _photo(item: LaneItem, arena: ArenaView, after: tuple[str, ...]) -> PhotoInput:
    """The item with its pixels where they lie in shared memory, not copied."""
    pixels = None
    if (level := item.level) is not None:
        flat = np.frombuffer(arena.memory, np.uint8, level.height * level.width * 3, level.offset)
        pixels = flat.reshape(level.height, level.width, 3)
        pixels.flags.writeable = False
    return PhotoInput(
        photo_id=item.photo_id,
        path=os.fsdecode(item.path),
        format=item.format,
        width=item.width,
        height=item.height,
        pixels=pixels,
        findings={name: plain_finding(item.prior[name]) for name in after if name in item.prior},
    )
