"""What imgd's pipeline costs above the floor: metadata + preview + technical, owed jobs to committed findings.

    bench/pipeline.py [--photos 300] [--large 60] [--rounds 3] [--processes N]

Both run over the same files with as many processes, in turn, round by round. Both clocks start when the
processes stand ready. imgd's CPU seconds are those of its main process, its fork server and its workers. The
ratios are the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from photos import lay_out, make_large_jpegs, ordinary_photos, raw_photos

from imgd.analyzers.plugin import imgd_analyzers
from imgd.config import PathSettings, Settings
from imgd.decode import FormatRegistry
from imgd.pipeline.plan import ActiveAnalyzer, make_spec
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.findings import Committed
from imgd.store.migrate import migrations
from imgd.store.photos import register
from imgd.store.roots import configure
from imgd.watch.filters import Filter, FilterRules
from imgd.watch.scan import Scan

_TICKS_S = os.sysconf("SC_CLK_TCK")
BAR_RATIO = 1.15


class Silent:
    """A listener that notes what could not be done."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def findings_committed(self, committed: Committed) -> None:
        self.problems += [each.reason for each in committed.counted if each.finding is None]

    def file_changed(self, path: bytes) -> None:
        self.problems.append(f"changed: {os.fsdecode(path)}")

    def part_failed(self, name: str, error: BaseException) -> None:
        raise RuntimeError(name) from error

    def analyzer_broke(self, name: str, reason: str) -> None:
        self.problems.append(f"{name}: {reason}")


def run_floor(files: list[Path], processes: int) -> dict[str, float]:
    floor = Path(__file__).with_name("floor.py")
    listed = "\n".join(map(str, files))
    command = [sys.executable, str(floor), "--processes", str(processes)]
    done = subprocess.run(command, input=listed, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def run_imgd(warm_up: Path, folder: Path, processes: int, scratch: Path) -> dict[str, float]:
    """One first analysis of `folder`, with workers that have already analyzed `warm_up`."""
    shutil.rmtree(scratch, ignore_errors=True)
    settings = Settings(
        paths=PathSettings(scratch / "state", scratch / "cache", scratch / "models", scratch / "s")
    )
    database = Database(settings.database, migrations())
    active = activate(database, settings)
    starter, listener = ChildStarter(), Silent()
    pipeline = Pipeline(database, starter, settings, active, formats=(), listener=listener, workers=processes)
    register_root(database, warm_up, 0)
    pipeline.start()
    await _finished(pipeline)
    photos = register_root(database, folder, 1)
    listener.problems.clear()
    pids = starter.pids
    cpu_before, began = _cpu_s(pids), time.perf_counter()
    pipeline.wake()
    await _finished(pipeline)
    if starter.pids != pids:
        raise RuntimeError("a worker was replaced meanwhile: its CPU seconds are not known")
    wall_s, cpu_s = time.perf_counter() - began, _cpu_s(pids) - cpu_before
    main_s = time.process_time()
    await pipeline.stop()
    await starter.stop()
    database.close()
    return {
        "photos": photos,
        "failed": len(listener.problems),
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "main_process_cpu_s": main_s,
        "wall_x_cores_per_photo": wall_s * processes / photos,
        "cpu_per_photo": cpu_s / photos,
    }


def register_root(database: Database, folder: Path, number: int) -> int:
    """Register every photo of `folder`, owing all analyzers; returns how many."""
    paths = [os.fsencode(folder)]
    with database.read() as connection:
        known = [row[0] for row in connection.execute("SELECT path FROM roots ORDER BY id")]
    root = database.write(lambda c: configure(c, [*known, *paths], time.time())).result()[number]
    scan = Scan(Filter(paths[0], FilterRules(FormatRegistry().extensions())))
    count = 0
    for batch in scan.run():
        count += len(batch.photos)
        database.write(
            lambda c, photos=batch.photos: register(c, root.id, photos, now=time.time())  # type: ignore[misc]
        ).result()
    return count


def activate(database: Database, settings: Settings) -> list[ActiveAnalyzer]:
    """The built-in analyzers with their defaults, known to `database`."""
    classes = imgd_analyzers()

    def work(connection: sqlite3.Connection) -> list[ActiveAnalyzer]:
        rows = synchronise(connection, [AnalyzerDeclaration(each.name, each.version, "") for each in classes])
        return [
            ActiveAnalyzer(
                rows[each.name].id,
                each,
                make_spec(
                    each,
                    each.settings_type() if each.settings_type else None,
                    {},
                    settings.paths.cache_dir / f"{each.name}s" if each.wants_cache_dir else None,
                ),
            )
            for each in classes
        ]

    return database.write(work).result()


async def _finished(pipeline: Pipeline) -> None:
    while pipeline.busy:  # noqa: ASYNC110 - as a client that asks would
        await asyncio.sleep(0.01)


def _cpu_s(pids: list[int]) -> float:
    """User and system seconds of this process and of `pids`."""
    total = time.process_time()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS_S
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--large", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as temporary:
        base = Path(temporary)
        chosen = ordinary_photos(arguments.photos)
        large = make_large_jpegs(base / "large", arguments.large if chosen else max(arguments.large, 60))
        folder = lay_out([*chosen, *large, *raw_photos()], base / "photos")
        warm_up = lay_out((chosen or large)[:8], base / "warm", unlike=True)
        files = sorted(folder.iterdir())
        rounds = []
        for _ in range(arguments.rounds):
            floor = run_floor(files, arguments.processes)
            imgd = asyncio.run(run_imgd(warm_up, folder, arguments.processes, base / "imgd"))
            rounds.append((floor, imgd))
    report(rounds)


def report(rounds: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    def ratio(key: str) -> float:
        return statistics.median(imgd[key] / floor[key] for floor, imgd in rounds)

    print(f"{'':28}{'floor':>10}{'imgd':>10}")
    for floor, imgd in rounds:
        for key in ("wall_x_cores_per_photo", "cpu_per_photo"):
            print(f"{key:28}{floor[key] * 1000:8.1f}ms{imgd[key] * 1000:8.1f}ms  {imgd[key] / floor[key]:.3f}")
    floor, imgd = rounds[-1]
    figures = {
        "bench": "pipeline",
        "photos": imgd["photos"],
        "floor_failed": floor["failed"],
        "imgd_failed": imgd["failed"],
        "wall_x_cores_ratio": round(ratio("wall_x_cores_per_photo"), 3),
        "cpu_ratio": round(ratio("cpu_per_photo"), 3),
        "photos_per_s": round(imgd["photos"] / imgd["wall_s"], 1),
        "bar_ratio": BAR_RATIO,
        "passed": max(ratio("wall_x_cores_per_photo"), ratio("cpu_per_photo")) <= BAR_RATIO,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
