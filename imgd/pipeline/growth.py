"""How much a worker or a lane has grown since it was ready, and which analyzer's doing that is."""

from __future__ import annotations

import contextlib
import os
import resource
from collections import Counter
from collections.abc import Iterator

_MB = 1 << 20


class Growth:
    """Address space that came on since this was made: what RLIMIT_AS counts, and never comes back of a leak.

    Growth to `limit_bytes` is too much: what is left of a worker's memory might not do for the next photo.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page_bytes = resource.getpagesize()
        self._at_first = self._mapped_bytes()
        self._by_analyzer: Counter[str] = Counter()

    @contextlib.contextmanager
    def during(self, analyzer: str) -> Iterator[None]:
        """Charge `analyzer` with what comes on meanwhile."""
        before = self._mapped_bytes()
        try:
            yield
        finally:
            self._by_analyzer[analyzer] += self._mapped_bytes() - before

    @property
    def is_too_much(self) -> bool:
        return self._mapped_bytes() - self._at_first > self._limit_bytes

    @property
    def culprit(self) -> str:
        """The analyzer that more than half of it is due to; "" where it is no single one's doing."""
        grown = self._mapped_bytes() - self._at_first
        for name, bytes_ in self._by_analyzer.most_common(1):
            if bytes_ > grown / 2:
                return name
        return ""

    @property
    def sentence(self) -> str:
        """What people are told of the culprit."""
        grown_mb = (self._mapped_bytes() - self._at_first) / _MB
        return f"it leaks: its process grew by {grown_mb:.0f} MB and was replaced"

    def _mapped_bytes(self) -> int:
        return int(os.pread(self._statm, 64, 0).split(b" ", 1)[0]) * self._page_bytes
