"""Where a photo's time goes: imgd's own steps of a first analysis, format by format, with the floor beside them.

    python bench/steps.py [--rounds 10]

The steps are timed inside imgd's own decode, analyzers, message and commit, on one core, in CPU milliseconds (the
median of the rounds). The floor is `bench/floor.py`'s whole work on the same file, in the same run. Photos: see
bench/formats.py. Prints a table and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import floor
import msgspec
import pillow_heif
from formats import files_of_each_format
from photos import lay_out
from pipeline import activate, register_root

from imgd.analyzers import preview
from imgd.config import DecodeSettings, PathSettings, Settings
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, pillow, pyramid, report
from imgd.decode.colour import SrgbConverter
from imgd.decode.limits import keep_freed_memory
from imgd.domain import Decoded, Outcome, PhotoInput
from imgd.pipeline.hosted import analyze, load_hosted
from imgd.pipeline.messages import PhotoResult, PhotoStatus
from imgd.store.database import Database
from imgd.store.findings import commit
from imgd.store.migrate import migrations

STEPS = (
    "read", "identify", "decode", "resize", "colour", "pyramid", "metadata", "technical", "preview, JPEG",
    "preview, write", "message", "commit",
)  # fmt: skip
_KINDS = ("jpeg, small", "jpeg, 24 MP, made", "raw, cr2", "heic, iphone", "png")
_BATCH = 50


class Clock:
    """CPU milliseconds by step of the photo at hand."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def time(self, step: str) -> Iterator[None]:
        began = time.process_time()
        try:
            yield
        finally:
            self.ms[step] += (time.process_time() - began) * 1000

    def watch(self, owner: Any, name: str, step: str) -> None:
        """From now on, count `owner.name` as `step`."""
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.time(step):
                return original(*arguments, **named)

        setattr(owner, name, timed)


class Bench:
    """imgd's parts as a worker holds them, with their steps watched, and a library for the commits."""

    def __init__(self, scratch: Path) -> None:
        self._clock, self._limits = Clock(), DecodeLimits.of(DecodeSettings())
        self._registry = FormatRegistry()
        settings = Settings(paths=PathSettings(scratch / "s", scratch / "c", scratch / "m", scratch / "k"))
        self._database = Database(settings.database, migrations())
        self._active = activate(self._database, settings)
        self._analyzers, _ = load_hosted([each.spec for each in self._active], "cpu", lambda _: None)
        self._roots = 0
        self._clock.watch(FormatRegistry, "identify", "identify")
        self._clock.watch(pillow, "resize", "resize")
        self._clock.watch(SrgbConverter, "convert", "colour")
        self._clock.watch(preview, "write_private", "preview, write")

    def photo(self, path: Path) -> tuple[dict[str, float], PhotoResult]:
        """The steps of one photo, all but its commit; and what a worker would tell of it."""
        ms = self._clock.ms = defaultdict(float)
        with self._clock.time("read"):
            source = Source.open(os.fsencode(path), self._limits.max_file_bytes)
            source.content[:1]
        with source:
            with self._clock.time("decode"):
                picture = decode(source, 1200, self._limits, self._registry)
            ms["decode"] -= ms["identify"] + ms["resize"] + ms["colour"]
            with self._clock.time("pyramid"):
                levels = pyramid(picture, [1200, 512])
            photo = PhotoInput(1, str(path), picture.format, picture.width, picture.height, file=source.content)
            outcomes = []
            for name, analyzer in self._analyzers.items():
                at_edge = dataclasses.replace(photo, pixels=levels.get(analyzer.needs.edge))
                with self._clock.time(name):
                    outcomes += analyze(analyzer, [at_edge])
            result = PhotoResult(1, PhotoStatus.DONE, "", report(source, picture), outcomes, route=picture.route)
        ms["preview, JPEG"] = ms.pop("preview") - ms["preview, write"]
        with self._clock.time("message"):
            msgspec.msgpack.decode(msgspec.msgpack.encode(result), type=PhotoResult)
        return dict(ms), result

    def commit_ms(self, path: Path, result: PhotoResult, folder: Path) -> float:
        """A photo's share of a commit of 50 of them."""
        lay_out([path] * _BATCH, folder)
        self._roots += 1
        register_root(self._database, folder, self._roots - 1)
        with self._database.read() as connection:
            photos = connection.execute(
                "SELECT id, revision FROM photos ORDER BY id DESC LIMIT ?", (_BATCH,)
            ).fetchall()
        assert result.report is not None
        ids = {each.name: each.id for each in self._active}
        decoded = [Decoded(photo, revision, result.report) for photo, revision in photos]
        outcomes = [
            Outcome(photo, ids[each.analyzer], revision, each.finding, each.reason, route=result.route)
            for photo, revision in photos
            for each in result.outcomes
        ]
        began = time.process_time()
        self._database.write(lambda connection: commit(connection, decoded, outcomes, time.time())).result()
        return (time.process_time() - began) * 1000 / _BATCH


def floor_ms(path: Path, folder: Path, rounds: int) -> float:
    times = []
    for number in range(rounds):
        began = time.process_time()
        floor.analyze(str(path), str(folder), number)
        times.append((time.process_time() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Where a photo's time goes, step by step.")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    keep_freed_memory()  # as a worker does
    pillow_heif.register_heif_opener(decode_threads=1)  # for the floor
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        folder = Path(name)
        bench = Bench(folder / "imgd")
        for label, path in files_of_each_format(folder / "made", list(_KINDS)):
            if label not in _KINDS:
                continue
            found = [bench.photo(path) for _ in range(options.rounds + 1)][1:]
            steps = {step: statistics.median(ms.get(step, 0.0) for ms, _ in found) for step in STEPS}
            steps["commit"] = bench.commit_ms(path, found[-1][1], folder / label.replace(", ", "-"))
            steps["all"] = sum(steps.values())
            steps["floor"] = floor_ms(path, folder, options.rounds)
            table[f"{label} ({found[-1][1].route})"] = {step: round(ms, 2) for step, ms in steps.items()}
    rows = (*STEPS, "all", "floor")
    print(f"{'':16}" + "".join(f"{label:>30}" for label in table))
    for row in rows:
        print(f"{row:16}" + "".join(f"{steps[row]:30.2f}" for steps in table.values()))
    print(json.dumps({"bench": "steps", "ms": table}))


if __name__ == "__main__":
    main()
