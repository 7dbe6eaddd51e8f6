"""One photo between its claim and its last commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imgd.domain import DecodeReport, StoredFinding
from imgd.pipeline.messages import Level
from imgd.pipeline.plan import Plan


@dataclass(slots=True)
class Flight:
    """One photo on its way. `slot`: where its pixels lie in shared memory, -1 for nowhere."""

    plan: Plan
    slot: int = -1
    report: DecodeReport | None = None
    route: str = ""
    reported: bool = False
    findings: dict[str, StoredFinding] = field(default_factory=dict)
    uncommitted: set[str] = field(default_factory=set)  # analyzers
    levels: Mapping[int, Level] = field(default_factory=dict)  # by edge
    no_pixels: str = ""  # why there are none
    to_lanes: list[str] = field(default_factory=list)  # analyzers that wait for what others find
    in_lanes: set[str] = field(default_factory=set)
    put_off: set[str] = field(default_factory=set)
    look_again: bool = False  # more of it may have come to be owed since it was claimed
    at_worker: bool = False
    left_out: set[str] = field(default_factory=set)  # inline analyzers of which a worker died

    @property
    def is_out(self) -> bool:
        """Whether a worker or a lane has something to find yet."""
        return bool(self.at_worker or self.in_lanes or self.to_lanes)

    @property
    def attempts(self) -> int:
        """How often its jobs were postponed before."""
        return max((job.attempts for job in self.plan.photo.jobs), default=0)
