"""What becomes of photos whose workers are killed, crash, hang or use up their time."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import signal
from types import SimpleNamespace

import pytest
from pipeline_library import AheadClock, Library, analyze_all, make_photos, with_pipeline

from imgd.config import DecodeSettings
from imgd.pipeline import capacity, pool
from imgd.pipeline.messages import WAITING
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline


def test_killed_workers_cost_no_photo(library: Library) -> None:
    from toy_analyzers import Lane, Shape

    active = library.activate(Shape, Lane)
    make_photos(library, [f"{number}.jpg" for number in range(200)])

    async def kill(pipeline: Pipeline, starter: ChildStarter) -> None:
        killed: set[int] = set()  # one may still be listed when the next is to be killed
        for _ in range(6):
            found = len(library.rows("SELECT 1 FROM findings"))
            while pipeline.busy and len(library.rows("SELECT 1 FROM findings")) == found:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            for pid in [each for each in starter.pids[1:] if each not in killed][:1]:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    asyncio.run(analyze_all(library, active, during=kill))
    assert len(library.findings("shape")) == 200
    assert len(library.findings("lane")) == 200
    assert library.failures() == {}


def test_a_photo_that_uses_up_its_cpu_time_fails_and_the_clock_of_the_others_is_their_own(
    library: Library,
) -> None:
    from toy_analyzers import Header, Spin

    library.settings = dataclasses.replace(library.settings, decode=DecodeSettings(cpu_s=1.0, timeout_s=60.0))
    active = library.activate(Header, Spin)
    make_photos(library, [f"{number}.jpg" for number in range(6)] + ["bad.jpg"])
    asyncio.run(analyze_all(library, active))
    assert (
        library.failures()["bad.jpg", "spin"]
        == "analyzer spin: the worker used more CPU time than `decode.cpu_s` allows"
    )
    assert len(library.findings("spin")) == 6


def test_the_time_that_a_worker_waits_for_its_turn_is_not_its_photos(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_analyzers import Dawdle

    monkeypatch.setattr(capacity, "_SHARE", 0.0)
    monkeypatch.setattr(capacity, "_ORDINARY_BYTES", 1)
    monkeypatch.setattr(pool, "time", clock := AheadClock())
    library.settings = dataclasses.replace(library.settings, decode=DecodeSettings(timeout_s=600.0))
    active = library.activate(Dawdle)
    make_photos(library, ["bad.jpg"])

    async def keep_the_turn(pipeline: Pipeline, _starter: ChildStarter) -> None:
        arena = pipeline._arena
        fcntl.lockf(arena.fd, fcntl.LOCK_EX, 1)
        while arena.read_line(0) != WAITING and arena.read_line(1) != WAITING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        looked, doing = asyncio.Event(), pipeline._pool.doing
        monkeypatch.setattr(pipeline._pool, "doing", lambda index: looked.set() or doing(index))
        clock.ahead_s = 500.0
        await looked.wait()
        fcntl.lockf(arena.fd, fcntl.LOCK_UN, 1)
        clock.ahead_s = 1000.0  # with the photo's own time more than the bound

    asyncio.run(analyze_all(library, active, during=keep_the_turn))
    assert library.failures() == {}
    assert set(library.findings("dawdle")) == {"bad.jpg"}


def test_analyzers_that_hang_when_closed_cost_no_photo(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_analyzers import Clinging

    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: 0.0))  # no photo's time runs out
    library.settings = dataclasses.replace(library.settings, decode=DecodeSettings(timeout_s=1.0))
    library.settings = with_pipeline(library.settings, recycle_after=3)
    active = library.activate(Clinging)
    make_photos(library, [f"{number}.jpg" for number in range(5)])
    asyncio.run(analyze_all(library, active, workers=1))
    assert len(library.findings("clinging")) == 5
    assert library.failures() == {}


def test_a_photo_that_crashes_its_worker_twice_fails_and_one_that_is_only_killed_is_put_off(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    from toy_analyzers import Crash, Killed

    active = library.activate(Crash, Killed)
    make_photos(library, ["bad.jpg"])
    asyncio.run(analyze_all(library, active[:1]))
    assert library.failures().keys() == {("bad.jpg", "crash")}
    assert len([each for each in caplog.messages if "while it did crash" in each]) == 2
    asyncio.run(analyze_all(library, active[1:]))
    assert len([each for each in caplog.messages if "while it did killed" in each]) == 5
    assert library.failures().keys() == {("bad.jpg", "crash")}
    assert library.rows("SELECT attempts FROM jobs WHERE state = 'owed' AND not_before > 0") == [(1,)]
    for put_off, state in ((7, "owed"), (8, "failed")):
        caplog.clear()
        library.database.write(
            lambda c, n=put_off: c.execute(
                "UPDATE jobs SET not_before = 0, attempts = ? WHERE state = 'owed'", (n,)
            )
        ).result()
        asyncio.run(analyze_all(library, active[1:]))
        assert len([each for each in caplog.messages if "while it did killed" in each]) == 1
        assert library.rows("SELECT state FROM jobs WHERE attempts >= 7") == [(state,)]
    assert library.failures()["bad.jpg", "killed"] == "analyzer killed: the worker was killed by signal 9"
