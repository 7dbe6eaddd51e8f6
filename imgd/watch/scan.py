"""A streaming walk of a root: batches of files with their stats, and what could not be read."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat as stats
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from imgd.domain import SeenFile
from imgd.watch.filters import FileKind, Filter

BATCH_FILES = 5000
"""A batch ends with the folder that brings it to so many files, or at twice as many within a folder. A handful of
statements registers them at once, and a folder that is not cut is compared with its rows in one go."""

BATCH_S = 0.5
"""A batch ends after this time too: on a slow disk events would wait long for their turn."""


_CHUNK_ENTRIES = 512


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of a root that is not seen as it should be, and why; shown until a scan finds it well."""

    path: bytes
    reason: str


@dataclass(slots=True)
class ScanBatch:
    """`finished`: folders that were read to their end, with how many photos each has in all. `whole`: those of
    them that have photos, all of them in this batch."""

    photos: list[SeenFile] = field(default_factory=list)
    sidecars: list[SeenFile] = field(default_factory=list)
    finished: dict[bytes, int] = field(default_factory=dict)
    whole: set[bytes] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    deadline: float = field(default_factory=lambda: time.monotonic() + BATCH_S)

    def is_over(self, limit: int) -> bool:
        """Whether it has `limit` files, or took too long."""
        return len(self.photos) + len(self.sidecars) >= limit or time.monotonic() > self.deadline


def see_file(root: bytes, folder: bytes, name: bytes, *, follow_symlinks: bool) -> SeenFile | None:
    """The file as it is now, or None where there is no regular file.

    Raises:
        OSError: when that cannot be told (an unreadable folder, a disk that fails).
    """
    try:
        stat = os.stat(os.path.join(root, folder, name), follow_symlinks=follow_symlinks)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return SeenFile.of(folder, name, stat) if stats.S_ISREG(stat.st_mode) else None


class Scan:
    """One walk, from `start` (relative to the root) down. Iterative, with one folder open at a time."""

    def __init__(self, filter_: Filter, *, start: bytes = b"", follow_symlinks: bool = False) -> None:
        self.start = start
        self.files_seen = 0
        self._filter = filter_
        self._follow = follow_symlinks
        self._entered: set[tuple[int, int]] = set()

    def run(self) -> Iterator[ScanBatch]:
        """Batches, until all is seen. The last one may be empty."""
        batch = ScanBatch()
        waiting = [self.start] if self._filter.reaches(self.start) else []
        while waiting:
            if batch.is_over(BATCH_FILES):
                yield batch
                batch = ScanBatch()
            folder, begun_in = waiting.pop(), batch
            count = 0
            below: list[bytes] = []
            try:
                with self._open(folder) as (entries, descriptor):
                    if reason := self._filter.ignores.load(self._filter.root, folder):
                        batch.faults.append(Fault(folder, reason))
                    while chunk := list(itertools.islice(entries, _CHUNK_ENTRIES)):
                        count += self._take(batch, folder, descriptor, chunk, below)
                        if batch.is_over(2 * BATCH_FILES):
                            yield batch
                            batch = ScanBatch()
                batch.finished[folder] = count
                if count and batch is begun_in:
                    batch.whole.add(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                batch.faults.append(Fault(folder, error.strerror or str(error)))
            waiting.extend(path for path in reversed(below) if self._filter.enters(path))
        yield batch

    @contextlib.contextmanager
    def _open(self, folder: bytes) -> Iterator[tuple[Iterator[os.DirEntry[bytes]], int]]:
        """The entries of `folder`, and its descriptor."""
        path = os.path.join(self._filter.root, folder) if folder else self._filter.root
        if self._follow:
            # A link to a parent would be walked for ever, and a link to a sibling would show it twice.
            stat = os.stat(path)
            if (stat.st_dev, stat.st_ino) in self._entered:
                yield iter(()), -1
                return
            self._entered.add((stat.st_dev, stat.st_ino))
        with os.scandir(path) as entries:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield entries, descriptor
            finally:
                os.close(descriptor)

    def _take(
        self, batch: ScanBatch, folder: bytes, descriptor: int, chunk: list[os.DirEntry[bytes]], below: list[bytes]
    ) -> int:
        """Add the files that count to `batch`, and the folders to `below`; returns how many are photos."""
        follow, kind_of = self._follow, self._filter.kind
        photo, photos, sidecars = FileKind.PHOTO, batch.photos, batch.sidecars
        before = len(photos)
        for entry in chunk:
            name = entry.name
            kind = kind_of(folder, name)
            if kind is not None and entry.is_file(follow_symlinks=follow):
                try:
                    # By the folder's descriptor, for entry.stat() would go the whole path from `/` for each file.
                    stat = os.stat(name, dir_fd=descriptor, follow_symlinks=follow)
                    file = SeenFile.of(folder, name, stat)
                except FileNotFoundError:
                    continue
                (photos if kind is photo else sidecars).append(file)
            elif entry.is_dir(follow_symlinks=follow):
                below.append(_join(folder, name))
        count = len(photos) - before
        self.files_seen += count
        return count


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
