"""How fast each analyzer goes now: findings a second over the last minute."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

WINDOW_S = 60.0


class RateMeter:
    """Counts per analyzer in a sliding window; bounded by the number of commits in it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: deque[tuple[float, Counter[str]]] = deque()
        self._totals: Counter[str] = Counter()

    def count(self, analyzers: Iterable[str]) -> None:
        counts = Counter(analyzers)
        self._counts.append((self._clock(), counts))
        self._totals += counts
        self._forget()

    def per_second(self, analyzer: str) -> float:
        """Findings a second of `analyzer`; 0 when there were none in the window."""
        self._forget()
        if not self._counts:
            return 0.0
        span_s = max(1.0, self._clock() - self._counts[0][0])
        return self._totals[analyzer] / span_s

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW_S
        while self._counts and self._counts[0][0] < oldest:
            self._totals -= self._counts.popleft()[1]
