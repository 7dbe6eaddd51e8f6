"""How many photos a lane gives its analyzers at once: by the memory of its device, and by what did not fit."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Collection
from pathlib import Path
from typing import Any

from imgd.analyzer import Analyzer
from imgd.pipeline.devices import available_bytes, budget_bytes, free_bytes, release_cached
from imgd.pipeline.hosted import DeviceFaultError

log = logging.getLogger(__name__)

_MB = 1 << 20
_STEP = 8
"""Batches of a multiple of so many photos suit the tiles in which GPUs compute."""
_STATM = Path("/proc/self/statm")
_UNTOUCHED_BYTES = 1 << 30
_UNTOUCHED_BYTES_A_CORE = 64 << 20
"""What libraries reserve and never touch, stacks of threads above all; it counts against RLIMIT_DATA."""


class Allotment:
    """How many photos one call of one analyzer may have."""

    def __init__(self, analyzer: Analyzer[Any], device: str) -> None:
        self._analyzer = analyzer
        self._device = device
        self._at_first = available_bytes(device)
        self.size = analyzer.batch_size
        self.worked = False
        """Whether this process has analyzed a photo with it."""

    @property
    def begins_ahead(self) -> bool:
        """Whether a lane gains by beginning the next batch before it finishes the last one."""
        return type(self._analyzer).begin is not Analyzer.begin

    def fit(self, room_bytes: float) -> None:
        """Take no more photos than `room_bytes` hold."""
        photo_bytes = self._analyzer.photo_mb * _MB * (2 if self.begins_ahead else 1)
        if photo_bytes > 0:
            fitting = int(room_bytes / photo_bytes)
            fitting -= fitting % _STEP if fitting > _STEP else 0
            self.size = max(1, min(self.size, fitting))

    def halve(self, count: int) -> None:
        """A batch of `count` photos, two or more, did not fit: from now on none is larger than half of it."""
        self.size = max(1, min(self.size, count // 2))
        release_cached()
        log.warning(
            "%s: %d photos at once did not fit on %s; from now on %d",
            self._analyzer.name,
            count,
            self._device,
            self.size,
        )

    def refuse(self) -> tuple[str, bool]:
        """A photo by itself did not fit: why it has no finding, and whether that may pass by itself.

        Raises:
            DeviceFaultError: others did fit, so that this process has lost memory, and a fresh one is better.
        """
        release_cached()
        available = available_bytes(self._device)
        if available is not None and self._at_first is not None and available < self._at_first / 2:
            return f"other programs hold the memory of {self._device}", True
        if self.worked:
            raise DeviceFaultError("ran out of memory")
        return f"not enough memory for this photo on {self._device} (`lanes.memory_mb`)", False


class LaneMemory:
    """What a lane may take of its device. Made before the analyzers are loaded, to know what they took."""

    def __init__(self, device: str, limit_mb: int) -> None:
        self._device = device
        self._limit_mb = limit_mb
        self._budget = budget_bytes(device, limit_mb)
        self._free = free_bytes(device)
        self._resident = _resident_bytes()

    def bound(self) -> None:
        """See to it that the lane, and nobody else, suffers from what its analyzers take too much."""
        try:
            Path("/proc/self/oom_score_adj").write_text("500")  # if the kernel has to kill, then the lane
        except OSError:
            log.debug("the kernel does not take an oom_score_adj")
        if self._device == "cpu" and self._budget is not None:
            untouched = _UNTOUCHED_BYTES + _UNTOUCHED_BYTES_A_CORE * (os.cpu_count() or 1)
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            limit = _data_bytes() + self._budget + untouched
            if hard == resource.RLIM_INFINITY or limit < hard:
                resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))

    def room_bytes(self, analyzers: Collection[Analyzer[Any]]) -> float | None:
        """What the loaded `analyzers` leave for photos: they count as what they declare, or as what they took
        where that is more. None where nobody knows."""
        declared = sum(each.memory_mb for each in analyzers) * _MB
        if self._device == "cpu":
            took = _resident_bytes() - self._resident
            return None if self._budget is None else self._budget - max(declared, took)
        left = budget_bytes(self._device, 0)
        if self._budget is None or left is None:
            return left
        free = free_bytes(self._device)
        took = self._free - free if self._free is not None and free is not None else 0
        return min(left, self._budget - max(declared, took))

    def allot(self, analyzers: dict[str, Analyzer[Any]]) -> tuple[dict[str, Allotment], int]:
        """How many photos each of the loaded `analyzers` may have, and the MB that there are for photos, or -1.

        Those that declare `photo_mb` share the room equally: libraries keep what a batch took for the next one.
        """
        allotted = {name: Allotment(each, self._device) for name, each in analyzers.items()}
        room = self.room_bytes(analyzers.values())
        if room is None:
            return allotted, -1
        sharing = sum(each.photo_mb > 0 for each in analyzers.values())
        for each in allotted.values():
            each.fit(room / max(1, sharing))
        return allotted, max(0, int(room / _MB))


def _resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()


def _data_bytes() -> int:
    return int(_STATM.read_text().split()[5]) * resource.getpagesize()
