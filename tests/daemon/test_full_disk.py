"""A full disk delays, and loses nothing: what cannot be written is told of, kept, and made up for."""

from __future__ import annotations

import os
from pathlib import Path

from daemon_process import Daemon, daemon
from sample_photos import make_photo
from small_disk import small_disk

PHOTOS = 30


def fill(folder: Path, *, leave_kib: int) -> Path:
    """Take all room on the disk of `folder` but a little."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    with ballast.open("wb") as file:
        file.write(bytes(free.f_bavail * free.f_frsize - leave_kib * 1024))
    return ballast


def add_photos(library: Daemon) -> None:
    for seed in range(PHOTOS):
        make_photo(library.root / f"photo{seed}.jpg", seed, size=(800, 600), keyword="roomy")


def count_findings(library: Daemon, analyzer: str) -> int:
    rows = library.rows(
        "SELECT COUNT(*) FROM findings JOIN analyzers ON analyzers.id = analyzer_id WHERE name = ?", analyzer
    )
    return int(rows[0][0])


def test_previews_that_do_not_fit_on_the_disk_stay_owed_until_there_is_room() -> None:
    with daemon() as library, small_disk(library.cache_dir, 4096):
        add_photos(library)
        ballast = fill(library.cache_dir, leave_kib=64)
        library.start()
        library.until(lambda: count_findings(library, "technical") == PHOTOS)
        library.until(lambda: "disk is full" in library.faults())
        assert "Free some space" in library.faults() or "no room" in library.faults()
        assert count_findings(library, "preview") < PHOTOS
        assert library.failed() == {}
        assert library.ctl("wait", "--timeout", "0").code == 4
        ballast.unlink()
        library.ctl("retry", "--analyzer", "preview")  # else they are tried again a minute later
        library.wait()
        assert count_findings(library, "preview") == PHOTOS
        assert library.failed() == {}
        assert library.faults() == ""
        library.stop()


def test_findings_that_do_not_fit_on_the_disk_are_kept_until_there_is_room() -> None:
    with daemon() as library, small_disk(library.state_dir, 8192):
        library.start()
        library.wait()
        ballast = fill(library.state_dir, leave_kib=0)
        add_photos(library)
        library.until(lambda: "disk is full" in library.faults())
        assert "Free some space" in library.faults()
        assert library.found("roomy") == []
        ballast.unlink()
        library.until(lambda: count_findings(library, "technical") == PHOTOS)
        library.wait()
        assert len(library.found("roomy")) == PHOTOS
        assert library.failed() == {}
        assert library.faults() == ""
        assert library.rows("PRAGMA integrity_check") == [("ok",)]
        library.stop()


def test_a_full_state_disk_in_the_middle_of_analysis_keeps_the_batch() -> None:
    with daemon() as library, small_disk(library.state_dir, 8192):
        library.start()
        library.ctl("pause")
        add_photos(library)
        library.until(lambda: library.rows("SELECT COUNT(*) FROM photos")[0][0] == PHOTOS)
        ballast = fill(library.state_dir, leave_kib=0)
        library.ctl("resume")
        library.until(lambda: "disk is full" in library.faults())
        ballast.unlink()
        library.wait()
        assert {count_findings(library, name) for name in ("metadata", "preview", "technical")} == {PHOTOS}
        assert library.failed() == {}
        assert library.faults() == ""
        assert library.stop() == 0
