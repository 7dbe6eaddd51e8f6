"""Whom the pipeline tells what it did."""

from __future__ import annotations

from typing import Protocol

from imgd.store.findings import Committed


class PipelineListener(Protocol):
    """Whoever wants to know what the pipeline did; called in the event loop."""

    def findings_committed(self, committed: Committed) -> None: ...

    def file_changed(self, path: bytes) -> None:
        """The file at `path` is not as registered, or not there."""

    def analyzer_broke(self, name: str, reason: str) -> None: ...

    def part_failed(self, name: str, error: BaseException) -> None:
        """imgd's own code raised: the daemon cannot go on like this."""
