"""How long workers and lanes take for a photo: measured as they work, and stored with what they found."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from imgd.pipeline.messages import PhotoResult, PhotoStatus
from imgd.store.costs import DECODE_FILE, DECODE_HEADER, DECODE_PREVIEW, Measured

CACHED_PREVIEW = "cached preview"
"""The route of a photo whose pixels came from its cached preview."""


class CostMeter:
    """Adds up what was measured until somebody takes it to store it; from the event loop and the write thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str], tuple[int, float]] = {}

    def add(self, task: str, device: str, photos: int, seconds: float) -> None:
        """`photos` took one worker, or the lane of `device`, `seconds` together."""
        with self._lock:
            before = self._sums.get((task, device), (0, 0.0))
            self._sums[task, device] = before[0] + photos, before[1] + seconds

    def photo_worked(self, result: PhotoResult) -> None:
        """A worker has done a photo."""
        if result.status is PhotoStatus.DONE:
            decoding = {CACHED_PREVIEW: DECODE_PREVIEW, "metadata": DECODE_HEADER}.get(result.route, DECODE_FILE)
            for name, seconds in result.spent_s.items():
                self.add(name or decoding, "", 1, seconds)

    def take(self) -> list[Measured]:
        """What was added since the last time."""
        with self._lock:
            sums, self._sums = self._sums, {}
        return [Measured(task, device, photos, seconds) for (task, device), (photos, seconds) in sums.items()]


class BatchClock:
    """How long each batch of a lane occupied it: batches are done one after the other, in the order of sending."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent_at: deque[float] = deque()
        self._free_at = 0.0

    def sent(self) -> None:
        self._sent_at.append(self._clock())

    def done(self) -> float:
        """The seconds that the oldest batch took, without the wait for those before it."""
        now = self._clock()
        took_s = now - max(self._sent_at.popleft(), self._free_at)
        self._free_at = now
        return took_s

    def forget(self) -> None:
        """The batches that were sent come back no more."""
        self._sent_at.clear()
