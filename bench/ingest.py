"""Registering files: 100,000 in 1,000 folders with their jobs, against a bare walk with one bulk insert.

    python bench/ingest.py [--files 100000] [--folders 1000] [--analyzers 3] [--rounds 3]

Both do it in one run, in turn; ratios are of the best of the rounds. The bare walk lists and stats every file and
inserts one row a file, and one a job, with two `executemany`, into tables of the same columns without indexes.
The same with a tenth of the files and folders comes first: what a file costs must not grow with their number.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from imgd.domain import Priority
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.store.roots import configure
from imgd.watch.filters import Filter, FilterRules
from imgd.watch.registrar import Registrar
from imgd.watch.scan import Scan

BARS = {"register / bare insert": 2.0, "unchanged / scandir + stat": 2.0, "statements a 1,000 files": 10.0}


def make_files(root: Path, files: int, folders: int) -> None:
    """`files` empty files over `folders` folders, all old enough to be settled."""
    for number in range(folders):
        folder = root / f"{number % 10}" / f"folder {number:05}"
        folder.mkdir(parents=True)
        for file in range(files // folders):
            path = folder / f"IMG_{file:05}.jpg"
            path.touch()
            os.utime(path, (1.5e9, 1.5e9 + number))


def walk(root: bytes) -> list[tuple[bytes, bytes, int, int, int, int]]:
    """A bare recursive scandir with a stat a file."""
    rows = []
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    stat = entry.stat(follow_symlinks=False)
                    rows.append((folder, entry.name, stat.st_size, stat.st_mtime_ns, stat.st_dev, stat.st_ino))
    return rows


def bare_insert(root: bytes, database: Path, analyzers: int) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE photos (folder BLOB, name BLOB, size, mtime_ns, device, inode)")
    connection.execute("CREATE TABLE jobs (photo, analyzer)")
    rows = walk(root)
    with connection:
        connection.executemany("INSERT INTO photos VALUES (?,?,?,?,?,?)", rows)
        connection.executemany(
            "INSERT INTO jobs VALUES (?,?)", ((n, a) for n in range(len(rows)) for a in range(analyzers))
        )
    connection.close()


class Library:
    """imgd's own way, as the watcher's scan goes it: scan, compare, register, look for what is gone."""

    def __init__(self, root: bytes, path: Path, analyzers: int) -> None:
        self.database = Database(path, migrations())
        self.database.write(
            lambda c: synchronise(c, [AnalyzerDeclaration(f"analyzer{n}", "1", "") for n in range(analyzers)])
        ).result()
        (stored,) = self.database.write(lambda c: configure(c, [root], time.time())).result()
        self.filter = Filter(root, FilterRules(frozenset({".jpg"})))
        self.registrar = Registrar(
            self.database,
            stored.id,
            self.filter,
            follow_symlinks=False,
            sidecar_analyzers=tuple,
            on_change=lambda: None,
        )
        self.statements = 0

    def scan(self) -> None:
        for batch in Scan(self.filter).run():
            self.registrar.register(batch.photos, Priority.SCAN, 2.0, {}, whole=batch.whole)
            self.registrar.check_folders(batch.finished)
            self.registrar.sync_sidecars({folder: [] for folder in batch.finished}, Priority.SCAN)
        self.registrar.check_tree(b"")

    def count_statements(self) -> None:
        def count(_statement: str) -> None:
            self.statements += 1

        self.database.write(lambda c: c.set_trace_callback(count)).result()
        # Readers are lent in turn from a pool that was never more than one deep here.
        with self.database.read() as connection:
            connection.set_trace_callback(count)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folders", type=int, default=1_000)
    parser.add_argument("--analyzers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    small, _ = measure(options.files // 10, options.folders // 10, options)
    large, statements = measure(options.files, options.folders, options)
    report(options, small, large, statements)


def measure(files: int, folders: int, options: argparse.Namespace) -> tuple[dict[str, float], int]:
    """The best seconds of each step, and how many statements a first registration takes."""
    with tempfile.TemporaryDirectory(prefix="imgd-ingest-") as name:
        folder = Path(name)
        root = folder / "photos"
        make_files(root, files, folders)
        raw = os.fsencode(root)
        best: dict[str, float] = {}
        statements = 0
        walk(raw)
        for number in range(options.rounds):
            library = Library(raw, folder / f"library{number}.db", options.analyzers)
            if number == 0:
                library.count_statements()
            times = {
                "scandir + stat": timed(lambda: walk(raw)),
                "bare insert": timed(partial(bare_insert, raw, folder / f"bare{number}.db", options.analyzers)),
                "register": timed(library.scan),
            }
            statements = statements or library.statements
            if number > 0 or options.rounds == 1:
                times["unchanged"] = timed(library.scan)
                best = {step: min(seconds, best.get(step, seconds)) for step, seconds in times.items()}
            library.database.close()
    return best, statements


def report(options: argparse.Namespace, small: dict[str, float], large: dict[str, float], statements: int) -> None:
    result = {
        "files": options.files,
        **{f"{step}, s": round(seconds, 3) for step, seconds in large.items()},
        "register / bare insert": round(large["register"] / large["bare insert"], 2),
        "unchanged / scandir + stat": round(large["unchanged"] / large["scandir + stat"], 2),
        "statements a 1,000 files": round(statements / options.files * 1000, 2),
    }
    for step in ("register", "unchanged"):
        few, many = small[step] / (options.files // 10), large[step] / options.files
        result[f"{step}, us a file of a tenth"] = round(few * 1e6, 1)
        result[f"{step}, us a file of all"] = round(many * 1e6, 1)
        result[f"{step}, growth"] = round(many / few, 2)
    for key, value in result.items():
        print(f"{key:32} {value:>12}" + (f"   bar {BARS[key]:g}" if key in BARS else ""))
    passed = all(float(result[key]) <= bar for key, bar in BARS.items())
    print(json.dumps({"bench": "ingest", **result, "passed": passed}))


if __name__ == "__main__":
    main()
