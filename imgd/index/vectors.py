"""The vector index of one space: a built index, an exact tail of what is newer, a mask over what was removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imgd.index import faiss_file
from imgd.index.build import Builder, BuildRequest, build_apart
from imgd.index.built import BuiltIndex, Narrowness
from imgd.index.faiss_file import Manifest
from imgd.index.matches import Floats, Ids, Matches
from imgd.index.shapes import Limits
from imgd.index.stored import Space, StoredVectors
from imgd.index.tail import Tail
from imgd.store.changes import library_identity, newest_change_seq
from imgd.store.database import Database

TAIL_LIMIT = 32_768
"""Vectors the tail may hold (of 512 dimensions, 32 MiB); more than that wait for the next build of the index."""

_CHUNK = 8192


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
class IndexOptions:
    """How indexes are made and searched; the defaults are for people, others for tests."""

    limits: Limits = field(default_factory=Limits)
    narrowness: Narrowness = field(default_factory=Narrowness)
    build: Builder = build_apart


class SpaceIndex:
    """Similarities of a query to all vectors of one space, as of the newest commit.

    Thread-safe: searches go on over the old index while `rebuild` makes the next one.
    """

    def __init__(
        self, database: Database, folder: Path, space: Space, options: IndexOptions | None = None
    ) -> None:
        """Load what was saved in `folder`; where that is torn or missing, the tail serves until a build."""
        self.space = space
        self._database = database
        self._folder = folder
        self._options = options or IndexOptions()
        self._stored = StoredVectors(database.read, space)
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._tail = Tail()
        self._tail_end = 0  # every vector up to this id is in the index or in the tail
        self._seen_seq = 0  # every removal up to this number is in the mask
        self._waiting = 0
        self._manifest: Manifest | None = None
        self._built: BuiltIndex | None = None
        self._build_seq: int | None = None
        self._is_checked = True
        self.fault = ""
        self._load()

    @property
    def covered_seq(self) -> int:
        """Removals up to this number need no record in the library any more."""
        covered = self._manifest.change_seq if self._manifest is not None else self._seen_seq
        # An index that is being built looks up, when it is done, what was removed since it began.
        return covered if self._build_seq is None else min(covered, self._build_seq)

    @property
    def newest_id(self) -> int:
        """The newest vector that `catch_up` took in; ids only rise."""
        return self._tail_end

    @property
    def size(self) -> int:
        """Vectors that can be found now."""
        return self._indexed + len(self._tail) - self._removed

    @property
    def _indexed(self) -> int:
        return len(self._built.positions) if self._built is not None else 0

    @property
    def _removed(self) -> int:
        return self._tail.removed + (self._built.positions.removed if self._built is not None else 0)

    def status(self) -> SpaceStatus:
        kind = self._built.kind.value if self._built is not None else ""
        return SpaceStatus(
            self.space.name, kind, self._indexed, len(self._tail), self._removed, self._waiting, self.fault
        )

    def catch_up(self) -> None:
        """Take in vectors and removals committed since the last time."""
        self._caught_up()

    def find(self, queries: Floats, k: int, within: Ids | None = None) -> list[Matches]:
        """The `k` vectors most similar to each row of `queries` (n, d), by inner product.

        `within`: ids of photos, rising; only their vectors count. None: all do. Not for the event loop.
        """
        built, tail = self._caught_up()
        queries = np.ascontiguousarray(queries, np.float32)
        found = tail.search(queries, k, within)
        if built is not None:
            held = built.search(queries, k, within)
            found = [Matches.united(*each, k) for each in zip(held, found, strict=True)]
        return found

    def sample(self, count: int) -> Floats:
        """About `count` vectors (n, d) spread evenly over the space's ids, or all when there are not more."""
        return self._stored.sample(count)

    def is_due(self, *, idle: bool) -> bool:
        """Whether a build pays: a fault, vectors that nothing finds yet, or tail and mask as a large share of the
        index or, when idle, not a small one."""
        if self.fault or self._waiting:
            return True
        changed = len(self._tail) + self._removed
        least, share = (1_000, 0.02) if idle else (5_000, 0.1)
        return changed > max(least, share * self._indexed)

    def rebuild(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Have the index built anew from the store, and search it from then on.

        Raises:
            StoreError, DiskFullError: when no index could be built; the old one stays in use.
        """
        with self._building:
            try:
                with self._database.read() as library:
                    self._build_seq, identity = newest_change_seq(library), library_identity(library)
                places = str(self._database.path), str(self._folder)
                request = BuildRequest(*places, self.space, self._build_seq, identity, self._options.limits)
                self._options.build(request, stopped)
                if not stopped():
                    self._load(checked=True)
            finally:
                self._build_seq = None
        self.catch_up()

    @property
    def checked(self) -> bool:
        """Whether all of the index was read since it was loaded, and not only glanced at."""
        return self._is_checked

    def check(self) -> None:
        """Read all of an index file that was only glanced at when it was loaded; a flaw becomes a fault."""
        manifest = self._manifest
        if self._is_checked or manifest is None:
            return
        if name := faiss_file.flawed(self._folder, manifest):
            self.fault = f"{name} is not what was written, and is built anew"
        self._is_checked = True

    def discard(self) -> None:
        """Remove the saved index: the space serves no more."""
        with self._building:
            faiss_file.discard(self._folder, self.space.name)

    def _load(self, *, checked: bool = False) -> None:
        try:
            saved = faiss_file.load(self._folder, self.space.name, self.space.dimensions)
            if saved is not None and self._is_of_another_library(saved[0]):
                raise ValueError("it is of another library, or of a newer state of this one")
        except ValueError as error:
            faiss_file.discard(self._folder, self.space.name)
            self.fault = f"the saved index of {self.space.name} cannot be used and is built anew: {error}"
            return
        if saved is None:
            return
        manifest, layers, positions = saved
        built = BuiltIndex(
            manifest.kind,
            layers,
            positions,
            manifest.breadth,
            stored=self._stored,
            narrowness=self._options.narrowness,
        )
        with self._lock:
            self._manifest, self._built = manifest, built
            self._tail = self._tail.without_up_to(manifest.max_id)
            self._tail_end = max(self._tail_end, manifest.max_id)
            # Removals since the build began are looked up again; older ones are not in the new index.
            self._seen_seq = manifest.change_seq
            self._is_checked = checked
            self.fault = ""

    def _caught_up(self) -> tuple[BuiltIndex | None, Tail]:
        """The index and the tail, as of the newest commit."""
        with self._lock:
            with self._database.read() as library:
                newest = newest_change_seq(library)
            # Of vectors that wait for a full tail nothing is new: to count them all would hold up every search.
            if newest != self._seen_seq or (self._waiting and len(self._tail) < TAIL_LIMIT):
                gone = self._stored.removed_since(self._seen_seq)
                self._extend_tail()
                if len(gone):
                    self._tail.remove(gone)
                    if self._built is not None:
                        self._built.positions.remove(gone)
                self._seen_seq = newest
            return self._built, self._tail

    def _is_of_another_library(self, manifest: Manifest) -> bool:
        with self._database.read() as library:
            is_newer = manifest.change_seq > newest_change_seq(library)
            return is_newer or manifest.library != library_identity(library)

    def _extend_tail(self) -> None:
        while len(self._tail) < TAIL_LIMIT:
            rows = self._stored.after(self._tail_end, _CHUNK)
            if not len(rows.vector_ids):
                self._waiting = 0
                return
            self._tail.append(rows)
            self._tail_end = int(rows.vector_ids[-1])
        self._waiting = self._stored.count_after(self._tail_end)
