"""Every hostile file and every odd format of the corpus with 200 good photos among them, through a real daemon.

    bench/hostile.py [--rounds 3]

Each round is a fresh library. It counts: whether the daemon is still the process that was started, and worker
deaths; good photos without all findings, or not found by their names; refusals, each with its reason; damaged
photos that were analyzed all the same. Then each file is analyzed by itself, in a worker of the real pipeline that
does nothing else, for its seconds and the worker's peak memory (VmHWM, reset before each file).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from library import BUILT_IN, Library, LibraryError, library, make_old, run
from photos import CORPUS, copy_unlike, ordinary_photos
from pipeline import activate

from imgd.config import PathSettings, Settings
from imgd.decode import FormatRegistry
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.store.database import Database
from imgd.store.findings import Committed
from imgd.store.migrate import migrations
from imgd.store.photos import register
from imgd.store.roots import configure
from imgd.watch.filters import Filter, FilterRules
from imgd.watch.scan import Scan

GOOD = 200
_FOLDERS = ("04_broken", "03_formats")
_WAIT_S = 1200.0
_MIB = 1 << 20
_TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Round:
    """What became of one library. `deaths`: workers that ended while they had a photo in hand."""

    wall_s: float
    restarts: int
    deaths: int
    photos: int
    passed_over: int  # files whose names are no photo's
    good_lost: tuple[str, ...]
    unexplained: tuple[str, ...]
    reasons: Counter[str]
    damaged: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One file by itself. `peak_bytes` is None where its worker died of it."""

    name: str
    wall_s: float
    cpu_s: float
    peak_bytes: int | None


# ---------------------------------------------------------------------- all of them, through the daemon


def lay_out(root: Path) -> None:
    for folder in _FOLDERS:
        shutil.copytree(CORPUS / folder, root / folder, copy_function=shutil.copyfile)
    # In folders of both, so that they are analyzed before, between and after the others.
    places = sorted(path for path in root.rglob("*") if path.is_dir())
    for number, photo in enumerate(ordinary_photos(GOOD)):
        copy_unlike(photo, places[number % len(places)] / f"good{number:03}{photo.suffix}")
    make_old(root)


def go_round(number: int) -> Round:
    with library() as owned:
        lay_out(owned.root)
        files = sum(path.is_file() for path in owned.root.rglob("*"))
        began = time.monotonic()
        owned.start()
        pid = owned.pid
        owned.wait(_WAIT_S)
        wall_s = time.monotonic() - began
        restarts = int(not owned.alive or owned.status().pid != pid)
        photos = owned.rows("SELECT COUNT(*) FROM photos")[0][0]
        refused = {job.photo_id: job.reason for job in owned.failed()}
        outcome = Round(
            wall_s,
            restarts,
            len(re.findall(r"worker \d+: .* while it did", owned.said)),
            photos,
            files - photos,
            good_lost(owned),
            unexplained(owned),
            Counter(re.sub(r"\d+", "N", reason) for reason in refused.values()),
            owned.rows(f"SELECT COUNT(*) FROM photos WHERE damage <> '' AND {_WHOLE}", len(BUILT_IN))[0][0],
        )
    print(
        f"round {number}: {wall_s:.0f} s, {outcome.photos} photos, {outcome.reasons.total()} refused,"
        f" {outcome.damaged} damaged but analyzed, {len(outcome.good_lost)} good ones lost,"
        f" {outcome.deaths} worker deaths, {outcome.restarts} restarts"
    )
    return outcome


_WHOLE = "(SELECT COUNT(*) FROM findings WHERE photo_id = photos.id) >= ?"


def good_lost(owned: Library) -> tuple[str, ...]:
    """Good photos without a finding of each analyzer, or that a search for their own name does not find."""
    names = [f"good{number:03}" for number in range(GOOD)]
    whole = owned.rows(
        f"SELECT display_name FROM photos WHERE display_name LIKE 'good%' AND {_WHOLE}", len(BUILT_IN)
    )
    analyzed = {Path(name).stem for (name,) in whole}
    with owned.client() as client:
        found = {
            name for name in names if any(Path(hit.path).stem == name for hit in client.search(name, 10).hits)
        }
    return tuple(name for name in names if name not in analyzed or name not in found)


def unexplained(owned: Library) -> tuple[str, ...]:
    """Photos that lack a finding, and neither a failed job nor a recorded damage says why."""
    rows = owned.rows(
        f"""
        SELECT display_name FROM photos
        WHERE damage = '' AND NOT {_WHOLE}
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE photo_id = photos.id AND state = 'failed' AND reason <> '')
        """,
        len(BUILT_IN),
    )
    return tuple(name for (name,) in rows)


# ---------------------------------------------------------------------- each by itself


class Commits:
    """A pipeline's listener that knows when the last commit was."""

    def __init__(self) -> None:
        self.last_s = 0.0

    def findings_committed(self, committed: Committed) -> None:
        del committed
        self.last_s = time.perf_counter()

    def file_changed(self, path: bytes) -> None:
        raise LibraryError(f"{os.fsdecode(path)} changed")

    def part_failed(self, name: str, error: BaseException) -> None:
        raise LibraryError(f"{name}: {error}") from error

    def analyzer_broke(self, name: str, reason: str) -> None:
        raise LibraryError(f"{name}: {reason}")


class OneByOne:
    """A pipeline with one worker, given one file at a time."""

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / "one"
        self.folder.mkdir()
        settings = Settings(
            paths=PathSettings(scratch / "state", scratch / "cache", scratch / "models", scratch / "s")
        )
        self._database = Database(settings.database, migrations())
        self._commits = Commits()
        self._starter = ChildStarter()
        active = activate(self._database, settings)
        self._pipeline = Pipeline(
            self._database, self._starter, settings, active, formats=(), listener=self._commits, workers=1
        )
        root = os.fsencode(self.folder)
        (self._root,) = self._database.write(lambda c: configure(c, [root], time.time())).result()
        self._filter = Filter(root, FilterRules(FormatRegistry().extensions()))
        self._pipeline.start()

    async def measure(self, path: Path, name: str) -> Cost | None:
        """Analyze the file `path`; None where its name is no photo's."""
        if not self._register_alone(path):
            return None
        worker, cpu_s = self._worker(), self._cpu_s()
        if worker:
            _reset_peak(worker)
        began = time.perf_counter()
        self._pipeline.wake()
        while self._pipeline.busy:  # noqa: ASYNC110 - as a client that asks would
            await asyncio.sleep(0.002)
        wall_s = self._commits.last_s - began
        if not worker or worker != self._worker():
            return Cost(name, wall_s, float("nan"), None)
        return Cost(name, wall_s, self._cpu_s() - cpu_s, _peak_bytes(worker))

    def _register_alone(self, path: Path) -> bool:
        """Make a copy of `path` the only file of the root; False where its name is no photo's."""
        for before in self.folder.iterdir():
            before.unlink()
        shutil.copyfile(path, self.folder / path.name)
        make_old(self.folder)
        photos = [photo for batch in Scan(self._filter).run() for photo in batch.photos]
        if photos:
            self._database.write(lambda c: register(c, self._root.id, photos, now=time.time())).result()
        return bool(photos)

    async def stop(self) -> None:
        await self._pipeline.stop()
        await self._starter.stop()
        self._database.close()

    def _worker(self) -> int:
        """Its pid, 0 where none lives."""
        names = self._starter.names()
        return next((pid for pid, name in names.items() if name.startswith("imgd-worker")), 0)

    def _cpu_s(self) -> float:
        worker = self._worker()
        if not worker:
            return 0.0
        fields = Path(f"/proc/{worker}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_S


def _reset_peak(pid: int) -> None:
    """From here on VmHWM is the peak since now; see proc_pid_clear_refs(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LibraryError("the kernel does not tell a process's peak memory (VmHWM)")


async def measure_each(scratch: Path) -> list[Cost]:
    """The cost of every file, in a worker that was warmed by good photos."""
    files = [path for folder in _FOLDERS for path in sorted((CORPUS / folder).rglob("*")) if path.is_file()]
    each = OneByOne(scratch)
    try:
        for path in ordinary_photos(10):
            await each.measure(path, path.name)
        costs = [await each.measure(path, str(path.relative_to(CORPUS))) for path in files]
    finally:
        await each.stop()
    return [cost for cost in costs if cost is not None]


# ---------------------------------------------------------------------- what came out


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not CORPUS.is_dir():
        raise LibraryError("the corpus is not here, and its hostile files are what is measured")
    rounds = [go_round(number + 1) for number in range(options.rounds)]
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        costs = asyncio.run(measure_each(Path(name)))
    return report(rounds, costs)


def report(rounds: list[Round], costs: list[Cost]) -> dict[str, Any]:
    last = rounds[-1]
    print(f"\nreasons of the last round ({last.passed_over} files have names that are no photo's):")
    for reason, count in last.reasons.most_common():
        print(f"{count:5}  {reason[:150]}")
    slowest = sorted(costs, key=lambda cost: -cost.wall_s)
    largest = sorted(costs, key=lambda cost: -(cost.peak_bytes or 0))
    for title, chosen in (("slowest", slowest[:10]), ("largest", largest[:10])):
        print(f"\n{title} of {len(costs)} files{'':24}{'wall s':>8}{'CPU s':>8}{'peak MiB':>10}")
        for cost in chosen:
            peak = "died" if cost.peak_bytes is None else f"{cost.peak_bytes / _MIB:.0f}"
            print(f"{cost.name[-44:]:44}{cost.wall_s:8.2f}{cost.cpu_s:8.2f}{peak:>10}")
    peaks = [cost.peak_bytes / _MIB for cost in costs if cost.peak_bytes is not None]
    walls = [cost.wall_s for cost in costs]
    lost = {name for each in rounds for name in each.good_lost}
    unknown = {name for each in rounds for name in each.unexplained}
    for title, names in (("good photos lost", lost), ("refused without a reason", unknown)):
        if names:
            print(f"{title}: {', '.join(sorted(names))}")
    restarts, deaths = (sum(getattr(each, what) for each in rounds) for what in ("restarts", "deaths"))
    return {
        "bench": "hostile",
        "rounds": len(rounds),
        "photos": last.photos,
        "restarts": restarts,
        "worker_deaths": deaths,
        "good_lost": len(lost),
        "unexplained": len(unknown),
        "refused": last.reasons.total(),
        "damaged_but_analyzed": last.damaged,
        "file_s": {"median": round(statistics.median(walls), 3), "max": round(max(walls), 2)},
        "file_peak_mib": {"median": round(statistics.median(peaks)), "max": round(max(peaks))},
        "died": [cost.name for cost in costs if cost.peak_bytes is None],
        "passed": not (restarts or lost or unknown),
    }


if __name__ == "__main__":
    run(main)
