"""Scans of one root into the store, a batch at a time, so that events get their turn in between."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from imgd.domain import Priority, SeenFile
from imgd.watch.filters import Filter
from imgd.watch.registrar import Registrar
from imgd.watch.scan import Fault, Scan, ScanBatch
from imgd.watch.settle import Settling


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A scan that came to its end, and what was wrong. `start`: b"" where it was one of the whole root."""

    start: bytes
    faults: tuple[Fault, ...]


class Reconciler:
    """Plans scans and runs them. One thread uses it.

    `is_there`: whether the root can still be reached. It is asked before anything is taken for missing, because
    a disk that is unplugged in the middle of a scan looks like one without photos.
    """

    def __init__(
        self,
        registrar: Registrar,
        filter_: Filter,
        settling: Settling,
        *,
        settle_s: float,
        follow_symlinks: bool,
        is_there: Callable[[], bool],
    ) -> None:
        self._registrar = registrar
        self._filter = filter_
        self._settling = settling
        self._settle_s = settle_s
        self._follow = follow_symlinks
        self._is_there = is_there
        self._planned: list[bytes] = []
        self._scan: Scan | None = None
        self._start = b""
        self._begun_at = 0.0
        self._batches: Iterator[ScanBatch] = iter(())
        # Of folders that are not finished: a large one takes several batches.
        self._sidecars: dict[bytes, list[SeenFile]] = defaultdict(list)
        self._unsettled: Counter[bytes] = Counter()
        self._faults: list[Fault] = []

    @property
    def active(self) -> bool:
        """Whether a scan is planned or under way."""
        return self._scan is not None or bool(self._planned)

    @property
    def files_seen(self) -> int | None:
        """How many photos the scan under way has seen; None where there is none."""
        scan = self._scan
        return None if scan is None else scan.files_seen

    @property
    def is_starting(self) -> bool:
        """Whether the next step begins a scan."""
        return self._scan is None and bool(self._planned)

    def plan(self, start: bytes) -> None:
        """Scan at and below `start` soon; a scan of all the root stands for every other."""
        if not start:
            self._planned = [b""]
        elif b"" not in self._planned and start not in self._planned:
            self._planned.append(start)

    def clear(self) -> None:
        """Give up what is under way and planned."""
        self._planned.clear()
        self._scan = None

    def step(self) -> Reconciled | None:
        """Register one batch; returns the scan that ended with it."""
        if self._scan is None:
            if not self._planned:
                return None
            self._begin(Scan(self._filter, start=self._planned.pop(0), follow_symlinks=self._follow))
        batch = next(self._batches, None)
        if batch is not None:
            self._register(batch)
            return None
        start, self._scan = self._start, None
        if not self._is_there():
            return None
        self._faults += self._registrar.check_tree(start)
        self._registrar.reunite(self._begun_at)
        return Reconciled(start, tuple(self._faults))

    def _begin(self, scan: Scan) -> None:
        self._scan = scan
        self._start = scan.start
        self._begun_at = time.time()
        self._batches = scan.run()
        self._sidecars.clear()
        self._unsettled.clear()
        self._faults.clear()

    def _register(self, batch: ScanBatch) -> None:
        for file in batch.sidecars:
            self._sidecars[file.folder].append(file)
        unsettled = self._registrar.register(
            batch.photos, Priority.SCAN, self._settle_s, self._sidecars, whole=batch.whole
        )
        for file in unsettled:
            self._settling.touch((file.folder, file.name))
            self._unsettled[file.folder] += 1
        self._faults += batch.faults
        expected = {folder: count - self._unsettled.pop(folder, 0) for folder, count in batch.finished.items()}
        if self._is_there():
            self._faults += self._registrar.check_folders(expected)
            sidecars = {folder: self._sidecars.pop(folder, []) for folder in batch.finished}
            self._registrar.sync_sidecars(sidecars, Priority.SCAN)
