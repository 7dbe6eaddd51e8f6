"""A decode worker: one open and one decode a photo, inline analyzers on the hot pixels, the rest to the lanes."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import structs

from imgd.analyzers.preview import Preview
from imgd.decode import (
    DecodeLimits,
    FormatRegistry,
    LateFile,
    Source,
    Turns,
    allow_cpu,
    confine,
    decode,
    exact_size,
    pyramid,
    report,
)
from imgd.domain import ByteRange, DecodeReport, FileStat, PhotoInput, Picture, Sidecar, StoredFinding
from imgd.errors import DecodeError
from imgd.pipeline.ahead import OpenedTask, TasksAhead
from imgd.pipeline.arena import ArenaView
from imgd.pipeline.channel import Channel, ChannelClosedError, MessageTooLargeError
from imgd.pipeline.checked import plain_finding
from imgd.pipeline.contents import find_twin
from imgd.pipeline.costs import CACHED_PREVIEW
from imgd.pipeline.growth import Growth
from imgd.pipeline.hosted import analyze, close_hosted, load_formats, load_hosted
from imgd.pipeline.messages import (
    DECODING,
    WAITING,
    AnalyzerOutcome,
    Level,
    PhotoResult,
    PhotoStatus,
    PhotoTask,
    Ready,
    StandIn,
    TwinFile,
    WorkerSetup,
)

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
    turns = Turns(arena.fd, setup.share_bytes, lambda waits: arena.write_line(WAITING if waits else DECODING))
    worker = Worker(arena, analyzers, FormatRegistry(load_formats(setup.formats), turns), limits)
    try:
        channel.send(Ready(faults))
        tasks = TasksAhead(channel, limits.max_file_bytes, setup.recycle_after)
        for _ in range(setup.recycle_after):
            opened = tasks.take()
            allow_cpu(limits.cpu_s)
            result = worker.work(opened)
            spent = worker.growth.is_too_much  # what is left might not do for the next photo
            if spent:
                result = structs.replace(result, leaky=worker.growth.culprit, leak=worker.growth.sentence)
            try:
                channel.send(result)
            except MessageTooLargeError:
                channel.send(worker.refuse(opened.task, "the findings of this photo are too large"))
            if spent:
                break
    except ChannelClosedError:
        pass
    finally:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # no photo waits for an analyzer that takes its time to close
        close_hosted(analyzers.values())


class Worker:
    """Does one photo after another."""

    def __init__(
        self, arena: ArenaView, analyzers: Mapping[str, Any], registry: FormatRegistry, limits: DecodeLimits
    ) -> None:
        self._arena = arena
        self._analyzers = analyzers
        self._registry = registry
        self._limits = limits
        self._spent_s: dict[str, float] = {}
        self.growth = Growth(limits.memory_bytes // 2)

    def work(self, opened: OpenedTask) -> PhotoResult:
        """Everything that a task asks for, from the one open of its file; or from the photo's cached preview."""
        task = opened.task
        self._arena.write_line(DECODING)
        began = time.perf_counter()
        self._spent_s = {}
        try:
            if task.stand_in is not None:
                result = self._work_on_preview(task, task.stand_in)
            elif opened.source is None:
                raise opened.error or FileNotFoundError
            else:
                with opened.source as source:
                    result = self._work_on_file(task, source)
        except FileNotFoundError:
            result = PhotoResult(task.photo_id, PhotoStatus.GONE, "the file is not there")
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            passes = not isinstance(error, PermissionError)
            result = PhotoResult(task.photo_id, PhotoStatus.UNREADABLE, reason, transient=passes)
        except DecodeError as error:
            result = self.refuse(task, str(error))
        self._arena.write_line("")
        rest_s = time.perf_counter() - began - sum(self._spent_s.values())
        if not result.twin:  # else that was no decode, which it is counted as
            self._spent_s[""] = rest_s
        return structs.replace(result, spent_s=self._spent_s)

    def _work_on_file(self, task: PhotoTask, source: Source) -> PhotoResult:
        if not source.changed and _is_as_registered(task, source.stat):
            twin = find_twin(task.twins, source)
            with_preview = twin is not None and self._take_preview(task, twin)
            if twin is not None:
                task = _without_copied(task, twin, with_preview=with_preview)
            picture, reason = self._decode(source, self._largest_edge(task))
            result = self._analyze(task, picture, reason, source.content)
            if twin is not None:
                result = structs.replace(
                    result, twin=twin.photo_id, content_hash=source.content_hash, copied_preview=with_preview
                )
            if source.fault is not None:
                raise source.fault
            if not source.changed:
                described = report(source, picture) if picture else _bare_report(source)
                return structs.replace(result, report=described)
        return PhotoResult(task.photo_id, PhotoStatus.CHANGED, "the file changed")

    def _take_preview(self, task: PhotoTask, twin: TwinFile) -> bool:
        """Whether the photo has its twin's preview now; else its own is made."""
        previewer = self._analyzers.get(Preview.name)
        if not twin.with_preview or not isinstance(previewer, Preview):
            return False
        return previewer.take_over(twin.photo_id, task.photo_id)

    def _work_on_original(self, task: PhotoTask) -> PhotoResult:
        with Source.open(task.path, self._limits.max_file_bytes) as source:
            return self._work_on_file(task, source)

    def _work_on_preview(self, task: PhotoTask, stand_in: StandIn) -> PhotoResult:
        """As from the file, which is only looked at; it is read after all where the preview does not serve."""
        if not _is_as_registered(task, FileStat.of(os.stat(task.path))):
            return PhotoResult(task.photo_id, PhotoStatus.CHANGED, "the file changed")
        edge = self._largest_edge(task)
        needed = exact_size(stand_in.width, stand_in.height, edge)
        try:
            with Source.open(stand_in.path, self._limits.max_file_bytes) as preview:
                picture = decode(preview, edge, self._limits, self._registry)
        except (OSError, DecodeError):
            picture = None
        if picture is None or picture.pixels is None or picture.pixels.shape[1::-1] != needed:
            return self._work_on_original(task)
        picture = Picture(picture.pixels, stand_in.width, stand_in.height, CACHED_PREVIEW, "", stand_in.format)
        with contextlib.closing(LateFile(task.path, self._limits.max_file_bytes)) as original:
            result = self._analyze(task, picture, "", original)
        if all(outcome.finding for outcome in result.outcomes):
            return result
        # Whether the file or the preview is to blame can be told from the file.
        return self._work_on_original(task)

    def refuse(self, task: PhotoTask, reason: str) -> PhotoResult:
        """Nothing of the photo can be used."""
        outcomes = [AnalyzerOutcome(name, reason=reason) for name in task.analyzers]
        return PhotoResult(task.photo_id, PhotoStatus.DONE, reason, outcomes=outcomes)

    def _needs(self, task: PhotoTask) -> dict[str, int]:
        """The edge of each inline analyzer; one that could not be loaded here is left out: its job stays owed."""
        return {name: self._analyzers[name].needs.edge for name in task.analyzers if name in self._analyzers}

    def _largest_edge(self, task: PhotoTask) -> int:
        return max((*self._needs(task).values(), *task.model_edges), default=0)

    def _analyze(self, task: PhotoTask, picture: Picture | None, reason: str, file: ByteRange) -> PhotoResult:
        """Run the inline analyzers on `picture`, and share the sizes that the lanes need of it."""
        needs = self._needs(task)
        edges = {edge for edge in (*needs.values(), *task.model_edges) if edge}
        levels = pyramid(picture, edges) if picture is not None and picture.pixels is not None else {}
        outcomes: list[AnalyzerOutcome] = []
        prior = dict(task.prior)
        shared = PhotoInput(
            photo_id=task.photo_id,
            path=os.fsdecode(task.path),
            format=picture.format if picture else "",
            width=picture.width if picture else 0,
            height=picture.height if picture else 0,
            file=file,
        )
        # Before any plugin sees them: what one does to its pixels by force is not done to those of the lanes.
        shares = [self._share(levels[edge], edge, task) for edge in task.model_edges if edge in levels]
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
            outcomes=outcomes,
            levels=shares,
            route=picture.route if picture else "",
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
        began = time.perf_counter()
        photo = PhotoInput(
            photo_id=shared.photo_id,
            path=shared.path,
            format=shared.format,
            width=shared.width,
            height=shared.height,
            pixels=pixels,
            file=shared.file,
            sidecars=_read_sidecars(task) if analyzer.reads_sidecars else (),
            findings={each: plain_finding(prior[each]) for each in analyzer.after if each in prior},
        )
        with self.growth.during(name):
            outcome = analyze(analyzer, [photo])[0]
        self._spent_s[name] = self._spent_s.get(name, 0.0) + time.perf_counter() - began
        return outcome

    def _share(self, pixels: Pixels, edge: int, task: PhotoTask) -> Level:
        """Copy one level into the task's slot; the levels lie there one behind the other."""
        start = task.slot_offset + sum(other * other * 3 for other in task.model_edges if other < edge)
        height, width = pixels.shape[:2]
        np.frombuffer(self._arena.memory, np.uint8, pixels.size, start)[:] = pixels.reshape(-1)
        return Level(edge, start, height, width)


def _without_copied(task: PhotoTask, twin: TwinFile, *, with_preview: bool) -> PhotoTask:
    """What is left of a task whose photo is its twin's copy."""
    left = {*twin.analyzers, *(() if with_preview or not twin.with_preview else (Preview.name,))}
    return structs.replace(
        task,
        analyzers=tuple(name for name in task.analyzers if name in left),
        model_edges=twin.model_edges,
        prior={**task.prior, **twin.prior},
    )


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


def _is_as_registered(task: PhotoTask, stat: FileStat) -> bool:
    return (stat.size_bytes, stat.mtime_ns) == (task.stat.size_bytes, task.stat.mtime_ns)


def _bare_report(source: Source) -> DecodeReport:
    return DecodeReport(source.stat, source.fingerprint, "", 0, 0, "metadata")
