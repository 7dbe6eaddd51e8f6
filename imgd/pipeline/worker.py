"""A decode worker: one open and one decode a photo, inline analyzers on the hot pixels, the rest to the lanes."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd.decode import DecodeLimits, FormatRegistry, Source, confine, decode, pyramid, report
from imgd.domain import DecodeReport, PhotoInput, Picture, Sidecar, StoredFinding
from imgd.errors import DecodeError
from imgd.pipeline.arena import ArenaView
from imgd.pipeline.channel import Channel, ChannelClosedError, MessageTooLargeError
from imgd.pipeline.checked import plain_finding
from imgd.pipeline.hosted import analyze, describe_error, load_hosted
from imgd.pipeline.messages import (
    AnalyzerOutcome,
    Level,
    PhotoResult,
    PhotoStatus,
    PhotoTask,
    Ready,
    WorkerSetup,
)

log = logging.getLogger(__name__)

_MAX_SIDECAR_BYTES = 16 << 20

Pixels = npt.NDArray[np.uint8]


def run(connection: socket.socket, fds: list[int], setup: WorkerSetup) -> None:
    """Serve photo tasks until the main process closes the connection, or `recycle_after` photos are done."""
    os.nice(setup.nice)
    arena = ArenaView(fds[0], setup.arena_bytes, setup.index)
    channel: Channel[Ready | PhotoResult, PhotoTask] = Channel(connection, PhotoTask)
    limits = DecodeLimits.of(setup.decode)
    confine(limits)
    analyzers, faults = load_hosted(setup.analyzers, "cpu", arena.write_line)
    worker = Worker(arena, analyzers, FormatRegistry(_formats(setup)), limits)
    try:
        channel.send(Ready(faults))
        for _ in range(setup.recycle_after):
            task = channel.receive()
            try:
                channel.send(worker.work(task))
            except MessageTooLargeError:
                channel.send(worker.refuse(task, "the findings of this photo are too large"))
    except ChannelClosedError:
        pass
    finally:
        for analyzer in analyzers.values():
            analyzer.close()


class Worker:
    """Does one photo after another."""

    def __init__(
        self, arena: ArenaView, analyzers: Mapping[str, Any], registry: FormatRegistry, limits: DecodeLimits
    ) -> None:
        self._arena = arena
        self._analyzers = analyzers
        self._registry = registry
        self._limits = limits

    def work(self, task: PhotoTask) -> PhotoResult:
        """Everything that `task` asks for, from one open of its file."""
        self._arena.write_line("decode")
        try:
            source = Source.open(task.path, self._limits.max_file_bytes)
        except FileNotFoundError:
            return PhotoResult(task.photo_id, PhotoStatus.GONE, "the file is not there")
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            return PhotoResult(
                task.photo_id, PhotoStatus.UNREADABLE, reason, transient=not isinstance(error, PermissionError)
            )
        except DecodeError as error:
            return self.refuse(task, str(error))
        expected = (task.stat.size_bytes, task.stat.mtime_ns)
        if source.changed_while_read or (source.stat.size_bytes, source.stat.mtime_ns) != expected:
            return PhotoResult(task.photo_id, PhotoStatus.CHANGED, "the file changed")
        result = self._analyze(task, source)
        self._arena.write_line("")
        return result

    def refuse(self, task: PhotoTask, reason: str) -> PhotoResult:
        """Nothing of the photo can be used."""
        outcomes = [AnalyzerOutcome(name, reason=reason) for name in task.analyzers]
        return PhotoResult(task.photo_id, PhotoStatus.DONE, reason, outcomes=outcomes)

    def _analyze(self, task: PhotoTask, source: Source) -> PhotoResult:
        # An analyzer that could not be loaded here is left out: its job stays owed.
        needs = {name: self._analyzers[name].needs.edge for name in task.analyzers if name in self._analyzers}
        edges = {edge for edge in (*needs.values(), *task.model_edges) if edge}
        picture, reason = self._decode(source, max(edges, default=0))
        levels = pyramid(picture, edges) if picture is not None and picture.pixels is not None else {}
        outcomes: list[AnalyzerOutcome] = []
        prior = dict(task.prior)
        shared = PhotoInput(
            photo_id=task.photo_id,
            path=os.fsdecode(task.path),
            format=picture.format if picture else "",
            width=picture.width if picture else 0,
            height=picture.height if picture else 0,
            data=source.data,
        )
        for name, edge in needs.items():
            if edge and edge not in levels:
                outcomes.append(AnalyzerOutcome(name, reason=reason))
                continue
            outcome = self._run(name, task, shared, levels.get(edge), prior)
            if outcome.finding is not None:
                prior[name] = outcome.finding
            outcomes.append(outcome)
        return PhotoResult(
            task.photo_id,
            PhotoStatus.DONE,
            reason,
            report=report(source, picture) if picture else _bare_report(source),
            outcomes=outcomes,
            levels=[self._share(levels[edge], edge, task) for edge in task.model_edges if edge in levels],
        )

    def _decode(self, source: Source, edge: int) -> tuple[Picture | None, str]:
        """The picture, or why there is none; where pixels fail, what the header says still counts."""
        try:
            return decode(source, edge, self._limits, self._registry), ""
        except DecodeError as error:
            reason = str(error)
        if edge:
            picture, _ = self._decode(source, 0)
            return picture, reason
        return None, reason

    def _run(
        self,
        name: str,
        task: PhotoTask,
        shared: PhotoInput,
        pixels: Pixels | None,
        prior: Mapping[str, StoredFinding],
    ) -> AnalyzerOutcome:
        analyzer = self._analyzers[name]
        self._arena.write_line(name)
        photo = PhotoInput(
            photo_id=shared.photo_id,
            path=shared.path,
            format=shared.format,
            width=shared.width,
            height=shared.height,
            pixels=pixels,
            data=shared.data,
            sidecars=_read_sidecars(task) if analyzer.reads_sidecars else (),
            findings={each: plain_finding(prior[each]) for each in analyzer.after if each in prior},
        )
        return analyze(analyzer, [photo])[0]

    def _share(self, pixels: Pixels, edge: int, task: PhotoTask) -> Level:
        """Copy one level into the task's slot; the levels lie there one behind the other."""
        start = task.slot_offset + sum(other * other * 3 for other in task.model_edges if other < edge)
        height, width = pixels.shape[:2]
        np.frombuffer(self._arena.memory, np.uint8, pixels.size, start)[:] = pixels.reshape(-1)
        return Level(edge, start, height, width)


def _read_sidecars(task: PhotoTask) -> tuple[Sidecar, ...]:
    """The photo's sidecars; one that went away meanwhile is simply not there."""
    found = []
    folder = os.path.dirname(task.path)
    for name in task.sidecars:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                found.append(Sidecar(os.fsdecode(name), file.read(_MAX_SIDECAR_BYTES)))
        except OSError:
            continue
    return tuple(found)


def _bare_report(source: Source) -> DecodeReport:
    return DecodeReport(source.stat, source.fingerprint, "", 0, 0, "metadata")


def _formats(setup: WorkerSetup) -> list[Any]:
    found = []
    for module, qualname in setup.formats:
        try:
            format_class: Any = importlib.import_module(module)
            for part in qualname.split("."):
                format_class = getattr(format_class, part)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything: the other formats still serve
            log.error("image format %s.%s is left out: %s", module, qualname, describe_error(error))
        else:
            found.append(format_class)
    return found
