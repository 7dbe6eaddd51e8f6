"""Building the vector index of a space from the store, in this process or in one of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import faiss
import msgspec
import numpy as np

from imgd.index.apart import live_apart, run_apart
from imgd.index.built import Breadth
from imgd.index.calibration import LEAST_RECALL, Truth, choose_breadth, queries_of
from imgd.index.faiss_file import Made, Manifest, save
from imgd.index.matches import Floats
from imgd.index.positions import Positions
from imgd.index.shapes import Kind, Limits, choose, make, sample_size
from imgd.index.sieve import passing
from imgd.index.stored import Reading, Space, StoredVectors
from imgd.store.database import named_errors

_CHUNK = 8192
_NO_SAMPLE: Floats = np.empty((0, 0), np.float32)


class BuildRequest(msgspec.Struct, frozen=True):
    """Build the index of `space` out of `library`, which has that `identity`, in `folder`.

    What was removed after change `change_seq` may or may not be in it.
    """

    library: str
    folder: str
    space: Space
    change_seq: int
    identity: int
    limits: Limits = Limits()


class Builder(Protocol):
    """Puts an index in place; what was there stays until then, and where it fails or `stopped` says so."""

    def __call__(self, request: BuildRequest, stopped: Callable[[], bool], /) -> object:
        """Raises StoreError or DiskFullError when no index could be built."""
        ...


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be built, for about `count` vectors; its codes are trained on `sample` (n, d)."""

    kind: Kind
    count: int
    sample: Floats


def build(request: BuildRequest, stopped: Callable[[], bool] = lambda: False) -> Manifest | None:
    """Build the index in this process and put it in place; None where it was stopped before that.

    Raises:
        StoreError, DiskFullError: when it cannot be written.
    """
    dimensions = request.space.dimensions
    with _opened(Path(request.library)) as read:
        stored = StoredVectors(read, request.space)
        count = stored.count_after(0)
        kind = choose(count, dimensions, request.limits)
        sample = stored.sample(wanted) if (wanted := sample_size(kind, count)) else _NO_SAMPLE
        made = _make(request, stored, _Plan(kind, count, sample), stopped)
        if made is not None and _scans_too_much(made, request.limits):
            made = _make(request, stored, _Plan(Kind.SIEVE, count, sample), stopped)
        if made is not None and made.recall < LEAST_RECALL:  # vectors that four bits do not tell apart
            made = _make(request, stored, _Plan(Kind.CODES, count, sample), stopped)
    return None if made is None or stopped() else save(Path(request.folder), made)


def _make(request: BuildRequest, stored: StoredVectors, plan: _Plan, stopped: Callable[[], bool]) -> Made | None:
    layers = make(plan.kind, plan.count, request.space.dimensions, plan.sample)
    truth = Truth(queries_of(plan.sample)) if layers.sieve is not None else None
    vector_ids, photo_ids = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows in stored.chunks(_CHUNK):
        if stopped():
            return None
        as_float = rows.values.astype(np.float32)
        if truth is not None:
            truth.see(layers.codes.ntotal, as_float)
        layers.add(rows.values, as_float)
        vector_ids.append(rows.vector_ids)
        photo_ids.append(rows.photo_ids)
    breadth, recall = Breadth(), 1.0
    if truth is not None:
        lists = layers.sieve.nlist if plan.kind is Kind.LISTS else 0
        breadth, recall = choose_breadth(lambda *asked: passing(layers.sieve, *asked), truth, lists)
    positions = Positions(np.concatenate(vector_ids), np.concatenate(photo_ids))
    return Made(
        request.space.name, plan.kind, layers, positions, breadth, recall, request.change_seq, request.identity
    )


def _scans_too_much(made: Made, limits: Limits) -> bool:
    return made.kind is Kind.LISTS and made.breadth.lists > limits.scanned * made.layers.sieve.nlist


def build_apart(request: BuildRequest, stopped: Callable[[], bool]) -> None:
    """As `build`, in a process of its own, which is killed when `stopped` says so."""
    run_apart("imgd.index.build", [msgspec.json.encode(request).decode()], stopped)


@contextmanager
def _opened(library: Path) -> Iterator[Reading]:
    """A reader of its own, so that a build needs no part of the process that writes."""

    @contextmanager
    def read() -> Iterator[sqlite3.Connection]:
        yield connection

    with named_errors(library), closing(sqlite3.connect(library, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield read


def _work(arguments: Sequence[str]) -> None:
    faiss.omp_set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    build(msgspec.json.decode(arguments[0], type=BuildRequest))


if __name__ == "__main__":
    live_apart("imgd-vectors", _work)
