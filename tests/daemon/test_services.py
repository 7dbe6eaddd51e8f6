"""What the daemon says of itself, over a real library; its other parts stand still."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imgd.daemon.roster import AnalyzerState
from imgd.daemon.services import DaemonServices
from imgd.index.refresh import IndexStatus
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.watch.scan import Fault


class Refresher:
    """Remembers which thread asked for the indexes' state, each time."""

    def __init__(self) -> None:
        self.asked_by: list[threading.Thread] = []

    def freshness(self) -> IndexStatus:
        self.asked_by.append(threading.current_thread())
        return IndexStatus(
            newest_seq=1, covered_seq=1, dirty=0, dirty_since=None, faults=("the index is damaged",), spaces=()
        )


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Any]:
    database = Database(tmp_path / "library.db", migrations())
    faults = (Fault(b"sub/caf\xe9", "Permission denied"), Fault(b"", "cannot be watched"))
    root = SimpleNamespace(path=b"/photos", faults=faults, scanning=False)
    ready = SimpleNamespace(state=AnalyzerState.READY, advice="")
    yield SimpleNamespace(
        database=database,
        refresher=Refresher(),
        roster=SimpleNamespace(standings={"technical": ready}),
        pipeline=SimpleNamespace(faults=[], paused=False, busy=False),
        watcher=SimpleNamespace(roots=lambda: [root], busy=False),
        registry=SimpleNamespace(statuses={}),
        starter=SimpleNamespace(names=dict),
        encoders=SimpleNamespace(faults={}),
        started_at=time.time(),
        stopping=False,
    )
    database.close()


def test_faults_of_a_root_are_sentences_with_the_whole_path(parts: Any) -> None:
    status = asyncio.run(DaemonServices(parts).status())
    assert [fault.message for fault in status.faults] == [
        "the index is damaged",
        "/photos/sub/caf\\xe9: Permission denied",
        "/photos: cannot be watched",
    ]


def test_the_indexes_are_asked_once_for_a_status_and_not_in_the_event_loop(parts: Any) -> None:
    asyncio.run(DaemonServices(parts).status())
    (thread,) = parts.refresher.asked_by
    assert thread is not threading.main_thread()


def test_the_line_for_systemd_follows_the_library_though_nobody_asks_for_progress(parts: Any) -> None:
    async def check() -> None:
        services = DaemonServices(parts)
        assert services.one_line() == "running", "not counted yet"
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        assert services.one_line() == "running: 0 photos, 0 findings owed"

    asyncio.run(check())
