"""SIGTERM and SIGINT end the daemon cleanly, also in the middle of an ingest."""

from __future__ import annotations

import signal

import pytest
from daemon_process import daemon
from sample_photos import make_photo


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_an_ingest_loses_nothing_committed(number: signal.Signals) -> None:
    with daemon() as library:
        for seed in range(150):
            make_photo(library.root / f"photo{seed}.jpg", seed, size=(800, 600))
        library.configure(pipeline={"commit_photos": 8})
        library.start()
        library.until(lambda: library.rows("SELECT COUNT(*) FROM findings")[0][0] > 10)
        kept = set(library.rows("SELECT photo_id, analyzer_id, analyzed_at FROM findings"))
        assert library.stop(number) == 0
        assert not library.socket.exists()
        assert library.processes_left() == []
        assert library.rows("PRAGMA integrity_check") == [("ok",)]
        assert library.rows("PRAGMA foreign_key_check") == []
        stopped = set(library.rows("SELECT photo_id, analyzer_id, analyzed_at FROM findings"))
        assert kept <= stopped
        library.start()
        library.wait()
        finished = set(library.rows("SELECT photo_id, analyzer_id, analyzed_at FROM findings"))
        assert stopped <= finished
        assert len(finished) == 3 * 150
        assert library.stop(number) == 0
        assert "Traceback" not in library.said


def test_a_daemon_without_work_stops_too() -> None:
    with daemon() as library:
        library.start()
        assert library.stop(signal.SIGINT) == 0
        assert not library.socket.exists()
        answer = library.ctl("status")
        assert answer.code == 3
        assert "imgd run" in answer.err
