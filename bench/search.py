"""Searches over large libraries: how long `GET /v1/search` takes, alone and while the library changes.

    python bench/search.py [--count 500000] [--library DIR] [--growth]

A real daemon over a library of `bench/synthetic.py`, with a query encoder of its own as a plugin, is asked 200
mixed queries (words, phrases, filters, both, likenesses) through the control socket over one connection. Times
are what the client waits, less the time of the query encoder, which the answer tells. The same set is asked
while thousands of photos are ingested, and while the vector index is built anew: ratios are within the same
run. `--growth` asks the set in libraries of 5,000, 50,000 and 500,000. `--library` keeps the libraries, with
their indexes, below DIR for the next run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import looks_encoder
import stirring
from asking import Asked, ask_all, ask_until, first_hits, growth_exponent
from library import Library, LibraryError, library, run
from photos import make_photo
from questions import Question, exact_questions, questions
from synthetic import ROOT, make_library

from imgd.control.protocol import StatusAnswer
from imgd.errors import ImgdError

SIZES = (5_000, 50_000, 500_000)
BARS = {
    "p50, ms": 35.0,
    "p95, ms": 80.0,
    "p95 while photos come in / alone": 2.0,
    "p95 while the vector index is built / alone": 2.0,
    "1,000 changed photos to searchable, s": 1.0,
    "exact hits that are not first": 0.0,
}
_ROUNDS = 3
_SMALL_PHOTOS = 3_000
_CHANGED = 1_000
_REPLACED_SHARE, _REPLACED_LEAST = 0.052, 2_600
"""Counted as removed and as new ones, over the 10 % and the 5,000 that make a build due at once."""
_IDLE_S = 0.25
_INDEX_S = 1_800.0
_INGEST_S = 900.0
_BUILD_S = 600.0
_MIB = 1 << 20
Figures = dict[str, float]


def kept_library(folder: Path, count: int) -> Path:
    """The state directory of a library of `count` photos below `folder`, with its indexes; made at need."""
    state = folder / str(count)
    if not (state / "library.db").exists():
        began = time.perf_counter()
        make_library(state, count)
        print(f"a library of {count:,} photos was made in {time.perf_counter() - began:.0f} s", flush=True)
    if not (state / "text.db").exists():
        began = time.perf_counter()
        with served(state, grows=False) as owned:
            await_indexes(owned)
            owned.stop()
            shutil.copytree(owned.database.parent, state, dirs_exist_ok=True)
        print(f"its indexes were made in {time.perf_counter() - began:.0f} s", flush=True)
    return state


@contextmanager
def served(state: Path, *, grows: bool = True) -> Iterator[Library]:
    """A daemon over a copy of `state`, with the plugin of its vectors and, where it `grows`, a second root.

    It indexes soon after the last analysis, so that the work is seen and not the wait for it.
    """
    with ExitStack() as stack:
        plugins = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgd-bench-")))
        photos = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgd-bench-")))
        looks_encoder.install(plugins / "site")
        owned = stack.enter_context(
            library(
                roots=[ROOT, photos] if grows else [ROOT],
                settings={"index": {"idle_s": _IDLE_S}},
                plugins=looks_encoder.PLUGIN,
                python_path=[plugins / "site"],
            )
        )
        owned.root = photos
        shutil.copytree(state, owned.database.parent)
        owned.start()
        try:
            yield owned
        except ImgdError as error:
            raise LibraryError(f"{error}\n{owned.said[-3000:]}") from error


def await_indexes(owned: Library) -> None:
    """Until everything in the library can be found."""
    owned.until(lambda: all(each.clean for each in owned.status().indexes), _INDEX_S, "the indexes are clean")
    owned.wait(_INDEX_S)


# ---------------------------------------------------------------------- what is measured


def measure_alone(owned: Library, asked: Sequence[Question]) -> Asked:
    """The set, once to warm what is cached and three times that count."""
    with owned.client() as client:
        ask_all(client, asked)
        return ask_all(client, list(asked) * _ROUNDS, owned.pid)


def measure_ingest(owned: Library, asked: Sequence[Question]) -> tuple[Asked, float]:
    """The set while photos come in at full speed; and how many of those were analyzed a second."""
    scratch = stirring.make_small_photos(owned.root.parent / f"{owned.root.name}-scratch", _SMALL_PHOTOS)
    before = owned.done()
    scratch.rename(owned.root / "new")
    try:
        owned.until(lambda: owned.done() > before, _INGEST_S, "the first photo is analyzed")
        began, known = time.monotonic(), owned.done()
        with owned.client() as client:
            during = ask_until(client, asked, lambda: True)
        rate = (owned.done() - known) / (time.monotonic() - began)
        if owned.done() - before >= _SMALL_PHOTOS:
            print("note: the ingest ended before the last query of the set was answered")
        owned.wait(_INGEST_S)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return during, rate


def measure_change(owned: Library) -> float:
    """Seconds from the commit of the last of 1,000 changed photos to all of them being found by their new word."""
    stirring.write_sidecars(owned.root / "new", _CHANGED)
    owned.until(lambda: stirring.tagged_photos(owned) >= _CHANGED, _INGEST_S, "the sidecars are read")
    began = time.perf_counter()
    with owned.client() as client:
        quoted = f'"{stirring.KEYWORD}"'  # a phrase is not compared with looks or meanings
        while client.search(quoted, limit=1).found < _CHANGED:
            if time.perf_counter() - began > 60:
                raise LibraryError("the changed photos are not found")
            time.sleep(0.01)
    return time.perf_counter() - began


def measure_build(owned: Library, asked: Sequence[Question], count: int) -> tuple[Asked, float]:
    """The set while the vector index is built anew, and how many seconds that takes.

    New vectors for a twentieth of the photos make the build due. The words of what changed are indexed first; the
    time is taken from there.
    """
    folder = owned.database.parent / "vectors"
    before = _last_written(folder)
    stirring.replace_looks(owned, max(_REPLACED_LEAST, int(count * _REPLACED_SHARE)))
    make_photo(owned.root / "wake.jpg", 1)  # the daemon looks for changes when something of its own has changed
    with owned.client() as client:
        owned.until(lambda: _covers_words(client.status()), _INDEX_S, "the words are indexed")
        began = time.monotonic()
        deadline = began + _BUILD_S
        during = ask_until(
            client, asked, lambda: _last_written(folder) > before or time.monotonic() > deadline, at_least=0
        )
    if time.monotonic() > deadline:
        raise LibraryError("the vector index is not built")
    return during, time.monotonic() - began


def _covers_words(status: StatusAnswer) -> bool:
    return all(each.clean for each in status.indexes if each.name == "text")


def _last_written(folder: Path) -> float:
    """When the newest index of vectors was put in its place."""
    return max((path.stat().st_mtime for path in folder.glob("*.json")), default=0.0)


# ---------------------------------------------------------------------- what is said of it


def print_kinds(asked: Asked) -> None:
    print(f"{'kind of query':20}{'answers':>8}{'p50, ms':>10}{'p95, ms':>10}{'CPU, ms':>10}")
    for kind in [*asked.kinds(), None]:
        count = len([each for each in asked.timed if kind in (None, each.question.kind)])
        p50, p95 = asked.percentile(50, kind), asked.percentile(95, kind)
        print(f"{kind or 'all':20}{count:8}{p50:10.1f}{p95:10.1f}{asked.cpu_ms(kind):10.1f}")
    print("slowest:")
    for each in asked.slowest(10):
        print(f"{each.took_ms:10.1f} ms  {each.found:7} found  {each.question.kind}: {each.question.text}")
    for text, reason in list(asked.refused.items())[:10]:
        print(f"not understood: {text}: {reason}")


def print_figures(figures: Figures) -> None:
    print(f"{'what':52}{'bar':>10}{'measured':>12}")
    for name, value in figures.items():
        bar = f"{BARS[name]:g}" if name in BARS else "-"
        missed = "  missed" if name in BARS and not value <= BARS[name] else ""
        print(f"{name:52}{bar:>10}{value:12.3g}{missed}")


def measure(folder: Path, count: int) -> tuple[Figures, Asked]:
    """Everything, over one library."""
    asked = questions()
    with served(kept_library(folder, count)) as owned:
        await_indexes(owned)
        alone = measure_alone(owned, asked)
        print("the set is answered", flush=True)
        figures = {"p50, ms": alone.percentile(50), "p95, ms": alone.percentile(95)}
        figures["CPU of the main process a query, ms"] = alone.cpu_ms()
        with owned.client() as client:
            exact = exact_questions(count)
            wrong = first_hits(client, exact)
            figures["exact hits that are not first"] = len(wrong)
            figures["exact hits asked for"] = len(exact)
            main_process = next(each for each in client.status().processes if each.name == "imgd")
        figures["PSS of the main process, MiB"] = main_process.pss_bytes / _MIB
        print("exact hits are looked at", flush=True)
        during, rate = measure_ingest(owned, asked)
        figures["p95 while photos come in / alone"] = during.percentile(95) / figures["p95, ms"]
        figures["photos analyzed a second meanwhile"] = rate
        print("photos came in", flush=True)
        figures["1,000 changed photos to searchable, s"] = measure_change(owned)
        print("sidecars changed", flush=True)
        during, took_s = measure_build(owned, asked, count)
        figures["p95 while the vector index is built / alone"] = during.percentile(95) / figures["p95, ms"]
        figures["answers while it is built"] = len(during.timed)
        figures["s to build it"] = took_s
        for text in wrong[:10]:
            print(f"not first: {text}")
    return figures, alone


def measure_growth(folder: Path, counts: Sequence[int]) -> Figures:
    """The set in libraries of each size, and by which power of the size its time grows."""
    figures: Figures = {}
    times: dict[str, list[float]] = {"p50": [], "p95": []}
    for count in counts:
        with served(kept_library(folder, count)) as owned:
            await_indexes(owned)
            alone = measure_alone(owned, questions())
        for name, share in (("p50", 50), ("p95", 95)):
            times[name].append(alone.percentile(share))
            figures[f"{name} in {count:,}, ms"] = times[name][-1]
        figures[f"CPU in {count:,}, ms"] = alone.cpu_ms()
    for name, measured in times.items():
        figures[f"growth of {name}, exponent"] = growth_exponent(counts, measured)
    return figures


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.library or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgd-bench-")))
        if options.growth:
            figures = measure_growth(folder, [each for each in SIZES if each <= options.count])
        else:
            figures, alone = measure(folder, options.count)
            print_kinds(alone)
        print_figures(figures)
    return {
        "bench": "search",
        "photos": options.count,
        "growth": options.growth,
        "cores": len(os.sched_getaffinity(0)),
        **{name: round(value, 3) for name, value in figures.items()},
        "passed": all(figures[name] <= bar for name, bar in BARS.items() if name in figures),
    }


if __name__ == "__main__":
    run(main)
