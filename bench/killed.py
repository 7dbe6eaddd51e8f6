"""A decode worker killed with SIGKILL every second for a minute during an ingest: the end state against that of an
undisturbed run, and how much was done twice.

    bench/killed.py [--photos 4000] [--seconds 60]

Two real daemons, one after the other, with the built-in analyzers and one of a plugin that only takes its time (so
that the ingest outlasts the kills), over the same photos: corpus photos and generated ones, RAWs, sidecars, cut
files. Compared are photos, sidecars, findings, facts, texts, tags, metadata, jobs, the documents and words of the
text index and the previews, by path; times and ids are not. What was done twice is counted by opens: of the photo
that the worker had in hand, and of the one that it had opened ahead of time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from library import Library, LibraryError, library, make_old, run, write_plugin
from open_counter import OpenCounter
from photos import CORPUS, copy_unlike, make_photo, make_sidecar, ordinary_photos, raw_photos

_WORKERS = 2
_WAIT_S = 1200.0
_EVERY_S = 1.0
_SMALL_BYTES = 200_000
_PLUGIN = '''
import time
from dataclasses import dataclass

from imgd import Analyzer, Finding, Needs, hookimpl


@dataclass(frozen=True)
class Pace:
    delay_s: float = 0.0


class Slow(Analyzer[Pace]):
    """The mean of all pixels, after a while."""

    name = "slow"
    version = "1"
    needs = Needs(edge=64)
    settings_type = Pace
    code_settings = frozenset({"delay_s"})
    facts = {"mean": float}

    def analyze(self, photos):
        time.sleep(self.settings.delay_s * len(photos))
        return [Finding(facts={"mean": round(float(photo.pixels.mean()), 3)}) for photo in photos]


@hookimpl
def imgd_analyzers(settings):
    return [Slow]
'''

_NAMED = "JOIN photos ON photos.id = photo_id JOIN folders ON folders.id = folder_id"
_NAME = "folders.path || '/' || photos.name"
_SAID = f"{_NAMED} JOIN analyzers ON analyzers.id = analyzer_id"
STATE = {
    "photos": f"""
        SELECT {_NAME}, size, mtime_ns, revision, fingerprint, width, height, format, route, damage, photos.state
        FROM photos JOIN folders ON folders.id = folder_id""",
    "sidecars": f"SELECT {_NAME}, sidecars.name, sidecars.size FROM sidecars {_NAMED}",
    "findings": f"""
        SELECT {_NAME}, analyzers.name, findings.generation, findings.revision, facts FROM findings {_SAID}""",
    "facts": f"SELECT {_NAME}, analyzers.name, key, number, facts.text FROM facts {_SAID}",
    "texts": f"SELECT {_NAME}, analyzers.name, ordinal, kind, texts.text FROM texts {_SAID}",
    "tags": f"SELECT {_NAME}, label, score FROM tags {_NAMED} JOIN labels ON labels.id = label_id",
    "jobs": f"SELECT {_NAME}, analyzers.name, jobs.state, attempts, reason FROM jobs {_SAID}",
}
"""What must be the same at the end, out of library.db."""


@dataclass(frozen=True, slots=True)
class Course:
    """One ingest. `kills`: workers that were killed; `opens`: of all photos together; `most_opens`: of one."""

    wall_s: float
    kills: int
    opens: int
    most_opens: int
    said_of_kills: int
    state: dict[str, Counter[Any]]


def lay_out(folder: Path, count: int) -> None:
    small = [path for path in ordinary_photos(400) if path.stat().st_size <= _SMALL_BYTES]
    found = cycle(small) if small else None
    for number in range(count):
        place = folder / f"{number % 40:02}" / f"photo{number:05}"
        if found and number % 3:
            photo = next(found)
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_unlike(photo, place.with_suffix(photo.suffix.lower()))
        else:
            make_photo(place.with_suffix(".jpg"), number)
        if number % 100 == 0:
            make_sidecar(place.with_suffix(".xmp"), f"besides{number}")
        if number % 100 == 3:  # cut within its pixels
            cut = make_photo(place.with_name(f"cut{number:05}.jpg"), number, (640, 480))
            os.truncate(cut, cut.stat().st_size * 2 // 3)
    for raw in raw_photos():
        shutil.copyfile(raw, folder / "00" / raw.name)
    make_old(folder)


def ingest(photos: Path, plugin: Path, *, delay_s: float, seconds: float) -> Course:
    """Ingest and analyze `photos`, while for `seconds` a worker is killed each second."""
    settings = {
        "pipeline": {"workers": _WORKERS},
        "index": {"idle_s": 1.0},
        "analyzers": {"slow": {"delay_s": delay_s}},
    }
    count = sum(path.suffix != ".xmp" for path in photos.rglob("*") if path.is_file())
    with library(roots=[photos], settings=settings, plugins="slow", python_path=[plugin]) as owned:
        with OpenCounter(photos) as counter:
            began = time.monotonic()
            owned.start()
            kills = kill_workers(owned, seconds, count)
            owned.wait(_WAIT_S)
            wall_s = time.monotonic() - began
        if counter.overflowed:
            raise LibraryError("the kernel dropped events: the opens are not known")
        opens = {path: number for path, number in counter.opens.items() if not path.endswith(b".xmp")}
        state = state_of(owned)
        said = owned.said.count("was killed by signal 9")
    if state["photos"].total() != count:
        raise LibraryError(f"{state['photos'].total()} of {count} photos are known at the end")
    return Course(wall_s, kills, sum(opens.values()), max(opens.values()), said, state)


def kill_workers(owned: Library, seconds: float, count: int) -> int:
    """Kill a worker each second, as long as photos are owed; returns how many were."""
    chance = random.Random(9)
    if not seconds:
        return 0
    owned.until(lambda: owned.done() > 0, _WAIT_S, "the first finding is committed")
    kills, next_s = 0, time.monotonic()
    deadline = next_s + seconds
    while next_s < deadline:
        workers = [pid for pid, name in owned.processes().items() if name.startswith("imgd-worker")]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                kills += 1
        next_s += _EVERY_S
        time.sleep(max(0.0, next_s - time.monotonic()))
    if owned.done() >= count:
        raise LibraryError(f"the ingest did not outlast {seconds:.0f} s of kills; take more photos")
    return kills


def state_of(owned: Library) -> dict[str, Counter[Any]]:
    """What is in the library, its text index and its preview cache, each row by the path of its photo."""
    state = {name: Counter(owned.rows(query)) for name, query in STATE.items()}
    paths = dict(owned.rows(f"SELECT photos.id, {_NAME} FROM photos JOIN folders ON folders.id = folder_id"))
    # photo_id is the first column of both.
    metadata = owned.rows("SELECT * FROM metadata")
    documents = owned.rows("SELECT * FROM documents", database=owned.text_database)
    state["metadata"] = Counter((paths[row[0]], *row[1:]) for row in metadata)
    state["documents"] = Counter((paths[row[0]], *row[1:]) for row in documents)
    state["words"] = Counter(_words(owned, paths))
    state["previews"] = Counter(
        (paths[int(path.stem)], hashlib.sha256(path.read_bytes()).digest())
        for path in owned.cache_dir.rglob("*")
        if path.is_file() and path.suffix == ".jpg"
    )
    state["leftovers"] = Counter(
        (path.name,) for path in owned.cache_dir.rglob("*") if path.is_file() and path.suffix != ".jpg"
    )
    return state


def _words(owned: Library, paths: dict[int, str]) -> list[tuple[str, str]]:
    """Which word leads to which photo: a search for each sidecar's own word, and for some names."""
    asked = [f"besides{number}" for number in range(0, 2000, 100)] + [f"photo{number:05}" for number in range(50)]
    with owned.client() as client:
        return [(word, paths[hit.photo_id]) for word in asked for hit in client.search(word, 100).hits]


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if not CORPUS.is_dir():
        print("the corpus is not here: generated photos stand in for it")
    delay_s = 1.25 * _WORKERS * options.seconds / options.photos
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        photos, plugin = Path(name) / "photos", write_plugin(Path(name) / "plugin", "slow", _PLUGIN)
        lay_out(photos, options.photos)
        killed = ingest(photos, plugin, delay_s=delay_s, seconds=options.seconds)
        whole = ingest(photos, plugin, delay_s=0.0, seconds=0.0)
    return report(killed, whole)


def report(killed: Course, whole: Course) -> dict[str, Any]:
    photos = whole.opens
    repeats = killed.opens - whole.opens
    print(f"{'':32}{'killed':>10}{'undisturbed':>13}")
    for what, one, other in (
        ("wall time, s", round(killed.wall_s), round(whole.wall_s)),
        ("workers killed", killed.kills, whole.kills),
        ("of them with a photo in hand", killed.said_of_kills, whole.said_of_kills),
        ("opens of all photos", killed.opens, whole.opens),
        ("opens of one photo, at most", killed.most_opens, whole.most_opens),
    ):
        print(f"{what:32}{one:>10}{other:>13}")
    differences = {}
    for what, rows in whole.state.items():
        lost, added = rows - killed.state[what], killed.state[what] - rows
        differences[what] = lost.total() + added.total()
        print(f"{what:32}{killed.state[what].total():>10}{rows.total():>13}   {differences[what]} differ")
        for row in [*lost, *added][:4]:
            print(f"    {row!r}"[:200])
    print(f"{repeats} opens more than {photos} photos need, {repeats / max(1, killed.kills):.2f} a kill (bar: 2)")
    return {
        "bench": "killed",
        "photos": photos,
        "kills": killed.kills,
        "with_a_photo_in_hand": killed.said_of_kills,
        "repeats": repeats,
        "repeats_a_kill": round(repeats / max(1, killed.kills), 3),
        "most_opens_of_one_photo": killed.most_opens,
        "differences": sum(differences.values()),
        "wall_s": round(killed.wall_s, 1),
        "passed": not any(differences.values()) and 0 <= repeats <= 2 * killed.kills,
    }


if __name__ == "__main__":
    run(main)
