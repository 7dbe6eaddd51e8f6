"""A lane: the process that hosts the model analyzers of one device and works through batches of photos."""

from __future__ import annotations

import os
import socket
from typing import Any

import numpy as np

from imgd.domain import PhotoInput
from imgd.pipeline.arena import ArenaView
from imgd.pipeline.channel import Channel, ChannelClosedError, MessageTooLargeError
from imgd.pipeline.checked import plain_finding
from imgd.pipeline.hosted import analyze, load_hosted
from imgd.pipeline.messages import AnalyzerOutcome, LaneBatch, LaneItem, LaneResult, LaneSetup, Ready


def run(connection: socket.socket, fds: list[int], setup: LaneSetup) -> None:
    """Serve batches until the main process closes the connection."""
    os.nice(setup.nice)
    arena = ArenaView(fds[0], setup.arena_bytes, setup.index)
    channel: Channel[Ready | LaneResult, LaneBatch] = Channel(connection, LaneBatch)
    analyzers, faults = load_hosted(setup.analyzers, setup.device, arena.write_line)
    try:
        channel.send(Ready(faults))
        while True:
            batch = channel.receive()
            try:
                channel.send(_work(batch, analyzers, arena))
            except MessageTooLargeError:
                refused = AnalyzerOutcome(batch.analyzer, reason="the findings of its batch are too large")
                channel.send(LaneResult(batch.analyzer, [refused] * len(batch.items)))
    except ChannelClosedError:
        pass
    finally:
        for analyzer in analyzers.values():
            analyzer.close()


def _work(batch: LaneBatch, analyzers: dict[str, Any], arena: ArenaView) -> LaneResult:
    analyzer = analyzers[batch.analyzer]
    arena.write_line(batch.analyzer)
    photos = [_photo(item, arena, analyzer.after) for item in batch.items]
    outcomes = analyze(analyzer, photos)
    arena.write_line("")
    return LaneResult(batch.analyzer, outcomes)


def _photo(item: LaneItem, arena: ArenaView, after: tuple[str, ...]) -> PhotoInput:
    """The item with its pixels where they lie in shared memory, not copied."""
    level = item.level
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
