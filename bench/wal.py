"""How large library.db-wal grows through an ingest and analysis while somebody holds a read transaction, and how
soon it shrinks once the reader has gone; against the same without the reader.

    bench/wal.py [--photos 5000]

A real daemon with the built-in analyzers over generated JPEGs. The reader is this program: it begins a transaction
before the first photo is registered and ends it after the last commit. The longest time that imgd itself keeps the
WAL from being used again is read off the kernel's list of file locks: SQLite locks one of bytes 123 to 127 of the
-shm file while a reader is in the WAL (https://www.sqlite.org/walformat.html, section 2.3.1).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from library import Library, LibraryError, library, make_old, run
from photos import make_photo

_LOOK_S = 0.005
_WAIT_S = 900.0
_SHRINK_S = 60.0
_READ_LOCKS = range(123, 128)
_MIB = 1 << 20
BARS = {
    "without a reader, MiB": 16.0,
    "KiB a photo with a reader": 16.0,
    "shrinks in, s": 10.0,
    "own read, s": 1.0,
}


class WalWatch:
    """Looks at the WAL's size and at who reads in it, every few milliseconds while it is entered."""

    def __init__(self, owned: Library) -> None:
        self._wal = owned.database.with_name(owned.database.name + "-wal")
        self._shm = owned.database.with_name(owned.database.name + "-shm")
        self._pid = owned.pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wal watch")
        self._read_since: dict[int, float] = {}
        self.largest_bytes = 0
        self.longest_read_s = 0.0
        """The longest time for which the daemon held one read lock without a pause: for one read, or for several
        that overlapped."""
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def size_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.looks += 1
            self.largest_bytes = max(self.largest_bytes, self.size_bytes)
            now, held = time.monotonic(), self._held()
            self._read_since = {byte: self._read_since.get(byte, now) for byte in held}
            self.longest_read_s = max([self.longest_read_s, *(now - began for began in self._read_since.values())])

    def _held(self) -> set[int]:
        """Bytes of the -shm file that the daemon has locked for reading the WAL."""
        try:
            inode = str(self._shm.stat().st_ino)
        except FileNotFoundError:
            return set()
        found: set[int] = set()
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if "->" in fields or fields[4] != str(self._pid) or fields[5].rpartition(":")[2] != inode:
                continue
            first, last = int(fields[6]), int(fields[7]) if fields[7] != "EOF" else 1 << 62
            found.update(byte for byte in _READ_LOCKS if first <= byte <= last)
        return found


@dataclass(frozen=True, slots=True)
class Course:
    """One ingest and analysis."""

    wall_s: float
    largest_bytes: int
    end_bytes: int  # at once after the last commit, the reader still there
    shrunk_s: float  # until nothing is left of it, from there on
    rest_bytes: int
    longest_read_s: float
    database_bytes: int


def measure(photos: Path, count: int, *, with_reader: bool) -> Course:
    """Ingest and analyze `photos`; the reader's transaction lasts from before the first until after the last."""
    with library(settings={"watch": {"settle_s": 0.1}}) as owned, contextlib.ExitStack() as stack:
        owned.start()
        watch = stack.enter_context(WalWatch(owned))
        reader = sqlite3.connect(f"file:{owned.database}?mode=ro", uri=True, isolation_level=None)
        stack.callback(reader.close)
        if with_reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM photos").fetchone()
        began = time.monotonic()
        photos.rename(owned.root / "in")
        stack.callback((owned.root / "in").rename, photos)
        owned.until(lambda: owned.done() == count, _WAIT_S, f"{count} photos are analyzed")
        owned.wait(_WAIT_S)
        wall_s, end_bytes, longest_s = time.monotonic() - began, watch.size_bytes, watch.longest_read_s
        if with_reader:
            if reader.execute("SELECT COUNT(*) FROM photos").fetchone() != (0,):
                raise LibraryError("the reader's transaction did not last: it sees photos that came later")
            reader.execute("COMMIT")
        shrunk_s = shrinks_in(owned, watch)
        return Course(
            wall_s,
            watch.largest_bytes,
            end_bytes,
            shrunk_s,
            watch.size_bytes,
            longest_s,
            owned.database.stat().st_size,
        )


def shrinks_in(owned: Library, watch: WalWatch) -> float:
    """Seconds until the WAL is empty; infinite where it is not in a minute."""
    began = time.monotonic()
    with contextlib.suppress(LibraryError):
        owned.until(lambda: watch.size_bytes == 0, _SHRINK_S, "the WAL is empty")
        return time.monotonic() - began
    return float("inf")


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=5000)
    options = parser.parse_args()
    if not os.access("/proc/locks", os.R_OK):
        raise LibraryError("this system does not list its file locks in /proc/locks")
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        photos = Path(name) / "photos"
        for number in range(options.photos):
            make_photo(photos / f"{number % 50:02}" / f"photo{number:05}.jpg", number, (96, 72))
        make_old(photos)
        alone = measure(photos, options.photos, with_reader=False)
        beside = measure(photos, options.photos, with_reader=True)
    return report(options.photos, alone, beside)


def report(photos: int, alone: Course, beside: Course) -> dict[str, Any]:
    title = f"{photos} photos"
    print(f"{title:40}{'no reader':>12}{'a reader':>12}")
    for what, one, other in (
        ("wall time, s", alone.wall_s, beside.wall_s),
        ("library.db at the end, MiB", alone.database_bytes / _MIB, beside.database_bytes / _MIB),
        ("largest WAL, MiB", alone.largest_bytes / _MIB, beside.largest_bytes / _MIB),
        ("WAL at the end, the reader there, MiB", alone.end_bytes / _MIB, beside.end_bytes / _MIB),
        ("then empty in, s", alone.shrunk_s, beside.shrunk_s),
        ("what is left, MiB", alone.rest_bytes / _MIB, beside.rest_bytes / _MIB),
        ("longest read of imgd's own, s", alone.longest_read_s, beside.longest_read_s),
    ):
        print(f"{what:40}{one:12.2f}{other:12.2f}")
    measured = {
        "without a reader, MiB": alone.largest_bytes / _MIB,
        "KiB a photo with a reader": beside.largest_bytes / 1024 / photos,
        "shrinks in, s": max(alone.shrunk_s, beside.shrunk_s),
        "own read, s": max(alone.longest_read_s, beside.longest_read_s),
    }
    for what, value in measured.items():
        print(f"{what:40}{value:12.2f}   bar {BARS[what]:g}")
    return {
        "bench": "wal",
        "photos": photos,
        "with_reader_mib": round(beside.largest_bytes / _MIB, 1),
        **{what: round(value, 2) if value != float("inf") else None for what, value in measured.items()},
        "passed": all(value <= BARS[what] for what, value in measured.items()),
    }


if __name__ == "__main__":
    run(main)
