"""What is told of a root that is watched."""

from __future__ import annotations

from dataclasses import dataclass

from imgd.domain import RootState
from imgd.watch.scan import Fault


@dataclass(frozen=True, slots=True)
class RootStatus:
    """How a root is, at one moment. `scanned_at`: when the last full scan ended, in seconds since the epoch."""

    path: bytes
    state: RootState
    reason: str
    scanning: bool
    files_seen: int
    scanned_at: float | None
    faults: tuple[Fault, ...]
