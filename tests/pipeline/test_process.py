"""Children of the real nursery: how they start, how their end is heard of, and that none outlives its parent."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from imgd.pipeline.process import Child, ChildStarter


def with_starter(work: Callable[[ChildStarter], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        starter = ChildStarter()
        try:
            async with asyncio.timeout(120):
                return await work(starter)
        finally:
            await starter.stop()

    return asyncio.run(run())


async def greeting(child: Child) -> list[str]:
    child.connection.setblocking(False)
    line = await asyncio.get_running_loop().sock_recv(child.connection, 1024)
    return line.decode().split()


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def wait_for_end(pid: int) -> None:
    """Until `pid` has ended; it need not be a child of this process."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], 120)
        assert ended, f"process {pid} lives on"
    finally:
        os.close(descriptor)


def test_a_child_runs_its_target_under_the_nursery_with_its_setup() -> None:
    async def work(starter: ChildStarter) -> None:
        child = await starter.start("toy_children:echo", "toy", "setup")
        pid, parent, setup, fds = await greeting(child)
        assert int(pid) == child.pid
        assert starter.pids == [int(parent), child.pid]
        assert (setup, fds) == ("setup", "0")
        assert comm(child.pid) == "toy"
        assert starter.names() == {int(parent): "imgd-nursery", child.pid: "toy"}
        assert child.alive
        child.connection.close()
        assert await child.wait() == 0
        assert not child.alive
        assert starter.pids == [int(parent)]

    with_starter(work)


def test_no_module_is_taken_from_the_folder_that_the_daemon_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)

    async def work(starter: ChildStarter) -> None:
        child = await starter.start("toy_children:echo", "toy", "setup")
        assert (await greeting(child))[2] == "setup"
        child.connection.close()
        assert await child.wait() == 0

    with_starter(work)


def test_a_child_has_copies_of_the_descriptors_it_is_given() -> None:
    async def work(starter: ChildStarter) -> None:
        reading, writing = os.pipe()
        child = await starter.start("toy_children:write_to_first_fd", "toy", b"hello", [writing])
        os.close(writing)
        assert await child.wait() == 0
        assert os.read(reading, 10) == b"hello"
        assert os.read(reading, 10) == b""
        os.close(reading)
        child.connection.close()

    with_starter(work)


@pytest.mark.parametrize(
    ("target", "setup", "status"),
    [
        ("toy_children:leave", 7, 7),
        ("toy_children:leave", 0, 0),
        ("toy_children:fail", None, 1),
        ("toy_children:absent", None, 1),
        ("no_such_module:run", None, 1),
    ],
)
def test_the_end_of_a_child_is_heard_of_with_its_status(target: str, setup: Any, status: int) -> None:
    async def work(starter: ChildStarter) -> None:
        child = await starter.start(target, "toy", setup)
        assert await child.wait() == status
        child.kill()
        child.connection.close()

    with_starter(work)


def test_a_killed_child_ends_by_its_signal() -> None:
    async def work(starter: ChildStarter) -> None:
        child = await starter.start("toy_children:stay", "toy", None)
        child.kill()
        assert await child.wait() == -signal.SIGKILL
        child.connection.close()

    with_starter(work)


def test_children_asked_for_at_once_all_start() -> None:
    async def work(starter: ChildStarter) -> None:
        children = await asyncio.gather(
            *(starter.start("toy_children:echo", f"toy{number}", number) for number in range(8))
        )
        heard = [await greeting(child) for child in children]
        assert [int(pid) for pid, *_ in heard] == [child.pid for child in children]
        assert [setup for _, _, setup, _ in heard] == [str(number) for number in range(8)]
        for child in children:
            child.connection.close()

    with_starter(work)


def test_stop_leaves_no_process_even_of_those_that_hang() -> None:
    pids: list[int] = []

    async def work(starter: ChildStarter) -> None:
        children = [await starter.start("toy_children:stay", "toy", None) for _ in range(3)]
        pids.extend(starter.pids)
        for child in children:
            child.connection.close()

    with_starter(work)
    assert len(pids) == 4
    for pid in pids:
        wait_for_end(pid)


def test_a_killed_nursery_takes_its_children_with_it_and_is_replaced() -> None:
    async def work(starter: ChildStarter) -> None:
        first = await starter.start("toy_children:stay", "toy", None)
        nursery = starter.pids[0]
        os.kill(nursery, signal.SIGKILL)
        assert await first.wait() == -signal.SIGKILL
        wait_for_end(first.pid)
        second = await starter.start("toy_children:echo", "toy", "again")
        assert (await greeting(second))[2] == "again"
        assert starter.pids[0] != nursery
        for child in (first, second):
            child.connection.close()

    with_starter(work)


def test_a_child_that_is_asked_for_while_the_nursery_dies_comes_from_the_next() -> None:
    async def work(starter: ChildStarter) -> None:
        first = await starter.start("toy_children:stay", "toy", None)
        os.kill(starter.pids[0], signal.SIGKILL)
        wait_for_end(starter.pids[0])  # the starter itself has not heard of it yet
        second = await starter.start("toy_children:echo", "toy", "again")
        assert (await greeting(second))[2] == "again"
        for child in (first, second):
            child.connection.close()

    with_starter(work)


def test_a_child_whose_asker_gave_up_is_ended_and_the_next_one_starts() -> None:
    async def work(starter: ChildStarter) -> None:
        first = await starter.start("toy_children:echo", "toy", "first")
        asking = asyncio.create_task(starter.start("toy_children:stay", "toy", None))
        await asyncio.sleep(0)  # it has sent its request now
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        third = await starter.start("toy_children:echo", "toy", "third")
        assert (await greeting(third))[2] == "third"
        others = set(starter.pids) - {starter.pids[0], first.pid, third.pid}
        for pid in others:
            await asyncio.to_thread(wait_for_end, pid)
        for child in (first, third):
            child.connection.close()

    with_starter(work)


def test_kill_9_of_the_parent_leaves_neither_nursery_nor_children() -> None:
    script = Path(__file__).parent / "toys" / "starting_parent.py"
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 4
    for pid in pids:
        wait_for_end(pid)
