"""Tasks received ahead: what goes wrong with one comes where its task would have come."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from imgd.domain import FileStat
from imgd.pipeline.ahead import TasksAhead
from imgd.pipeline.channel import Channel, ChannelClosedError
from imgd.pipeline.messages import PhotoTask

Ends: TypeAlias = tuple[Channel[PhotoTask, Any], Channel[Any, PhotoTask]]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The main process's end, and the worker's."""
    ours, theirs = socket.socketpair()
    channels = Channel(ours, Any), Channel(theirs, PhotoTask)
    with ours, theirs:
        yield channels
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
        for channel in channels:
            channel._stream.close()


def make_task(path: Path | str) -> PhotoTask:
    return PhotoTask(1, os.fsencode(path), FileStat(0, 0, 0, 0), (), (), (), -1)


def test_files_are_opened_in_the_order_of_their_tasks_and_the_reason_stands_for_those_that_cannot_be(
    ends: Ends, tmp_path: Path
) -> None:
    main, worker = ends
    (tmp_path / "a").write_bytes(b"a photo")
    for name in ("a", "gone"):
        main.send(make_task(tmp_path / name))
    tasks = TasksAhead(worker, 1000, 2)
    first, second = tasks.take(), tasks.take()
    assert first.source is not None
    with first.source as source:
        assert source.data == b"a photo"
    assert isinstance(second.error, FileNotFoundError)


def test_a_task_that_the_thread_cannot_open_raises_behind_those_before_it(ends: Ends, tmp_path: Path) -> None:
    main, worker = ends
    main.send(make_task(tmp_path / "gone"))
    main.send(make_task("with a \0"))
    tasks = TasksAhead(worker, 1000, 5)
    assert isinstance(tasks.take().error, FileNotFoundError)
    with pytest.raises(ValueError, match="null"):
        tasks.take()


def test_the_end_of_the_connection_comes_behind_the_last_task(ends: Ends, tmp_path: Path) -> None:
    main, worker = ends
    main.send(make_task(tmp_path / "gone"))
    tasks = TasksAhead(worker, 1000, 5)
    assert isinstance(tasks.take().error, FileNotFoundError)
    main._socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ChannelClosedError):
        tasks.take()
