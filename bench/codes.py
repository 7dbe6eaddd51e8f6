"""What else FAISS has for the same vectors, each with one thread: alone, or as a sieve before exact comparison."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from looks import DIMENSIONS, Floats
from nearest import KINDS, TOP, Question, blocks
from world import Integers

from imgd.index.scalar import half_index

_IP = faiss.METRIC_INNER_PRODUCT
_TRAINING = 20_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index, and how many of its best are compared exactly (0: its own order counts)."""

    name: str
    index: Callable[[], Any]
    depths: tuple[int, ...]


def candidates() -> list[Candidate]:
    scalar = faiss.ScalarQuantizer
    return [
        Candidate("SQ8", lambda: faiss.IndexScalarQuantizer(DIMENSIONS, scalar.QT_8bit, _IP), (0, 200)),
        Candidate("SQ6", lambda: faiss.IndexScalarQuantizer(DIMENSIONS, scalar.QT_6bit, _IP), (0, 200)),
        Candidate("SQ4", lambda: faiss.IndexScalarQuantizer(DIMENSIONS, scalar.QT_4bit, _IP), (0, 500)),
        Candidate("PQ256x4 fast scan", lambda: faiss.IndexPQFastScan(DIMENSIONS, 256, 4, _IP), (1000, 2000, 4000)),
        Candidate("PQ128x4 fast scan", lambda: faiss.IndexPQFastScan(DIMENSIONS, 128, 4, _IP), (1000, 8000)),
        Candidate("RaBitQ fast scan", lambda: faiss.IndexRaBitQFastScan(DIMENSIONS, _IP), (1000, 8000)),
        Candidate(
            "random 256 of 512, SQ8",
            lambda: faiss.IndexPreTransform(
                faiss.RandomRotationMatrix(DIMENSIONS, 256),
                faiss.IndexScalarQuantizer(256, scalar.QT_8bit, _IP),
            ),
            (1000, 8000),
        ),
        Candidate(
            "PCA to 256, SQ8",
            lambda: faiss.IndexPreTransform(
                faiss.PCAMatrix(DIMENSIONS, 256), faiss.IndexScalarQuantizer(256, scalar.QT_8bit, _IP)
            ),
            (1000, 8000),
        ),
        Candidate("signs, Hamming", _signs, (1000, 8000)),
        Candidate("IVF2048,SQ8 nprobe 512", _lists, (0,)),
    ]


def _signs() -> Any:
    return faiss.IndexBinaryFlat(DIMENSIONS)


def _lists() -> Any:
    quantizer = faiss.IndexFlatIP(DIMENSIONS)
    index = faiss.IndexIVFScalarQuantizer(quantizer, DIMENSIONS, 2048, faiss.ScalarQuantizer.QT_8bit, _IP)
    index.nprobe = 512
    return index


def try_others(question: Question, count: int) -> dict[str, Any]:
    """Milliseconds (the worst kind), recall of each kind and MB of each candidate."""
    vectors = np.concatenate([block.astype(np.float16) for block in blocks(count, 0)])
    found: dict[str, Any] = {}
    for each in candidates():
        index = each.index()
        faiss.omp_set_num_threads(2)
        _fill(index, vectors)
        faiss.omp_set_num_threads(1)
        megabytes = (
            faiss.serialize_index_binary(index).nbytes
            if _is_binary(index)
            else faiss.serialize_index(index).nbytes
        )
        for depth in each.depths:
            figures = {kind: _ask(index, vectors, question, kind, depth) for kind in KINDS}
            recalls = [recall for _times, recall in figures.values()]
            times = np.array([times for times, _recall in figures.values()]).max(axis=0)
            name = f"{each.name} > {depth or 'alone'}"
            found[name] = {"p50_ms": float(times[0]), "p95_ms": float(times[1]), "recall": min(recalls)}
            found[name] |= {"recalls": recalls, "mb": megabytes / 1e6}
            print(f"  {name:<34} {megabytes / 1e6:5.0f} MB {times[0]:7.2f} ms  {recalls}", flush=True)
    return found


def _fill(index: Any, vectors: np.ndarray[Any, np.dtype[np.float16]]) -> None:
    if _is_binary(index):
        index.add(np.packbits(vectors > 0, axis=1))
        return
    step = max(1, len(vectors) // _TRAINING)
    index.train(vectors[::step].astype(np.float32))
    for start in range(0, len(vectors), 50_000):
        index.add(vectors[start : start + 50_000].astype(np.float32))


def _ask(
    index: Any, vectors: np.ndarray[Any, np.dtype[np.float16]], question: Question, kind: str, depth: int
) -> tuple[tuple[float, float], float]:
    times, recalls = [], []
    for row, query in enumerate(question.queries[kind][:30]):
        started = time.perf_counter()
        ids = _search(index, vectors, query[np.newaxis], depth)
        times.append((time.perf_counter() - started) * 1e3)
        recalls.append(len(question.best(kind, row) & set((ids + 1).tolist())) / TOP)
    return (float(np.median(times)), float(np.percentile(times, 95))), float(np.mean(recalls))


def _search(index: Any, vectors: np.ndarray[Any, np.dtype[np.float16]], query: Floats, depth: int) -> Integers:
    asked = np.packbits(query > 0, axis=1) if _is_binary(index) else query
    ids: Integers = index.search(asked, depth or TOP)[1][0]
    if not depth:
        return ids
    ids = np.sort(ids[ids >= 0])
    best: Integers = ids[half_index(vectors[ids]).search(query, TOP)[1][0]]
    return best


def _is_binary(index: Any) -> bool:
    return isinstance(index, faiss.IndexBinary)
