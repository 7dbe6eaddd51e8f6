"""One photo between its claim and its last commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imgd.analyzers.preview import Preview
from imgd.domain import DecodeReport, Outcome, SameFile, StoredFinding
from imgd.pipeline.messages import Level, PhotoResult
from imgd.pipeline.plan import Plan
from imgd.pipeline.twins import Takeover


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
    takeovers: tuple[Takeover, ...] = ()
    same: SameFile | None = None  # what it was found to be a copy of
    copied: frozenset[str] = frozenset()  # analyzers whose findings of that it takes over

    @property
    def is_out(self) -> bool:
        """Whether a worker or a lane has something to find yet."""
        return bool(self.at_worker or self.in_lanes or self.to_lanes)

    def take_over(self, result: PhotoResult, ids: Mapping[str, int]) -> list[Outcome]:
        """What it takes over where it is a copy. `ids`: of the analyzers that run, by name."""
        takeover = next((each for each in self.takeovers if each.twin.photo_id == result.twin), None)
        if takeover is None:
            return []
        photo, twin = self.plan.photo, takeover.twin
        self.same = SameFile(twin.photo_id, twin.revision, result.content_hash)
        self.copied = takeover.copied - self.left_out - (set() if result.copied_preview else {Preview.name})
        self.findings.update(takeover.prior)
        names = sorted(self.copied & ids.keys())
        self.uncommitted.update(names)
        return [
            Outcome(photo.photo_id, ids[name], photo.revision, of_file_alone=True, same=self.same)
            for name in names
        ]

    @property
    def attempts(self) -> int:
        """How often its jobs were postponed before."""
        return max((job.attempts for job in self.plan.photo.jobs), default=0)
