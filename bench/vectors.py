"""Vector search through imgd's own index of a space, over a real store of 500,000 x 512 in 2,000 clusters.

    python bench/vectors.py [--count 500000] [--queries 50] [--tried]

Queries like a photo, like words (off the photos of the space, as texts are in spaces of the kind of CLIP's) and
far from everything, each kind by itself: milliseconds, and recall@100 against exact float32. Then the same within
some of the photos, the memory of the index, a build and what it does to searches, several searches at once, and
inverted lists, which serve from a million on. With `--tried` also what else FAISS has.

Prints tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from codes import try_others
from library import run
from looks import SPACE, Floats
from nearest import KINDS, TOP, Question, fill, make_queries

from imgd.index.shapes import Limits
from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import IndexOptions, SpaceIndex
from imgd.store.database import Database

SHARES = (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0)

Figures = dict[str, float]


def open_index(database: Database, folder: Path, limits: Limits | None = None) -> SpaceIndex:
    index = SpaceIndexes(database, folder, IndexOptions(limits=limits or Limits())).get(SPACE)
    assert index is not None
    return index


def ask(index: SpaceIndex, question: Question) -> dict[str, Figures]:
    """Milliseconds and recall of each kind of query, one query at a time."""
    found = {}
    for kind in KINDS:
        times, cpu, recalls = [], [], []
        for row, query in enumerate(question.queries[kind]):
            started, began = time.perf_counter(), time.thread_time()
            [matches] = index.find(query[np.newaxis], TOP)
            times.append((time.perf_counter() - started) * 1e3)
            cpu.append((time.thread_time() - began) * 1e3)
            recalls.append(len(question.best(kind, row) & set(matches.vector_ids.tolist())) / TOP)
        found[kind] = _times(times) | {"cpu_ms": float(np.median(cpu)), "recall": float(np.mean(recalls))}
    return found


def ask_within(index: SpaceIndex, question: Question, count: int) -> dict[str, Figures]:
    """The same within a random share of the photos; the worst recall of the three kinds."""
    random = np.random.default_rng(3)
    found = {}
    for share in SHARES:
        within = np.sort(random.choice(count, max(1, round(count * share)), replace=False)) + 1
        times: list[float] = []
        recalls: list[float] = []
        for kind in KINDS:
            hits = []
            for row, query in enumerate(question.queries[kind][:10]):
                started = time.perf_counter()
                [matches] = index.find(query[np.newaxis], TOP, within)
                times.append((time.perf_counter() - started) * 1e3)
                expected = question.best(kind, row, within)
                hits.append(len(expected & set(matches.vector_ids.tolist())) / len(expected))
            recalls.append(float(np.mean(hits)))
        found[f"{share:.2%}"] = _times(times) | {"recall": min(recalls)}
    return found


def search_while(index: SpaceIndex, queries: Floats, work: Callable[[], None]) -> tuple[Figures, float]:
    """Milliseconds of searches while `work` runs in a thread, and its seconds."""
    started = time.perf_counter()
    thread = threading.Thread(target=work)
    thread.start()
    times: list[float] = []
    while thread.is_alive():
        times.append(_one(index, queries[len(times) % len(queries)]))
    return _times(times), time.perf_counter() - started


def search_at_once(index: SpaceIndex, queries: Floats, threads: int) -> Figures:
    """Milliseconds of a search when `threads` search at once, and searches a second of all together."""
    times: list[float] = []
    started = time.perf_counter()
    pool = [
        threading.Thread(target=lambda: times.extend([_one(index, q) for q in queries])) for _ in range(threads)
    ]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return _times(times) | {"a_second": len(times) / (time.perf_counter() - started)}


def memory_mb(folder: Path) -> tuple[float, float]:
    """MiB resident of the files of `folder`, and anonymous of this process."""
    smaps = Path("/proc/self/smaps").read_text(encoding="utf-8")
    of_files = re.findall(rf"{re.escape(str(folder))}/\S+\n(?:.*\n)*?Rss: +(\d+) kB", smaps)
    anonymous = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert anonymous is not None
    return sum(map(int, of_files)) / 1024, int(anonymous[1]) / 1024


def _one(index: SpaceIndex, query: Floats) -> float:
    started = time.perf_counter()
    index.find(query[np.newaxis], TOP)
    return (time.perf_counter() - started) * 1e3


def _times(times: Sequence[float]) -> Figures:
    return {"p50_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95))}


def _show(title: str, rows: dict[str, Figures]) -> None:
    print(f"\n{title}")
    for name, figures in rows.items():
        recall = f"  recall@{TOP} {figures['recall']:.4f}" if "recall" in figures else ""
        cpu = f"  of a core {figures['cpu_ms']:6.2f} ms" if "cpu_ms" in figures else ""
        print(f"  {name:<22} p50 {figures['p50_ms']:7.2f} ms  p95 {figures['p95_ms']:7.2f} ms{cpu}{recall}")


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--queries", type=int, default=50, help="of each kind")
    parser.add_argument("--tried", action="store_true", help="also measure what else FAISS has")
    options = parser.parse_args()
    queries = make_queries(options.queries, np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "vectors"
        database, question = fill(Path(place) / "library.db", options.count, queries)
        try:
            figures = measure(database, folder, question, options.count)
            if options.tried:
                figures["tried"] = try_others(question, options.count)
                _show("what else FAISS has, alone and with what it finds compared exactly", figures["tried"])
        finally:
            database.close()
    return {"bench": "vectors", "count": options.count, **figures}


def measure(database: Database, folder: Path, question: Question, count: int) -> dict[str, Any]:
    builder = open_index(database, folder)
    started = time.perf_counter()
    builder.rebuild()
    figures: dict[str, Any] = {"build_s": time.perf_counter() - started, "kind": builder.status().kind}
    print(f"{count:,} vectors: {figures['kind']}, built in {figures['build_s']:.1f} s")
    del builder
    _files, before = memory_mb(folder)
    started = time.perf_counter()
    index = open_index(database, folder)
    figures["open_ms"] = (time.perf_counter() - started) * 1e3
    figures["kinds"] = ask(index, question)
    files, after = memory_mb(folder)
    figures["resident_mb"] = files + max(0.0, after - before)
    _show("all photos", figures["kinds"])
    print(f"opened in {figures['open_ms']:.0f} ms; resident {figures['resident_mb']:.0f} MiB")
    figures["within"] = ask_within(index, question, count)
    _show("within a share of the photos (worst recall of the three kinds)", figures["within"])
    texts = question.queries["text-like"]
    figures["at_once"] = {f"{n} at once": search_at_once(index, texts, n) for n in (1, 2, 4)}
    _show("several searches at once", figures["at_once"])
    figures["while_building"], seconds = search_while(index, texts, index.rebuild)
    idle = figures["at_once"]["1 at once"]
    figures["build_ratio_p95"] = figures["while_building"]["p95_ms"] / idle["p95_ms"]
    _show(f"while it is built anew ({seconds:.1f} s)", {"text-like": figures["while_building"]})
    lists = open_index(database, folder.with_name("lists"), Limits(exact=0, codes=0, sieve=0, scanned=1.0))
    lists.rebuild()
    figures["lists"] = ask(lists, question)
    _show(f"with inverted lists ({lists.status().kind})", figures["lists"])
    return figures


if __name__ == "__main__":
    run(main)
