"""Whether imgd has nothing else to do, for the analyzers that wait for that (`run = "idle"`)."""

from __future__ import annotations

import time
from collections.abc import Callable


class Idleness:
    """Knows since when nobody has wanted anything. One for the daemon: pipelines come and go."""

    def __init__(self, after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`after_s`: how long nothing may have happened until imgd counts as idle."""
        self._after_s = after_s
        self._clock = clock
        self._disturbed_at = clock()

    def disturb(self) -> None:
        """Somebody searches, or photos are analyzed that do not wait."""
        self._disturbed_at = self._clock()

    @property
    def left_s(self) -> float:
        """How long it takes until imgd is idle, where nothing else happens; 0 when it is."""
        return max(0.0, self._disturbed_at + self._after_s - self._clock())
