"""What people ask of a daemon at work: searches, a pause, another try; and what it keeps from others."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon, write_plugin
from sample_photos import make_photo, make_sidecar


@pytest.fixture(scope="module")
def library() -> Iterator[Daemon]:
    with daemon() as found:
        for seed in range(20):
            make_photo(found.root / f"old{seed:02}.jpg", seed, keyword="archive")
        make_sidecar(found.root / "old03.xmp", "annotated")
        found.start()
        found.wait()
        yield found


def fingerprint(root: Path) -> list[tuple[str, int, int, int, str]]:
    """Everything below `root`: path, mode, size, mtime, content."""
    found = []
    for path in sorted([root, *root.rglob("*")]):
        status = path.stat()
        content = "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        found.append((str(path), status.st_mode, status.st_size, status.st_mtime_ns, content))
    return found


def test_a_pause_stops_analysis_and_nothing_else(library: Daemon) -> None:
    assert library.ctl("pause").out.strip() == "paused"
    try:
        photo = make_photo(library.root / "later.jpg", 100, keyword="tomorrow")
        known = library.sees(photo)
        assert known["findings"] == []
        assert {job["state"] for job in known["jobs"]} == {"owed"}
        assert library.status()["state"] == "paused"
        assert library.found("old07") == ["old07.jpg"]
        assert "more may be found later: analysis is paused" in library.ctl("search", "tomorrow").err
        answer = library.ctl("wait", "--timeout", "0.5")
        assert answer.code == 4
        assert "paused" in answer.err
    finally:
        assert library.ctl("resume").out.strip() == "running"
    library.wait()
    assert library.found("tomorrow") == ["later.jpg"]


_HELD = """
from imgd import Analyzer, Finding, hookimpl


class Held(Analyzer):
    name = "held"
    version = "1"

    def analyze(self, photos):
        for photo in photos:
            if photo.path.endswith("held.jpg"):
                open({gate!r}).read()
        return [Finding() for _ in photos]


@hookimpl
def imgd_analyzers(settings):
    return [Held]
"""


def test_searches_are_answered_while_photos_are_analyzed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    site = write_plugin(tmp_path / "site", "held", _HELD.format(gate=str(gate)))
    with daemon(plugins="held", python_path=[site]) as library:
        library.configure(decode={"timeout_s": 600.0})
        for seed in range(20):
            make_photo(library.root / f"old{seed:02}.jpg", seed, keyword="archive")
        library.start()
        library.wait()
        for seed in range(200, 280):
            name = "held" if seed == 279 else f"new{seed}"
            make_photo(library.base / "new" / f"{name}.jpg", seed, size=(2000, 1500), keyword="fresh")
        (library.base / "new").rename(library.root / "new")
        library.until(lambda: library.rows("SELECT COUNT(*) FROM jobs")[0][0] > 0)
        assert len(library.found("archive")) == 20
        assert library.rows("SELECT COUNT(*) FROM jobs WHERE state = 'owed'")[0][0] > 0
        gate.open("w").close()
        library.wait()
        assert len(library.found("fresh")) == 80


def test_a_failed_photo_is_found_once_it_is_mended(library: Daemon) -> None:
    whole = make_photo(library.base / "whole.png", 300, size=(400, 300)).read_bytes()
    photo = library.root / "broken.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(500))
    os.utime(photo, (1_600_000_000, 1_600_000_000))
    library.wait()
    failures = library.failed()
    assert {analyzer for path, analyzer in failures if path == str(photo)} >= {"preview", "technical"}
    assert all(failures.values())
    photo.write_bytes(whole)
    library.wait()
    assert not [path for path, _ in library.failed() if path == str(photo)]
    assert set(library.findings(photo)) == {"metadata", "preview", "technical"}


def test_retry_tries_what_failed_once_more(library: Daemon) -> None:
    photo = library.root / "hopeless.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    os.utime(photo, (1_600_000_000, 1_600_000_000))
    library.wait()
    failed = {analyzer for path, analyzer in library.failed() if path == str(photo)}
    assert failed
    answer = library.ctl("retry", "--json", str(photo))
    assert answer.object == {"count": len(failed)}
    library.wait()
    assert {analyzer for path, analyzer in library.failed() if path == str(photo)} == failed
    photo.unlink()
    library.wait()
    assert not [path for path, _ in library.failed() if path == str(photo)]


def test_rescan_walks_the_roots_again(library: Daemon) -> None:
    scanned = library.rows("SELECT scanned_at FROM roots")[0][0]
    assert library.ctl("rescan", "--json").object == {"count": 1}
    library.wait()
    assert library.rows("SELECT scanned_at FROM roots")[0][0] > scanned
    answer = library.ctl("rescan", "/nowhere")
    assert answer.code == 5
    assert str(library.root) in answer.err


def test_nobody_else_can_read_what_imgd_keeps(library: Daemon) -> None:
    assert stat.S_IMODE(library.socket.stat().st_mode) == 0o600
    for directory in (library.socket.parent, library.state_dir, library.cache_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    kept = [*library.state_dir.rglob("*"), *library.cache_dir.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept if path.is_dir()} == {0o700}


def test_nothing_under_a_root_is_ever_written() -> None:
    with daemon() as library:
        for seed in range(10):
            make_photo(library.root / f"{seed}" / f"{seed}.jpg", seed, keyword="still")
        make_sidecar(library.root / "3" / "3.xmp", "beside")
        (library.root / "4" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
        before = fingerprint(library.root)
        library.start()
        library.wait()
        assert len(library.found("still")) == 10
        library.ctl("rescan")
        library.ctl("retry", "--all")
        library.wait()
        assert library.stop() == 0
        assert fingerprint(library.root) == before
