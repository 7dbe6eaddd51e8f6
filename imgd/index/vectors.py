"""The vector index of one space: a FAISS index, an exact tail of what is newer, a mask over what was removed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from imgd.index import faiss_file
from imgd.index.faiss_file import Chunk, Manifest
from imgd.index.matches import Ids, Matches
from imgd.index.tail import Tail
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

TAIL_LIMIT = 50_000
"""Vectors the tail may hold; more than that wait for the next build of the index."""

_CHUNK = 8192
_TRAINING_SAMPLE = 20_000
_THREADS = min(4, os.cpu_count() or 1)
_LARGE_VALUES = 64 << 20  # below it one thread is quick, and several only wait for each other on a busy machine


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space as the library knows it."""

    id: int
    name: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """How a space is indexed: vectors in its FAISS index, in the tail, masked, and waiting for a build."""

    name: str
    kind: str
    indexed: int
    tail: int
    removed: int
    waiting: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Built:
    """A FAISS index and what it covers."""

    kind: str = ""
    index: Any = None
    count: int = 0
    max_id: int = 0
    change_seq: int = 0


class SpaceIndex:
    """Similarities of a query to all vectors of one space, as of the newest commit.

    Thread-safe: searches go on over the old index while `rebuild` makes the next one.
    """

    def __init__(self, database: Database, folder: Path, space: Space) -> None:
        """Load what was saved in `folder`; where that is torn or missing, the tail serves until a build."""
        self.space = space
        self._database = database
        self._folder = folder
        self._sql = load_statements("imgd.index", "library")
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._tail = Tail(space.dimensions)
        self._tail_end = 0  # every vector up to this id is in the index or in the tail
        self._removed: set[int] = set()
        self._seen_seq = 0  # every removal up to this number is in the mask
        self._waiting = 0
        self._built = _Built()
        self._build_seq: int | None = None
        self.fault = ""
        self._load()

    @property
    def covered_seq(self) -> int:
        """Removals up to this number need no record in the library any more."""
        covered = self._built.change_seq if self._built.index is not None else self._seen_seq
        # An index that is being built looks up, when it is done, what was removed since it began.
        return covered if self._build_seq is None else min(covered, self._build_seq)

    @property
    def newest_id(self) -> int:
        """The newest vector that `catch_up` took in; ids only rise."""
        return self._tail_end

    @property
    def size(self) -> int:
        """Vectors that can be found now."""
        return self._built.count + len(self._tail) - len(self._removed)

    def status(self) -> SpaceStatus:
        built = self._built
        return SpaceStatus(
            self.space.name,
            built.kind,
            built.count,
            len(self._tail),
            len(self._removed),
            self._waiting,
            self.fault,
        )

    def catch_up(self) -> None:
        """Take in vectors and removals committed since the last time."""
        with self._lock, self._database.read() as library:
            newest = newest_change_seq(library)
            if newest == self._seen_seq and not self._waiting:
                return
            rows = library.execute(self._sql["removed_vectors"], {"space": self.space.id, "seen": self._seen_seq})
            gone = [int(row[0]) for row in rows]
            self._extend_tail(library)
            held = self._built.max_id if self._built.index is not None else 0
            self._removed.update(each for each in gone if each <= held or self._tail.contains(each))
            self._seen_seq = newest

    def search(self, query: npt.NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """The `k` vectors most similar to `query` (d,), as (vector id, inner product), best first."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: npt.NDArray[np.float32], k: int) -> list[list[tuple[int, float]]]:
        """As `search`, for each row of `queries` (n, d)."""
        self.catch_up()
        with self._lock:
            built, tail = self._built, self._tail
            removed = np.fromiter(self._removed, np.int64, len(self._removed))
        queries = np.ascontiguousarray(queries, np.float32)
        ids, similarities = tail.search(queries, k, removed)
        if built.count:
            # The setting is the calling thread's own, so it is made here and not once at the start.
            is_large = built.count * self.space.dimensions > _LARGE_VALUES
            faiss.omp_set_num_threads(_THREADS if is_large else 1)
            found = built.index.search(queries, min(k, built.count), params=_without(removed))
            ids, similarities = np.hstack([ids, found[1]]), np.hstack([similarities, found[0]])
        return [_best(*row, k) for row in zip(ids, similarities, strict=True)]

    def find(self, queries: npt.NDArray[np.float32], k: int, within: Ids | None = None) -> list[Matches]:
        """The `k` vectors most similar to each row of `queries` (n, d), by inner product.

        `within`: ids of photos, rising; only their vectors count. None: all do. Not for the event loop.
        """
        self.catch_up()
        if within is None:
            found = self.search_many(queries, k)
        else:
            place = {"photos": json.dumps(within.tolist()), "space": self.space.id}
            with self._database.read() as library:
                allowed = {row[0] for row in library.execute(self._sql["vectors_within"], place)}
            found = [
                [pair for pair in row if pair[0] in allowed][:k] for row in self.search_many(queries, self.size)
            ]
        return [self._matches(row) for row in found]

    def vectors_of(self, photo_id: int) -> npt.NDArray[np.float32]:
        """The vectors (n, d) of a whole photo, none of its regions'; n is 0 where it has none in this space."""
        place = {"photo": photo_id, "space": self.space.id}
        with self._database.read() as library:
            rows = library.execute(self._sql["vectors_of_photo"], place).fetchall()
        return self._float32([row[0] for row in rows])

    def _matches(self, found: list[tuple[int, float]]) -> Matches:
        with self._database.read() as library:
            rows = library.execute(self._sql["photos_of_vectors"], {"ids": json.dumps([i for i, _ in found])})
            photo_of = dict(rows.fetchall())
        kept = [(vector_id, photo_of[vector_id], value) for vector_id, value in found if vector_id in photo_of]
        return Matches(
            np.array([each[0] for each in kept], np.int64),
            np.array([each[1] for each in kept], np.int64),
            np.array([each[2] for each in kept], np.float32),
        )

    def sample(self, count: int) -> npt.NDArray[np.float32]:
        """About `count` vectors (n, d) spread evenly over the space's ids, or all when there are not more."""
        with self._database.read() as library:
            first, last = library.execute(self._sql["vector_range"], {"space": self.space.id}).fetchone()
            if first is None:
                return np.empty((0, self.space.dimensions), np.float32)
            at = np.unique(np.linspace(first, last, min(count, last - first + 1)).astype(np.int64))
            found = {}
            for position in at.tolist():
                row = library.execute(self._sql["vector_at"], {"space": self.space.id, "at": position}).fetchone()
                found[row[0]] = row[1]
        return self._float32(list(found.values()))

    def is_due(self, *, idle: bool) -> bool:
        """Whether a build pays: a fault, vectors that nothing finds yet, or tail and mask as a large share of the
        index or, when idle, not a small one."""
        if self.fault or self._waiting:
            return True
        changed = len(self._tail) + len(self._removed)
        least, share = (1_000, 0.02) if idle else (5_000, 0.1)
        return changed > max(least, share * self._built.count)

    def rebuild(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Build the index anew from the store, save it, and search it from then on.

        Raises:
            StoreError, DiskFullError: when it cannot be saved; the old one stays in use.
        """
        with self._building:
            try:
                self._build(stopped)
            finally:
                self._build_seq = None
        self.catch_up()

    def _build(self, stopped: Callable[[], bool]) -> None:
        with self._database.read() as library:
            self._build_seq = change_seq = newest_change_seq(library)
            place = {"space": self.space.id, "after": 0}
            count = library.execute(self._sql["count_vectors_after"], place).fetchone()[0]
        reader = _Reader(self, stopped)
        sample = self.sample(_TRAINING_SAMPLE) if count > faiss_file.EXACT_UP_TO else self._float32([])
        faiss.omp_set_num_threads(_THREADS)
        kind, index = faiss_file.build(count, self.space.dimensions, sample, iter(reader))
        if stopped():
            return
        manifest = faiss_file.save(
            self._folder, self.space.name, kind, index, max_id=reader.max_id, change_seq=change_seq
        )
        # Mapped from the file, it takes no memory of its own.
        loaded = faiss_file.load(self._folder, self.space.name, self.space.dimensions)
        self._take(manifest, index if loaded is None else loaded[1])

    def _take(self, manifest: Manifest, index: Any) -> None:
        with self._lock:
            self._built = _Built(manifest.kind, index, manifest.count, manifest.max_id, manifest.change_seq)
            self._tail = self._tail.without_up_to(manifest.max_id)
            self._tail_end = max(self._tail_end, manifest.max_id)
            # Removals since the build began are looked up again; older ones are not in the new index.
            self._removed = {each for each in self._removed if self._tail.contains(each)}
            self._seen_seq = manifest.change_seq
            self.fault = ""

    def _load(self) -> None:
        try:
            saved = faiss_file.load(self._folder, self.space.name, self.space.dimensions)
            if saved is not None and self._is_of_another_library(saved[0]):
                raise ValueError("it is newer than the library")
        except ValueError as error:
            faiss_file.discard(self._folder, self.space.name)
            self.fault = f"the saved index of {self.space.name} cannot be used and is built anew: {error}"
            return
        if saved is not None:
            self._take(*saved)

    def _is_of_another_library(self, manifest: Manifest) -> bool:
        with self._database.read() as library:
            return manifest.change_seq > newest_change_seq(library)

    def _extend_tail(self, library: Any) -> None:
        place = {"space": self.space.id, "after": self._tail_end}
        while len(self._tail) < TAIL_LIMIT:
            rows = library.execute(self._sql["vectors_after"], place | {"limit": _CHUNK}).fetchall()
            if not rows:
                self._waiting = 0
                return
            self._tail.append([row[0] for row in rows], [row[1] for row in rows])
            self._tail_end = place["after"] = rows[-1][0]
        self._waiting = library.execute(self._sql["count_vectors_after"], place).fetchone()[0]

    def _float32(self, data: list[bytes]) -> npt.NDArray[np.float32]:
        values = np.frombuffer(b"".join(data), np.float16).reshape(len(data), self.space.dimensions)
        return values.astype(np.float32)


class _Reader:
    """All vectors of a space out of the store, by key range, so that no read transaction stays open."""

    def __init__(self, index: SpaceIndex, stopped: Callable[[], bool]) -> None:
        self._index = index
        self._stopped = stopped
        self.max_id = 0

    def __iter__(self) -> Iterator[Chunk]:
        index = self._index
        while not self._stopped():
            place = {"space": index.space.id, "after": self.max_id, "limit": _CHUNK}
            with index._database.read() as library:
                rows = library.execute(index._sql["vectors_after"], place).fetchall()
            if not rows:
                return
            self.max_id = rows[-1][0]
            yield np.array([row[0] for row in rows], np.int64), index._float32([row[1] for row in rows])


def _without(removed: npt.NDArray[np.int64]) -> Any:
    if not len(removed):
        return None
    return faiss.SearchParameters(sel=faiss.IDSelectorNot(faiss.IDSelectorBatch(removed)))  # type: ignore[call-arg]


def _best(ids: npt.NDArray[np.int64], similarities: npt.NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    order = np.lexsort((ids, -similarities))[:k]
    # FAISS fills up with id -1 where fewer than k are left after the mask.
    return [(int(ids[at]), float(similarities[at])) for at in order if ids[at] >= 0]
