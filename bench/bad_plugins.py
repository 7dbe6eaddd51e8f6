"""Plugins of every bad kind at once, over 200 photos: do the others finish all of them, and is each bad one named?

Two distributions are put on PYTHONPATH: `good` (an inline analyzer and one in the lane) and `bad`, with analyzers
that crash, hang, leak, and return the wrong shape, NaN and the wrong count, each inline and in the lane; then ones
that call os._exit and sys.exit, flood stdout, start threads, clear the list of photos, write into pixels by force,
and return a gigantic finding. One daemon runs over the photos with the good ones alone, the next with all of them.

    bench/bad_plugins.py [--photos 200] [--only KIND,...]

Prints, for each bad analyzer: its state, the reason as `imgctl analyzers`, `imgctl failed` and the faults of
`imgctl status` tell it, findings and failures. Then what the others found, and the time of the run by that of the
run without bad plugins.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from library import BUILT_IN, Library, LibraryError, library, make_old, run, write_plugin
from photos import lay_out, make_photo, ordinary_photos

_WAIT_S = 900.0
_SETTINGS: dict[str, dict[str, Any]] = {
    "watch": {"settle_s": 0.3},
    "decode": {"timeout_s": 5.0, "memory_mb": 512},
    "pipeline": {"workers": 2},
    "lanes": {"devices": ["cpu"], "timeout_s": 5.0, "memory_mb": 512},
}
GOOD = ("good-inline", "good-lane")

_GOOD = """
import numpy as np
from imgd import Analyzer, Device, Finding, Needs, Vector, hookimpl


class Inline(Analyzer):
    name = "good-inline"
    version = "1"
    needs = Needs(edge=64)

    def analyze(self, photos):
        return [Finding(facts={"mean_inline": float(photo.image.mean())}) for photo in photos]


class Lane(Inline):
    name = "good-lane"
    device = Device.MODEL
    batch_size = 8

    def analyze(self, photos):
        return [
            Finding(
                facts={"mean_lane": float(photo.image.mean())},
                vectors=[Vector("bench:3", photo.image.reshape(-1, 3).mean(axis=0) + 1)],
            )
            for photo in photos
        ]


@hookimpl
def imgd_analyzers(settings):
    return [Inline, Lane]
"""

_BAD = """
import ctypes
import os
import signal
import sys
import threading

import numpy as np
from imgd import Analyzer, Device, Finding, Needs, Vector, hookimpl

ONLY = {only!r}
NEVER = threading.Event()


def crash(self, photos):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(self, photos):
    NEVER.wait()


def leak(self, photos):
    kept = self.__dict__.setdefault("kept", [])
    kept += [np.ones(20 << 20, np.uint8) for _ in photos]
    return [Finding() for _ in photos]


def shape(self, photos):
    return [Finding(vectors=[Vector("bad:4", np.ones((2, 2)))]) for _ in photos]


def nan(self, photos):
    return [Finding(vectors=[Vector("bad:2", np.array([np.nan, 1.0]))]) for _ in photos]


def count(self, photos):
    return [Finding() for _ in photos] + [Finding()]


def leave(self, photos):
    os._exit(0)


def exit(self, photos):
    sys.exit("I have had enough")


def flood(self, photos):
    for _ in photos:
        print("I am here! " * 100_000)
    return [Finding() for _ in photos]


def threads(self, photos):
    for _ in range(200):
        threading.Thread(target=NEVER.wait, daemon=True).start()
    return [Finding() for _ in photos]


def clear(self, photos):
    photos.clear()
    return []


def scribble(self, photos):
    for photo in photos:
        ctypes.memset(photo.image.ctypes.data, 7, photo.image.nbytes)
    return [Finding() for _ in photos]


def giant(self, photos):
    return [Finding(facts={{f"f{{n}}": "x" * 1_000_000 for n in range(80)}}) for _ in photos]


KINDS = (crash, hang, leak, shape, nan, count, leave, exit, flood, threads, clear, scribble, giant)


def declare(kind, place, device):
    name = f"{{place}}-{{kind.__name__}}"
    attributes = dict(
        name=name, version="1", device=device, batch_size=8, needs=Needs(edge=64), analyze=kind,
        __module__=__name__,
    )
    return type(name.replace("-", "_"), (Analyzer,), attributes)


ANALYZERS = [
    declare(kind, place, device)
    for kind in KINDS
    if not ONLY or kind.__name__ in ONLY
    for place, device in (("inline", Device.CPU), ("lane", Device.MODEL))
]
globals().update({{each.__name__: each for each in ANALYZERS}})


@hookimpl
def imgd_analyzers(settings):
    return ANALYZERS
"""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one analyzer. `reason`: as people are told it, "" for none."""

    name: str
    state: str
    findings: int
    failures: int
    reason: str


@dataclass(frozen=True, slots=True)
class Round:
    """One run over the photos. `damage`: findings of good analyzers that differ from those of the first run."""

    wall_s: float
    fates: tuple[Fate, ...]
    alive: bool
    said_bytes: int
    means: dict[tuple[str, str], float]


def take(folder: Path, *names: str, only: Sequence[str], count: int) -> Round:
    """A fresh library over `folder` with the plugins `names`."""
    with tempfile.TemporaryDirectory(prefix="imgd-bad-") as site:
        sources = {"good": _GOOD, "bad": _BAD.format(only=tuple(only))}
        places = [write_plugin(Path(site) / name, name, sources[name]) for name in names]
        with library(roots=[folder], settings=_SETTINGS, plugins=",".join(names), python_path=places) as owned:
            began = time.monotonic()
            owned.start()
            # Those that are set aside owe for ever: it is the others that are waited for.
            waited = [*BUILT_IN, *GOOD]
            owned.until(
                lambda: all(_done(owned, name) >= count for name in waited), _WAIT_S, "all photos analyzed"
            )
            wall_s = time.monotonic() - began
            owned.until(lambda: _settled(owned, count), _WAIT_S, "every bad analyzer has come to its end")
            return _look(owned, wall_s)


def _done(owned: Library, name: str) -> int:
    query = "SELECT COUNT(*) FROM findings JOIN analyzers ON analyzers.id = analyzer_id WHERE name = ?"
    return int(owned.rows(query, name)[0][0]) if owned.database.exists() else 0


def _settled(owned: Library, count: int) -> bool:
    """Whether every analyzer has answered for all photos, or was set aside, or is named as one that fails."""
    failed = Counter(each.analyzer for each in owned.failed())
    with owned.client() as client:
        return all(
            each.state == "broken" or _done(owned, each.name) + failed[each.name] >= count
            for each in client.analyzers().analyzers
        )


def _look(owned: Library, wall_s: float) -> Round:
    reasons: dict[str, Counter[str]] = {}
    for job in owned.failed():
        reasons.setdefault(job.analyzer, Counter())[job.reason] += 1
    with owned.client() as client:
        analyzers = client.analyzers().analyzers
        faults = [each.message for each in client.status().faults]
    fates = []
    for each in analyzers:
        failures = reasons.get(each.name, Counter())
        reason = each.advice if each.state == "broken" else (failures.most_common(1)[0][0] if failures else "")
        reason = reason or next((fault for fault in faults if each.name in fault), "")
        fates.append(Fate(each.name, each.state, _done(owned, each.name), failures.total(), reason))
    means = {
        (os.path.basename(os.fsdecode(name)), key): number
        for name, key, number in owned.rows(
            "SELECT photos.name, facts.key, facts.number FROM facts JOIN photos ON photos.id = photo_id"
            " WHERE facts.key LIKE 'mean_%'"
        )
    }
    return Round(wall_s, tuple(fates), owned.alive, owned.log.stat().st_size, means)


def measure(count: int, only: Sequence[str]) -> dict[str, Any]:
    """Both runs, their table, and their figures."""
    with tempfile.TemporaryDirectory(prefix="imgd-photos-") as name:
        folder = Path(name) / "photos"
        photos = ordinary_photos(count)
        lay_out(photos, folder)
        for number in range(count - len(photos)):
            make_photo(folder / f"made{number:03}.jpg", number)
        make_old(folder)
        alone = take(folder, "good", only=only, count=count)
        together = take(folder, "good", "bad", only=only, count=count)
    good = {*BUILT_IN, *GOOD}
    print(f"{'analyzer':18} {'state':8} {'findings':>8} {'failures':>8}  reason")
    for fate in sorted(together.fates, key=lambda each: each.name not in good):
        print(f"{fate.name:18} {fate.state:8} {fate.findings:8} {fate.failures:8}  {fate.reason[:110]}")
    bad = [fate for fate in together.fates if fate.name not in good]
    harmless = ("flood", "threads", "scribble", "leak")
    unnamed = [
        fate.name
        for fate in bad
        if not fate.reason and not (fate.name.endswith(harmless) and fate.findings == count)
    ]
    others = [fate for fate in together.fates if fate.name in good]
    damaged = sum(together.means.get(key) != value for key, value in alone.means.items())
    print(
        f"\nothers finished {min(fate.findings for fate in others)} of {count} photos, with"
        f" {sum(fate.failures for fate in others)} failures; {damaged} of their findings were altered\n"
        f"{alone.wall_s:.1f} s without bad plugins, {together.wall_s:.1f} s with them;"
        f" the log has {together.said_bytes / 1e6:.1f} MB; the daemon is {'alive' if together.alive else 'gone'}"
    )
    return {
        "photos": count,
        "others_finished": min(fate.findings for fate in others),
        "others_failed": sum(fate.failures for fate in others),
        "altered": damaged,
        "unnamed": unnamed,
        "alone_s": round(alone.wall_s, 1),
        "ratio": round(together.wall_s / alone.wall_s, 2),
        "log_mb": round(together.said_bytes / 1e6, 1),
        "bad": {fate.name: [fate.state, fate.findings, fate.failures, fate.reason[:200]] for fate in bad},
    }


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--only", default="", help="kinds, with commas between")
    options = parser.parse_args()
    if options.photos < 1:
        raise LibraryError("no photos")
    return measure(options.photos, [each for each in options.only.split(",") if each])


if __name__ == "__main__":
    run(main)
