"""What a lane costs above its model: photos/s through a real lane, against the bare loop of the same model.

    bench/lanes.py [--photos 320] [--rounds 5]

The models are those of imgd-concepts, which run on the CPU; bench/clip.py measures the same of CLIP, on a GPU
where there is one. Lane and loop are given the same pixels, which lie ready in memory, in batches of the same
size, in turn, round by round; the ratio is the median of the rounds. The lane is a process of its own, and its
clock runs from the first photo that is sent to the last checked finding that is received. The bare loop is
`analyze` of the same analyzer in this process. The models are also measured through the whole pipeline, where
workers decode and the main process commits beside them.

The models come from the model store: `--models`, or $IMGD_TEST_MODELS, or the user's own. `--memory-mb` gives the
lane less memory than is free.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lane_feed import LaneFeed, Pixels, lane_feed, ready_batches
from photos import lay_out, make_photo, ordinary_photos

from imgd.config import DecodeSettings, PathSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, pyramid
from imgd.errors import DecodeError

_WARM_BATCHES = 3
BAR_RATIO = 0.90


@dataclass(frozen=True, slots=True)
class Measured:
    """Photos/s of each round."""

    bare: list[float]
    lane: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(lane / bare for lane, bare in zip(self.lane, self.bare, strict=True))


async def compare(feed: LaneFeed, bare: Callable[[], None], count: int, rounds: int) -> Measured:
    """`bare` works through `count` photos as the lane does."""
    measured = Measured([], [])
    for _ in range(rounds):
        began = time.perf_counter()
        bare()
        measured.bare.append(count / (time.perf_counter() - began))
        measured.lane.append(count / await feed.analyze(count))
    return measured


async def measure_concepts(options: argparse.Namespace) -> dict[str, Any]:
    from imgd_concepts.analyzer import ConceptAnalyzer
    from imgd_concepts.settings import ConceptSettings

    directories = _concept_models(options.models)
    settings = ConceptSettings()
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as scratch:
        files = ordinary_photos(options.photos)
        if not files:
            print("no photo corpus: photos are made here")
            files = [make_photo(Path(scratch) / f"{n}.jpg", n, (1024, 768)) for n in range(64)]
        photos = decoded(files, ConceptAnalyzer.needs.edge)
        analyzer = ConceptAnalyzer(settings, directories)
        analyzer.load("cpu")
        arguments = {"device": "cpu", "memory_mb": options.memory_mb}
        async with lane_feed(ConceptAnalyzer, settings, directories, photos, **arguments) as feed:
            await feed.analyze(feed.batch_size * _WARM_BATCHES)
            batches = ready_batches(photos, options.photos, feed.batch_size)

            def bare() -> None:
                for batch in batches:
                    analyzer.analyze(batch)

            measured = await compare(feed, bare, options.photos, options.rounds)
            batch_size = feed.batch_size
        analyzer.close()
        through = await through_pipeline(files, settings, directories, Path(scratch))
    bare_rate = statistics.median(measured.bare)
    report("bare loop", "lane", measured, batch_size)
    print(f"through the pipeline, decode and commits beside it: {through:.1f} photos/s, {through / bare_rate:.3f}")
    return figures("concepts", measured, batch_size) | {
        "pipeline_photos_per_s": round(through, 1),
        "pipeline_ratio": round(through / bare_rate, 3),
    }


async def through_pipeline(
    files: list[Path], settings: object, directories: dict[str, Path], scratch: Path
) -> float:
    """Photos/s from owed jobs to committed findings, with the concept models alone; they are loaded before."""
    from imgd_concepts.analyzer import ConceptAnalyzer
    from pipeline import Silent, register_root

    from imgd.config import Settings
    from imgd.pipeline.plan import ActiveAnalyzer, make_spec
    from imgd.pipeline.process import ChildStarter
    from imgd.pipeline.scheduler import Pipeline
    from imgd.store.analyzers import AnalyzerDeclaration, synchronise
    from imgd.store.database import Database
    from imgd.store.migrate import migrations

    house = scratch / "imgd"
    database = Database(house / "library.db", migrations())
    declared = [AnalyzerDeclaration(ConceptAnalyzer.name, ConceptAnalyzer.version, "")]
    rows = database.write(lambda c: synchronise(c, declared)).result()
    spec = make_spec(ConceptAnalyzer, settings, directories, None)
    active = [ActiveAnalyzer(rows[ConceptAnalyzer.name].id, ConceptAnalyzer, spec)]
    paths = PathSettings(house, house / "cache", house / "models", house / "s")
    starter, listener = ChildStarter(), Silent()
    workers = len(os.sched_getaffinity(0))
    pipeline = Pipeline(
        database, starter, Settings(paths=paths), active, formats=(), listener=listener, workers=workers
    )
    try:
        register_root(database, lay_out(files[:8], scratch / "warm", unlike=True), 0)
        pipeline.start()
        await _finished(pipeline)
        count = register_root(database, lay_out(files, scratch / "all"), 1)
        began = time.perf_counter()
        pipeline.wake()
        await _finished(pipeline)
        return count / (time.perf_counter() - began)
    finally:
        await pipeline.stop()
        await starter.stop()
        database.close()


async def _finished(pipeline: Any) -> None:
    while pipeline.busy:  # noqa: ASYNC110 - as a client that asks would
        await asyncio.sleep(0.01)


def decoded(paths: list[Path], edge: int) -> list[Pixels]:
    """What a worker would hand to the lane, (h, w, 3) uint8 each; files that cannot be decoded are left out."""
    limits, registry = DecodeLimits.of(DecodeSettings()), FormatRegistry()
    found = []
    for path in paths:
        with Source.open(os.fsencode(path), limits.max_file_bytes) as source, contextlib.suppress(DecodeError):
            found.append(pyramid(decode(source, edge, limits, registry), [edge])[edge])
    return found


def _concept_models(models: Path) -> dict[str, Path]:
    from imgd_concepts.analyzer import ConceptAnalyzer
    from imgd_concepts.models import MODELS

    from imgd.errors import ImgdError
    from imgd.weights.catalogue import Catalogue
    from imgd.weights.store import ModelStore

    store = ModelStore(models, Catalogue({model.name: model for model in MODELS}))
    try:
        return {name: store.directory(name) for name in ConceptAnalyzer.requires}
    except ImgdError as error:
        sys.exit(f"not measured: {error}; `imgctl models pull default` fetches the concept models")


# ---------------------------------------------------------------------- what comes of it


def report(bare: str, lane: str, measured: Measured, batch_size: int) -> None:
    print(f"{'photos/s, batches of ' + str(batch_size):28}{bare:>14}{lane:>14}{'ratio':>9}")
    for number, (one, other) in enumerate(zip(measured.bare, measured.lane, strict=True), start=1):
        print(f"{'round ' + str(number):28}{one:14.1f}{other:14.1f}{other / one:9.3f}")


def figures(model: str, measured: Measured, batch_size: int) -> dict[str, Any]:
    return {
        "bench": "lanes",
        "model": model,
        "batch_size": batch_size,
        "bare_photos_per_s": round(statistics.median(measured.bare), 1),
        "lane_photos_per_s": round(statistics.median(measured.lane), 1),
        "ratio": round(measured.ratio, 3),
        "bar_ratio": BAR_RATIO,
        "passed": measured.ratio >= BAR_RATIO,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    parser.add_argument("--memory-mb", type=int, default=0)
    options = parser.parse_args()
    options.models = Path(options.models or PathSettings().models_dir).absolute()
    print(json.dumps(asyncio.run(measure_concepts(options))))


if __name__ == "__main__":
    main()
