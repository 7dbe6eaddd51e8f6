"""The text index of a large library: how long it takes to build, to take in changes, and whom it holds up.

    python bench/text_index.py [--count 500000] [--library DIR]

A library of `bench/synthetic.py` (DIR is a state directory that has one; it is copied) is indexed twice:
once alone, against FTS5's own `rebuild` of the same documents in a file of its own, at the same low priority;
and once more while one thread commits to the library all the time and another searches the index that is in use.
Then photos all over the library get a new tag, 1,000 and 20,000 at once, and are brought up to date. A lock is
looked for every millisecond by a connection of the bench's own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from library import run
from synthetic import make_library

from imgd.index.apart import NICE
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.store.changes import next_change_seq
from imgd.store.database import Database
from imgd.store.migrate import migrations

BARS = {
    "build / FTS5's own rebuild": 2.0,
    "longest commit of the library meanwhile, ms": 50.0,
    "1,000 dirty to searchable, s": 1.0,
    "longest lock of text.db, ms": 50.0,
}
_DIRTY = 1_000
_MANY_DIRTY = 20_000
_ROUNDS = 5
_PAUSE_S = 0.005
_LOOK_S = 0.001
_MIB = 1 << 20

# What FTS5 does when nobody asks for anything else.
_DEFAULTS = (("automerge", 4), ("crisismerge", 16), ("hashsize", _MIB))


class Repeated:
    """Something that a thread does again and again while this is entered; each time's milliseconds are kept."""

    def __init__(self, act: Callable[[], float], pause_s: float) -> None:
        self.times_ms: list[float] = []
        self._act, self._pause_s = act, pause_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.times_ms, share)) if self.times_ms else float("nan")

    def _run(self) -> None:
        while not self._ended.wait(self._pause_s):
            self.times_ms.append(self._act())


def committing(library: Database) -> Repeated:
    """Small commits to the library: how long each takes from the asking to the answer."""

    def commit() -> float:
        began = time.perf_counter()
        library.write(next_change_seq).result()
        return (time.perf_counter() - began) * 1e3

    return Repeated(commit, _PAUSE_S)


def searching(words: Words, matches: list[str]) -> Repeated:
    """Ranked searches, one word after the other."""
    count = 0

    def search() -> float:
        nonlocal count
        began = time.perf_counter()
        words.ranked(matches[count % len(matches)], 100)
        count += 1
        return (time.perf_counter() - began) * 1e3

    return Repeated(search, _PAUSE_S)


def locking(path: Path) -> Repeated:
    """For how long nobody else can write to the database, by trying again until it can be done."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)

    def lock() -> float:
        began = time.perf_counter()
        while True:
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                return (time.perf_counter() - began) * 1e3
            time.sleep(_LOOK_S)

    return Repeated(lock, _LOOK_S)


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--library", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        folder = Path(name)
        if options.library is not None:
            shutil.copy(options.library / "library.db", folder / "library.db")
        else:
            make_library(folder, options.count)
        with opened(folder) as (library, index):
            return report(measure(folder, library, index))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[tuple[Database, TextIndex]]:
    library = Database(folder / "library.db", migrations())
    index = TextIndex(folder / "text.db")
    try:
        yield library, index
    finally:
        index.close()
        library.close()


def measure(folder: Path, library: Database, index: TextIndex) -> dict[str, float]:
    figures: dict[str, float] = {}
    figures["build, s"], figures["build, CPU s"] = timed(lambda: index.refresh(library))
    figures["photos"] = ask(library, "SELECT count(*) FROM photos")[0][0]
    figures["text.db, MiB"] = (folder / "text.db").stat().st_size / _MIB
    figures["library.db, MiB"] = (folder / "library.db").stat().st_size / _MIB
    figures["FTS5's rebuild, s"], figures["FTS5's rebuild, CPU s"] = rebuild(folder, index)
    figures["build / FTS5's own rebuild"] = figures["build, s"] / figures["FTS5's rebuild, s"]
    figures["the same in CPU"] = figures["build, CPU s"] / figures["FTS5's rebuild, CPU s"]
    words, matches = Words(index), common_words(folder / "text.db")
    with committing(library) as commits, searching(words, matches) as searches:
        time.sleep(5)
    figures["longest commit alone, ms"], figures["search p95 alone, ms"] = (
        max(commits.times_ms),
        searches.percentile(95),
    )
    outdate(folder / "text.db")
    with committing(library) as commits, searching(words, matches) as searches:
        figures["build beside, s"], _ = timed(lambda: index.refresh(library))
    figures["longest commit of the library meanwhile, ms"] = max(commits.times_ms)
    figures["commits over 50 ms"] = float(sum(each > 50 for each in commits.times_ms))
    figures["commits"] = float(len(commits.times_ms))
    figures["search p95 meanwhile, ms"] = searches.percentile(95)
    figures["longest search meanwhile, ms"] = max(searches.times_ms)
    photo_ids = [row[0] for row in ask(library, "SELECT id FROM photos WHERE state = 'present'")]
    random = np.random.default_rng(0)
    with locking(folder / "text.db") as locks, searching(words, matches) as searches:
        rounds = [
            dirty(library, index, random.choice(photo_ids, _DIRTY, replace=False), number)
            for number in range(_ROUNDS)
        ]
        many = min(_MANY_DIRTY, len(photo_ids))
        figures[f"{many:,} dirty to searchable, s"] = dirty(
            library, index, random.choice(photo_ids, many, replace=False), _ROUNDS
        )
    figures["1,000 dirty to searchable, s"] = max(rounds)
    figures["longest lock of text.db, ms"] = max(locks.times_ms)
    figures["longest write as the index counts it, ms"] = index.longest_write_s * 1e3
    figures["search p95 while dirty, ms"] = searches.percentile(95)
    index.check()
    return figures


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and CPU seconds of the children that ended meanwhile."""
    began, used = time.perf_counter(), children_s()
    work()
    return time.perf_counter() - began, children_s() - used


def children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rebuild(folder: Path, index: TextIndex) -> tuple[float, float]:
    """FTS5's own rebuild of the documents in a copy of the index, in a process of the build's priority."""
    copy = folder / "copy.db"
    with index.read() as connection, contextlib.closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    result = timed(lambda: subprocess.run([sys.executable, __file__, "--rebuild", copy], check=True))
    copy.unlink()
    return result


def rebuild_words(copy: Path) -> None:
    os.nice(NICE)
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    for setting in _DEFAULTS:
        connection.execute("INSERT INTO words (words, rank) VALUES (?, ?)", setting)
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
    connection.close()


def common_words(path: Path) -> list[str]:
    """Fifty words, from such that are in every tenth photo to such that are in every thousandth."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, 'row')")
        count = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        rows = connection.execute(
            "SELECT term FROM temp.terms WHERE doc BETWEEN ? AND ? ORDER BY doc DESC", (count / 1000, count / 10)
        ).fetchall()
    return [f'"{row[0]}"' for row in rows[:: max(len(rows) // 50, 1)]]


def outdate(path: Path) -> None:
    """As if the index were of an older imgd: it is built anew while it serves."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE manifest SET assembly = 0")


def dirty(library: Database, index: TextIndex, photo_ids: np.ndarray[Any, Any], number: int) -> float:
    """Give photos a tag that none has, and refresh until all are found by it; seconds from the commit."""
    label = f"freshly{number}tagged"

    def tag(connection: sqlite3.Connection) -> None:
        change_seq = next_change_seq(connection)
        connection.execute("INSERT INTO labels (label) VALUES (?)", (label,))
        connection.executemany(
            "INSERT INTO tags SELECT ?, (SELECT min(id) FROM analyzers), id, 1.0 FROM labels WHERE label = ?",
            [(photo_id, label) for photo_id in photo_ids.tolist()],
        )
        connection.executemany(
            "UPDATE photos SET change_seq = ? WHERE id = ?",
            [(change_seq, photo_id) for photo_id in photo_ids.tolist()],
        )

    library.write(tag).result()
    found, began = Words(index), time.perf_counter()
    refreshing = threading.Thread(target=index.refresh, args=(library,))
    refreshing.start()
    while found.count(f'"{label}"') < len(photo_ids) and refreshing.is_alive():
        time.sleep(_PAUSE_S)
    took_s = time.perf_counter() - began
    refreshing.join()
    if found.count(f'"{label}"') != len(photo_ids):
        raise AssertionError("a refresh left photos out")
    return took_s


def ask(library: Database, statement: str) -> list[tuple[Any, ...]]:
    with library.read() as connection:
        return connection.execute(statement).fetchall()


def report(figures: dict[str, float]) -> dict[str, Any]:
    for what, value in figures.items():
        print(f"{what:48}{value:12.2f}" + (f"   bar {BARS[what]:g}" if what in BARS else ""))
    return {
        "bench": "text_index",
        **{what: round(value, 3) for what, value in figures.items()},
        "passed": all(figures[what] <= bar for what, bar in BARS.items()),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rebuild"]:
        rebuild_words(Path(sys.argv[2]))
    else:
        run(main)
