"""Memory of all the daemon's processes over the analysis of a large library: does anything grow?

    bench/memory.py [--photos 20000] [--every 1.0]

A real daemon with the built-in analyzers and its own defaults, workers recycled as they are set to be; but the
text index is refreshed every ten seconds, so that all parts of the daemon work in each quarter of a short run.
Of every 500 photos 494 are small ones of the corpus (up to 200 KB), 5 are JPEGs of 24 megapixels that are made
here, one is a RAW of the corpus; all are copies under names of their own, evenly mixed. Each sample is the sum
of the PSS of all processes (/proc/PID/smaps_rollup), which counts a shared page once. Without the corpus the
small photos are made here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from library import Library, LibraryError, library, make_old, run
from photos import CORPUS, copy_unlike, make_large_jpegs, make_photo, ordinary_photos, raw_photos

_MIB = 1 << 20
_SMALL_BYTES = 200_000
_FOLDER = 500
_LARGE_EVERY, _LARGE_AT, _RAW_AT = 100, 50, 250
_LIMIT_S = 3600.0
_REFRESH_S = 10.0
_PROGRESS = (
    "SELECT (SELECT COUNT(*) FROM photos), (SELECT COUNT(DISTINCT photo_id) FROM jobs WHERE state = 'owed')"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """`pss`: bytes by kind of process."""

    at_s: float
    done: int  # photos
    pss: Counter[str]

    @property
    def total_bytes(self) -> int:
        return self.pss.total()


def lay_out(root: Path, count: int, scratch: Path) -> int:
    """`count` photos below `root`, 500 a folder; returns their bytes."""
    small = [path for path in ordinary_photos(1000) if path.stat().st_size <= _SMALL_BYTES]
    if not small:
        small = [make_photo(scratch / f"{number}.jpg", number, (640, 480)) for number in range(200)]
    large = cycle(make_large_jpegs(scratch / "large", 4))
    raws = cycle(raw_photos() or [next(large)])
    ordinary = cycle(small)
    total = 0
    for number in range(count):
        place = number % _FOLDER
        chosen = raws if place == _RAW_AT else large if place % _LARGE_EVERY == _LARGE_AT else ordinary
        photo = next(chosen)
        folder = root / f"{number // _FOLDER:04}"
        folder.mkdir(exist_ok=True)
        copy = copy_unlike(photo, folder / f"{place:03}_{photo.name}")
        total += copy.stat().st_size
    make_old(root)
    return total


def watch(owned: Library, photos: int, every_s: float) -> tuple[list[Sample], int]:
    """Samples from the first finding to the last, and how many workers lived meanwhile."""
    samples: list[Sample] = []
    workers: set[int] = set()
    began = time.monotonic()
    while True:
        processes = owned.processes()
        workers.update(pid for pid, name in processes.items() if name.startswith("imgd-worker"))
        known, owed = owned.rows(_PROGRESS)[0]
        if known and owed < known:
            samples.append(Sample(time.monotonic() - began, known - owed, measure_pss(processes)))
        if known == photos and not owed:
            return samples, len(workers)
        if not owned.alive:
            raise LibraryError(f"the daemon ended:\n{owned.said[-2000:]}")
        if time.monotonic() - began > _LIMIT_S:
            raise LibraryError(f"{known - owed} of {photos} photos are analyzed after {_LIMIT_S:.0f} s")
        time.sleep(every_s)


def measure_pss(processes: dict[int, str]) -> Counter[str]:
    """PSS in bytes by kind of process; one that ended meanwhile is left out."""
    found: Counter[str] = Counter()
    for pid, name in processes.items():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        kind = name.removeprefix("imgd-").rstrip("0123456789").replace("imgd", "main")
        found[kind] += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return found


def quarters(samples: list[Sample]) -> list[list[Sample]]:
    """The samples by the quarter of the photos that were done when each was taken."""
    last = samples[-1].done
    found: list[list[Sample]] = [[], [], [], []]
    for sample in samples:
        found[min(3, sample.done * 4 // max(1, last))].append(sample)
    return found


def slope(samples: list[Sample]) -> float:
    """MiB a 1,000 photos: the straight line through the totals (least squares)."""
    line = statistics.linear_regression([s.done / 1000 for s in samples], [s.total_bytes / _MIB for s in samples])
    return line.slope


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two samples")
    options = parser.parse_args()
    if not CORPUS.is_dir():
        print("the corpus is not here: generated photos stand in for it")
    with library(settings={"index": {"max_staleness_s": _REFRESH_S}}) as owned:
        size_bytes = lay_out(owned.root, options.photos, owned.base / "scratch")
        owned.start()
        samples, workers = watch(owned, options.photos, options.every)
        failed = len({job.photo_id for job in owned.failed()})
    if len(samples) < 40:
        raise LibraryError(f"only {len(samples)} samples: take more photos, or look more often (--every)")
    return report(options.photos, size_bytes, failed, samples, workers)


def report(photos: int, size_bytes: int, failed: int, samples: list[Sample], workers: int) -> dict[str, Any]:
    parts = quarters(samples)
    kinds = [*sorted({kind for sample in samples for kind in sample.pss}), "all"]

    def mib(kind: str, chosen: list[Sample]) -> list[float]:
        return [(s.total_bytes if kind == "all" else s.pss[kind]) / _MIB for s in chosen]

    wall_s = samples[-1].at_s - samples[0].at_s
    print(
        f"{photos} photos, {size_bytes / 1e9:.2f} GB, {failed} refused, {wall_s:.0f} s, {workers} workers in turn"
    )
    print(f"{'PSS, MiB':12}{'1st':>9}{'2nd':>9}{'3rd':>9}{'4th quarter':>13}{'peak':>9}{'4th / 2nd':>11}")
    ratios, means = {}, {}
    for kind in kinds:
        means[kind] = [statistics.fmean(mib(kind, part)) for part in parts]
        ratios[kind] = means[kind][3] / means[kind][1] if means[kind][1] else float("nan")
        row = "".join(f"{mean:{width}.1f}" for mean, width in zip(means[kind], (9, 9, 9, 13), strict=True))
        print(f"{kind:12}{row}{max(mib(kind, samples)):9.1f}{ratios[kind]:11.3f}")
    slopes = [slope(part) for part in parts]
    print(
        f"{'slope':12}" + "".join(f"{each:{width}.2f}" for each, width in zip(slopes, (9, 9, 9, 13), strict=True))
    )
    print(
        "slope: MiB a 1,000 photos, the line through the totals of the quarter; bar: 4th / 2nd of all at most 1.00"
    )
    return {
        "bench": "memory",
        "corpus": CORPUS.is_dir(),
        "cores": len(os.sched_getaffinity(0)),
        "photos": photos,
        "failed": failed,
        "wall_s": round(wall_s, 1),
        "samples": len(samples),
        "workers": workers,
        "quarters_mib": [round(mean, 1) for mean in means["all"]],
        "slopes_mib_per_1000": [round(each, 2) for each in slopes],
        "peak_mib": round(max(mib("all", samples)), 1),
        "peak_mib_by_kind": {kind: round(max(mib(kind, samples)), 1) for kind in kinds[:-1]},
        "last_to_second_quarter": round(ratios["all"], 3),
        "passed": round(ratios["all"], 2) <= 1.0,
    }


if __name__ == "__main__":
    run(main)
