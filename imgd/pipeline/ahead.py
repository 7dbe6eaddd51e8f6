"""A worker's tasks with their files opened ahead: while one photo is worked on, the kernel reads the next."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

from imgd.decode import Source
from imgd.errors import DecodeError
from imgd.pipeline.channel import Channel
from imgd.pipeline.messages import PhotoResult, PhotoTask, Ready


@dataclass(frozen=True, slots=True)
class OpenedTask:
    """A task, with its file opened or the reason why it could not be; both None where a preview stands in."""

    task: PhotoTask
    source: Source | None = None
    error: OSError | DecodeError | None = None


class TasksAhead:
    """Receives `count` tasks in a thread of its own; no file of a later one is opened.

    The thread opens, and asks the kernel to fetch; it reads nothing itself, so that memory holds one photo.
    """

    def __init__(self, channel: Channel[Ready | PhotoResult, PhotoTask], max_bytes: int, count: int) -> None:
        self._channel = channel
        self._max_bytes = max_bytes
        self._count = count
        self._opened: queue.SimpleQueue[OpenedTask | BaseException] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="tasks ahead", daemon=True).start()

    def take(self) -> OpenedTask:
        """The next task; blocks.

        Raises:
            ChannelClosedError: when the main process has closed the connection.
            Exception: what kept the thread from receiving or opening it (a MemoryError, say); none comes after it.
        """
        opened = self._opened.get()
        if isinstance(opened, BaseException):
            raise opened
        return opened

    def _run(self) -> None:
        try:
            for _ in range(self._count):
                self._opened.put(self._open(self._channel.receive()))
        except BaseException as error:  # noqa: BLE001 - else the worker would wait until a photo is blamed for it
            self._opened.put(error)

    def _open(self, task: PhotoTask) -> OpenedTask:
        if task.stand_in is not None:
            return OpenedTask(task)
        try:
            source = Source.open(task.path, self._max_bytes)
        except (OSError, DecodeError) as error:
            return OpenedTask(task, error=error)
        source.fetch()
        return OpenedTask(task, source)
