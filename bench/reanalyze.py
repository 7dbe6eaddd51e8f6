"""What a plan of re-analysis costs, what it costs to put it into the queue, and whether the plan is kept.

    python bench/reanalyze.py [--count 50000] [--photos 150] [--skip-photos]

First a made library (synthetic.py) whose analyzers have all come to another version: counting what is stale, of
every analyzer with its reasons and a sample of the previews, as a ratio to the floor, one COUNT of findings by
analyzer and generation; and putting all photos into the queue of one analyzer, as a ratio to one INSERT ... SELECT
of as many bare rows.

Then real photos of the corpus, analyzed by a daemon with the built-in analyzers and one that a preview suffices
for (it takes the FFT of 256 px): `imgctl reanalyze --plan` tells how long it would take, and then it is done:
for all analyzers, from the files, and for that one alone, from the cached previews; twice each, since what
previews cost was not measured before the first. The time is from the request to the last commit.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from library import BUILT_IN, Library, library, make_old, run, write_plugin
from synthetic import make_library

from imgd.analyzers.preview import Preview
from imgd.control.plans import ReanalysisAnswer, ReanalyzeRequest
from imgd.domain import Priority
from imgd.store.analyzers import AnalyzerRow, read_analyzers
from imgd.store.costs import read_costs
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.store.reanalysis import count_stale, owe_again, share_with_preview, stretches

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
_SMALL = """
import numpy as np
from imgd import Analyzer, Finding, Needs, hookimpl


class Small(Analyzer[None]):
    name = "small"
    version = "1"
    needs = Needs(edge=256)

    def analyze(self, photos):
        energies = [np.abs(np.fft.fft2(photo.image.mean(2))).mean() for photo in photos]
        return [Finding(facts={"energy": float(each)}) for each in energies]


@hookimpl
def imgd_analyzers(settings):
    return [Small]
"""
_ROUNDS = 7
_HOUR_S = 3600.0
_MOST_S = 600.0


def measure_store(count: int) -> dict[str, float]:
    """Planning and putting into the queue, on a made library."""
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as folder:
        make_library(Path(folder), count)
        database = Database(Path(folder) / "library.db", migrations())
        try:
            _renew(database)
            with database.read() as connection:
                rows = read_analyzers(connection)
            plan_ms = _median_ms(lambda: _plan(database, rows))
            floor_ms = _median_ms(lambda: _count_findings(database))
            enqueue_ms = _median_ms(lambda: _enqueue(database, rows[0]), before=lambda: _empty(database))
            insert_ms = _median_ms(lambda: _insert(database, rows[0]), before=lambda: _empty(database))
        finally:
            database.close()
    return {
        "plan_ms": round(plan_ms, 1),
        "count_ms": round(floor_ms, 1),
        "plan_ratio": round(plan_ms / floor_ms, 2),
        "enqueue_ms": round(enqueue_ms, 1),
        "insert_ms": round(insert_ms, 1),
        "enqueue_ratio": round(enqueue_ms / insert_ms, 2),
    }


def _renew(database: Database) -> None:
    """Every analyzer comes to another version, and owes all photos, as a start finds them."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE roots SET state = 'online'")
        connection.execute("UPDATE analyzers SET generation = generation + 1")
        connection.execute(
            "INSERT INTO jobs (photo_id, analyzer_id, priority)"
            " SELECT photos.id, analyzers.id, ? FROM photos CROSS JOIN analyzers",
            (int(Priority.REANALYSIS),),
        )

    database.write(work).result()


def _plan(database: Database, rows: list[AnalyzerRow]) -> None:
    """As the daemon does it for `imgctl reanalyze --plan`."""
    with database.snapshot() as connection:
        for row in rows:
            stale = count_stale(connection, row, again=False)
            share_with_preview(connection, stale.sample, Preview.name, time.time())
        read_costs(connection)


def _count_findings(database: Database) -> None:
    with database.read() as connection:
        connection.execute("SELECT analyzer_id, generation, COUNT(*) FROM findings GROUP BY 1, 2").fetchall()


def _enqueue(database: Database, row: AnalyzerRow) -> None:
    priority = int(Priority.REANALYSIS)
    with database.read() as connection:
        parts = stretches(connection)
    for part in parts:
        database.write(partial(owe_again, row=row, stretch=part, priority=priority)).result()


def _insert(database: Database, row: AnalyzerRow) -> None:
    insert = "INSERT INTO jobs (photo_id, analyzer_id, priority) SELECT id, ?, 30 FROM photos ORDER BY id"
    database.write(lambda c: c.execute(insert, (row.id,))).result()


def _empty(database: Database) -> None:
    database.write(lambda c: c.execute("DELETE FROM jobs")).result()


def _median_ms(work: Callable[[], None], before: Callable[[], None] = lambda: None) -> float:
    times = []
    for _ in range(_ROUNDS):
        before()
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


# ---------------------------------------------------------------------- real photos


def measure_photos(count: int) -> dict[str, float]:
    """Planned against real seconds, on photos of the corpus."""
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as folder:
        plugin = write_plugin(Path(folder) / "plugins", "small", _SMALL)
        return _measure_photos(count, plugin)


def _measure_photos(count: int, plugin: Path) -> dict[str, float]:
    with library(plugins="small", python_path=[plugin]) as owned:
        whole = [path for path in sorted(CORPUS.rglob("*.jpg")) if "04_broken" not in path.parts]
        for number, path in enumerate(whole[:count]):
            shutil.copyfile(path, owned.root / f"{number:04}.jpg")
        make_old(owned.root)
        owned.start()
        owned.wait(_MOST_S)
        from_files = _plan_and_do(owned, (*BUILT_IN, "small"))
        owned.stop()
        _age(owned)  # a preview stands in once it is no part of a first analysis
        owned.start()
        owned.wait(_MOST_S)
        _plan_and_do(owned, ("small",))
        from_previews = _plan_and_do(owned, ("small",))
        return {
            **{f"files_{name}": value for name, value in from_files.items()},
            **{f"previews_{name}": value for name, value in from_previews.items()},
        }


def _age(owned: Library) -> None:
    with sqlite3.connect(owned.database) as connection:
        connection.execute("UPDATE findings SET analyzed_at = analyzed_at - ?", (_HOUR_S,))
    connection.close()


def _plan_and_do(owned: Library, analyzers: tuple[str, ...]) -> dict[str, float]:
    with owned.client() as client:
        planned: ReanalysisAnswer = client.reanalyze(ReanalyzeRequest(analyzers, plan=True))
        began = time.time()
        client.reanalyze(ReanalyzeRequest(analyzers))
    owned.wait(_MOST_S)
    took_s = owned.rows("SELECT MAX(analyzed_at) FROM findings")[0][0] - began
    photos = max(entry.photos for entry in planned.entries)
    known_s = planned.takes_s or float("nan")
    return {
        "photos": photos,
        "previews": max(entry.from_previews for entry in planned.entries),
        "planned_s": round(known_s, 2),
        "took_s": round(took_s, 2),
        "ratio": round(known_s / took_s, 2),
    }


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000, help="photos of the made library")
    parser.add_argument("--photos", type=int, default=150, help="real photos")
    parser.add_argument("--skip-photos", action="store_true", help="the made library alone")
    options = parser.parse_args()
    figures: dict[str, Any] = {"bench": "reanalyze", "count": options.count, **measure_store(options.count)}
    print(f"{options.count} photos: planned in {figures['plan_ms']} ms, ", end="")
    print(f"{figures['plan_ratio']} x one COUNT of findings")
    print(f"put into a queue in {figures['enqueue_ms']} ms, ", end="")
    print(f"{figures['enqueue_ratio']} x a bare INSERT ... SELECT")
    if options.skip_photos:
        return figures
    if not CORPUS.is_dir():
        print("the corpus is not here: no real photos are measured", file=sys.stderr)
        return figures
    figures |= measure_photos(options.photos)
    print("| real photos | of them from previews | planned s | took s | planned / took |")
    print("| --- | --- | --- | --- | --- |")
    for name in ("files", "previews"):
        cells = [figures[f"{name}_{key}"] for key in ("photos", "previews", "planned_s", "took_s", "ratio")]
        print("| " + " | ".join(map(str, cells)) + " |")
    return figures


if __name__ == "__main__":
    run(main)
