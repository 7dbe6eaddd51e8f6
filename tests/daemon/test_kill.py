"""`kill -9` at any moment loses nothing that was committed, and repeats no more than what was in flight."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from daemon_process import Daemon, daemon, write_plugin
from sample_photos import make_photo, make_sidecar

PHOTOS = 300
KILLS = 20
COMMIT_PHOTOS = 16
WORKERS = 2
LANE_BATCH = 8
IN_FLIGHT = 2 * COMMIT_PHOTOS + 3 * WORKERS + 3 * LANE_BATCH
"""The batch being committed and the one that fills, the tasks that workers hold, the lane's batches. imgd's own
bound is higher than there are photos here, and how many come together during a commit is up to the disk."""

_PLUGIN = f'''
import os
import sys
from dataclasses import dataclass

from imgd import Analyzer, Device, Finding, Needs, Tag, Text, Vector, hookimpl

if "imgd.pipeline.scheduler" in sys.modules:  # of all processes, in the main one
    sys.modules["imgd.pipeline.scheduler"]._MAX_IN_FLIGHT = {IN_FLIGHT}


@dataclass(frozen=True)
class Log:
    log: str = ""


class Inline(Analyzer[Log]):
    """Writes a line each time it is executed."""

    name = "inline"
    version = "1"
    needs = Needs(edge=32)
    settings_type = Log
    code_settings = frozenset({{"log"}})
    facts = {{"red": float}}

    def analyze(self, photos):
        return [self.one(photo) for photo in photos]

    def one(self, photo):
        descriptor = os.open(self.settings.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{{self.name}} {{os.path.basename(photo.path)}}\\n".encode())
        os.close(descriptor)
        mean = photo.pixels.reshape(-1, 3).mean(axis=0)
        word = os.path.basename(photo.path).split(".")[0]
        return Finding(
            facts={{"red": round(float(mean[0]), 3)}},
            texts=[Text("caption", f"{{self.name}} says {{word}}")],
            tags=[Tag("toy", 0.5)],
            vectors=[Vector(f"{{self.name}}:3", mean + 1)],
        )


class Lane(Inline):
    name = "lane"
    device = Device.MODEL
    batch_size = {LANE_BATCH}
    facts = {{}}


@hookimpl
def imgd_analyzers(settings):
    return [Inline, Lane]
'''

_STATE = {
    "photos": """
        SELECT folders.path || '/' || photos.name, size, mtime_ns, revision, fingerprint, width, height, format,
               route, damage, photos.state
        FROM photos JOIN folders ON folders.id = folder_id""",
    "sidecars": """
        SELECT photos.name, sidecars.name, sidecars.size FROM sidecars JOIN photos ON photos.id = photo_id""",
    "findings": """
        SELECT photos.name, analyzers.name, findings.generation, findings.revision, facts
        FROM findings JOIN photos ON photos.id = photo_id JOIN analyzers ON analyzers.id = analyzer_id""",
    "facts": """
        SELECT photos.name, analyzers.name, key, number, text
        FROM facts JOIN photos ON photos.id = photo_id JOIN analyzers ON analyzers.id = analyzer_id""",
    "texts": """
        SELECT photos.name, analyzers.name, ordinal, kind, text
        FROM texts JOIN photos ON photos.id = photo_id JOIN analyzers ON analyzers.id = analyzer_id""",
    "tags": """
        SELECT photos.name, label, score
        FROM tags JOIN photos ON photos.id = photo_id JOIN labels ON labels.id = label_id""",
    "vectors": """
        SELECT photos.name, spaces.name, region, generation, data
        FROM vectors JOIN photos ON photos.id = photo_id JOIN spaces ON spaces.id = space_id""",
    "jobs": """
        SELECT photos.name, analyzers.name, jobs.state, attempts, reason
        FROM jobs JOIN photos ON photos.id = photo_id JOIN analyzers ON analyzers.id = analyzer_id""",
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 photos, each unlike the others; one has a sidecar, one is cut.

    They are too small to be decoded at any but full size: pixels are the same, whatever is owed together.
    """
    folder = tmp_path_factory.mktemp("samples")
    for number in range(PHOTOS):
        make_photo(
            folder / f"{number % 7}" / f"photo{number:03}.jpg", number, size=(60, 45), keyword=f"key{number}"
        )
    make_sidecar(folder / "3" / "photo003.xmp", "sidecarword")
    cut = folder / "5" / "photo005.jpg"
    cut.write_bytes(cut.read_bytes()[:-400])
    os.utime(cut, (1_600_000_000, 1_600_000_000))
    return folder


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plugin(tmp_path_factory.mktemp("toy"), "toy", _PLUGIN)


@contextmanager
def library_of(samples: Path, plugin: Path) -> Iterator[Daemon]:
    with daemon(plugins="toy", python_path=[plugin]) as library:
        log = str(library.base / "executions.log")
        library.configure(
            roots=[str(samples)],
            pipeline={"commit_photos": COMMIT_PHOTOS, "workers": WORKERS},
            analyzers={"inline": {"log": log}, "lane": {"log": log}},
        )
        yield library


def executions(library: Daemon) -> list[tuple[str, str]]:
    """(analyzer, photo) of each execution, in order."""
    log = library.base / "executions.log"
    if not log.exists():
        return []
    return [(line.split()[0], line.split()[1]) for line in log.read_text().splitlines()]


def committed(library: Daemon) -> set[tuple[str, str]]:
    """(analyzer, photo) of each finding that a later daemon must not lose."""
    if not library.database.exists() or not library.rows("SELECT 1 FROM sqlite_master WHERE name = 'findings'"):
        return set()
    return {
        (analyzer, name)
        for analyzer, name in library.rows(
            "SELECT analyzers.name, CAST(photos.name AS TEXT) FROM findings"
            " JOIN photos ON photos.id = photo_id JOIN analyzers ON analyzers.id = analyzer_id"
            " WHERE analyzers.name IN ('inline', 'lane')"
        )
    }


def state_of(library: Daemon) -> dict[str, Counter[Any]]:
    return {name: Counter(library.rows(query)) for name, query in _STATE.items()}


def is_analyzed(library: Daemon) -> bool:
    """Whether the ingest is over."""
    if not library.database.exists() or not library.rows("SELECT 1 FROM sqlite_master WHERE name = 'jobs'"):
        return False
    return library.rows(
        "SELECT (SELECT COUNT(*) FROM photos), (SELECT COUNT(*) FROM jobs WHERE state = 'owed')"
    ) == [(PHOTOS, 0)]


def start_and_kill(library: Daemon, chance: random.Random, executed: int) -> None:
    """Kill a daemon at a moment of its start where `executed` is 0, else once so much more was executed."""
    before = len(executions(library))
    process = library.spawn()
    if executed:
        library.until(lambda: len(executions(library)) >= before + executed or is_analyzed(library))
    time.sleep(chance.uniform(0, 0.05 if executed else 1.0))  # the moment is to be a random one
    assert process.poll() is None, library.said
    library.kill()
    assert library.processes_left() == []


def test_an_ingest_killed_twenty_times_ends_as_one_that_was_not(
    samples: Path, plugin: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(20)
    # Others are executed before each kill, more of them on a quick machine; all together are to be less than all.
    moments = [0] * 4 + [chance.randint(1, PHOTOS // (2 * (KILLS - 4))) for _ in range(KILLS - 4)]
    chance.shuffle(moments)
    with library_of(samples, plugin) as library:
        kept: list[tuple[int, set[tuple[str, str]]]] = []
        finished_early = 0
        log: list[tuple[str, str]] = []
        for executed in moments:
            before = len(log)
            start_and_kill(library, chance, executed)
            log, done = executions(library), committed(library)
            in_flight = Counter(analyzer for analyzer, _ in set(log[before:]) - done)
            assert all(count <= IN_FLIGHT for count in in_flight.values()), in_flight
            kept.append((len(log), done))
            finished_early += is_analyzed(library)
        assert finished_early < KILLS // 4, "too few of the kills met an ingest"
        assert library.rows("PRAGMA integrity_check") == [("ok",)]
        library.start()
        library.wait()
        log = executions(library)
        for position, done in kept:
            assert not done & set(log[position:]), "a finding that was committed was made again"
        assert library.found("photo123") == ["photo123.jpg"]
        assert library.found("key77") == ["photo077.jpg"]
        assert library.found("sidecarword") == ["photo003.jpg"]
        assert {index["name"]: index["clean"] for index in library.status()["indexes"]} == {
            "text": True,
            "inline:3": True,
            "lane:3": True,
        }
        killed = state_of(library)
        assert library.stop() == 0
    with library_of(samples, plugin) as library:
        library.start()
        library.wait()
        assert set(Counter(executions(library)).values()) == {1}
        whole = state_of(library)
        assert library.stop() == 0
    record_property("repeats", len(log) - len(set(log)))
    assert whole["photos"].total() == PHOTOS
    for name, rows in whole.items():
        assert killed[name] - rows == rows - killed[name] == Counter(), name
