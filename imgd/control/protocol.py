"""What travels over the control socket: requests and answers as frozen dataclasses, JSON on the wire.

Times are seconds since 1970 (UTC). A file name is bytes and JSON is text: `path` shows bytes that are not
UTF-8 as `\\xNN`, and `path_base64` then holds the exact bytes (it is empty where `path` is exact).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from imgd.domain import FactValue


@dataclass(frozen=True, slots=True)
class Problem:
    """The body of every answer that is not a success. `error` is the name of an imgd error class."""

    error: str
    message: str
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RootStatus:
    """A root as it is now. `state` is `online` or `offline`, `reason` says why it is not online."""

    path: str
    state: str
    photos: int
    missing: int = 0
    reason: str = ""
    scanning: bool = False


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The jobs of one analyzer.

    `state`: `ready`, `waiting for model`, `broken` or `off`; `advice` says what to do about the last three.
    `rate_per_s`: photos a second over the last half minute; `eta_s` is None where it cannot be told.
    """

    analyzer: str
    state: str
    owed: int
    failed: int
    done: int
    rate_per_s: float = 0.0
    eta_s: float | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One index: `text`, or the name of a vector space. `dirty`: changes it does not cover yet;
    `staleness_s`: how long the oldest of them has waited."""

    name: str
    clean: bool
    dirty: int = 0
    staleness_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something a person should know or do, in plain words."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process of the daemon. `pss_bytes` is its share of memory, with shared pages divided."""

    name: str
    pid: int
    pss_bytes: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """`imgctl status`. `state`: `starting`, `running`, `paused` or `stopping`."""

    version: str
    pid: int
    uptime_s: float
    state: str
    photos: int
    missing: int = 0
    roots: tuple[RootStatus, ...] = ()
    queue: tuple[QueueStatus, ...] = ()
    indexes: tuple[IndexStatus, ...] = ()
    faults: tuple[Fault, ...] = ()
    processes: tuple[ProcessStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo that was found. `why`: the reasons in plain words, best first."""

    photo_id: int
    path: str
    score: float
    why: str
    path_base64: str = ""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first. `notes`: what a person should know of this answer (an index still being built, say)."""

    query: str
    hits: tuple[Hit, ...]
    took_ms: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SidecarAnswer:
    name: str
    size_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class TagAnswer:
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class TextAnswer:
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class RegionAnswer:
    """`box`: left, top, width, height, as fractions of the upright photo."""

    kind: str
    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class VectorAnswer:
    """A vector without its values. `region`: the position of the region it describes, None for the photo."""

    space: str
    dimensions: int
    region: int | None = None


@dataclass(frozen=True, slots=True)
class FindingAnswer:
    """What one analyzer said, and when. A finding is `stale` when the photo or the analyzer changed since;
    it serves until the new one is committed. `version` is empty where an earlier version said it."""

    analyzer: str
    version: str
    generation: int
    revision: int
    analyzed_at: float
    stale: bool
    facts: dict[str, FactValue] = field(default_factory=dict)
    tags: tuple[TagAnswer, ...] = ()
    texts: tuple[TextAnswer, ...] = ()
    regions: tuple[RegionAnswer, ...] = ()
    vectors: tuple[VectorAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A finding that is still owed, or that failed (`reason`). `not_before`: when it is tried again, or None."""

    analyzer: str
    state: str
    attempts: int
    reason: str = ""
    not_before: float | None = None


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """Everything known of one photo, with provenance. `metadata` holds only what is known."""

    photo_id: int
    path: str
    root: str
    state: str
    size_bytes: int
    modified_at: float
    added_at: float
    revision: int
    path_base64: str = ""
    missing_since: float | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    route: str | None = None
    damage: str = ""
    fingerprint: str | None = None
    content_hash: str | None = None
    metadata: dict[str, str | int | float] = field(default_factory=dict)
    sidecars: tuple[SidecarAnswer, ...] = ()
    findings: tuple[FindingAnswer, ...] = ()
    jobs: tuple[JobAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedJob:
    """One job that failed, with the reason."""

    photo_id: int
    path: str
    analyzer: str
    reason: str
    attempts: int
    path_base64: str = ""


@dataclass(frozen=True, slots=True)
class FailedAnswer:
    """A page of failed jobs. `after`: ask with it for the next page; empty on the last one."""

    failed: tuple[FailedJob, ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class AnalyzerAnswer:
    """One analyzer as its plugin declares it, and its state (as in QueueStatus)."""

    name: str
    version: str
    state: str
    plugin: str
    device: str
    edge_px: int
    advice: str = ""
    batch_size: int = 1
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PluginAnswer:
    """One plugin as it was found; `error` says what is wrong with it, or is empty."""

    name: str
    distribution: str
    version: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class AnalyzersAnswer:
    analyzers: tuple[AnalyzerAnswer, ...]
    plugins: tuple[PluginAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """Failed jobs that are owed again: of these photos (all where empty) and this analyzer (all where None)."""

    photo_ids: tuple[int, ...] = ()
    analyzer: str | None = None


@dataclass(frozen=True, slots=True)
class RescanRequest:
    """Which root to walk again; every root where `root` is None."""

    root: str | None = None


@dataclass(frozen=True, slots=True)
class WaitRequest:
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far analysis is, over all analyzers that can run. `waiting`: what is not finished, in plain words."""

    done: int
    owed: int
    failed: int
    photos: int
    idle: bool
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitAnswer:
    """`finished`: nothing is owed by any analyzer that can run, no root is being scanned, the indexes are clean.
    `blocked`: what was not waited for, and why (an analyzer that waits for a model, say)."""

    finished: bool
    progress: Progress
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CountAnswer:
    """How many things the request concerned: jobs retried, roots rescanned, analyzers now ready."""

    count: int


@dataclass(frozen=True, slots=True)
class StateAnswer:
    """The daemon's state after `pause` or `resume`."""

    state: str
