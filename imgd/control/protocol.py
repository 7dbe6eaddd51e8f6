"""What travels over the control socket: requests and answers as frozen structs, JSON on the wire.

Structs of msgspec, not dataclasses: thirty dataclasses take 24 ms of every `imgctl` to define, these 2 ms.

Times are seconds since 1970 (UTC). A file name is bytes and JSON is text: `path` shows bytes that are not
UTF-8 as `\\xNN`, and `path_base64` then holds the exact bytes (it is empty where `path` is exact).
"""

from __future__ import annotations

from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success. `error` is the name of an imgd error class."""

    error: str
    message: str
    detail: str = ""
    hint: str = ""


class RootStatus(msgspec.Struct, frozen=True):
    """A root as it is now. `state` is `online` or `offline`, `reason` says why it is not online."""

    path: str
    state: str
    photos: int
    missing: int = 0
    reason: str = ""
    scanning: bool = False


class QueueStatus(msgspec.Struct, frozen=True):
    """The jobs of one analyzer.

    `state`: `ready`, `waiting for model`, `waiting for package`, `broken` or `off`; but for the first, `advice`
    says what to do about it.
    `run`: `always`, `idle`, `request` or `off`. `reanalyzed`: owed ones that have an older finding, about.
    `owed` leaves out photos of offline roots. `done` is None for an analyzer that is off.
    `rate_per_s`: photos a second over the last minute; `eta_s` is None where it cannot be told.
    """

    analyzer: str
    state: str
    owed: int
    failed: int
    done: int | None
    rate_per_s: float = 0.0
    eta_s: float | None = None
    advice: str = ""
    run: str = "always"
    reanalyzed: int = 0


class IndexStatus(msgspec.Struct, frozen=True):
    """One index: `text`, or the name of a vector space. `dirty`: changes it does not cover yet;
    `staleness_s`: how long the oldest of them has waited."""

    name: str
    clean: bool
    dirty: int = 0
    staleness_s: float = 0.0


class Fault(msgspec.Struct, frozen=True):
    """Something a person should know or do, in plain words."""

    message: str
    hint: str = ""


class ProcessStatus(msgspec.Struct, frozen=True):
    """One process of the daemon. `pss_bytes` is its share of memory, with shared pages divided."""

    name: str
    pid: int
    pss_bytes: int
    rss_bytes: int


class StatusAnswer(msgspec.Struct, frozen=True):
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


class Hit(msgspec.Struct, frozen=True):
    """One photo that was found. `why`: the reasons in plain words, best first; `reasons`: all of them with ranks,
    one by one, where the request asked to explain."""

    photo_id: int
    path: str
    score: float
    why: str
    path_base64: str = ""
    reasons: tuple[str, ...] = ()


class SearchAnswer(msgspec.Struct, frozen=True):
    """Hits in the order asked for. `found`: how many photos match in all, or that many at least where
    `found_exact` is false. `after`: ask with it for the next page; empty on the last one. `notes`: what a person
    should know of this answer (an index still being built, say). `encoder_ms`: how much of `took_ms` the query
    encoders took."""

    query: str
    hits: tuple[Hit, ...]
    took_ms: float = 0.0
    notes: tuple[str, ...] = ()
    found: int = 0
    found_exact: bool = True
    after: str = ""
    encoder_ms: float = 0.0


class CompleteAnswer(msgspec.Struct, frozen=True):
    """What the last term of a half-typed query may become, in each way that the library knows."""

    completions: tuple[str, ...]


class SidecarAnswer(msgspec.Struct, frozen=True):
    name: str
    size_bytes: int
    modified_at: float


class TagAnswer(msgspec.Struct, frozen=True):
    label: str
    score: float


class TextAnswer(msgspec.Struct, frozen=True):
    kind: str
    text: str


class RegionAnswer(msgspec.Struct, frozen=True):
    """`box`: left, top, width, height, as fractions of the upright photo. `quality`: how well what it shows can be
    recognised, from 0 to 1; None where its analyzer cannot tell."""

    kind: str
    label: str
    score: float
    box: tuple[float, float, float, float]
    quality: float | None = None


class VectorAnswer(msgspec.Struct, frozen=True):
    """A vector without its values. `region`: the position of the region it describes, None for the photo."""

    space: str
    dimensions: int
    region: int | None = None


class FindingAnswer(msgspec.Struct, frozen=True):
    """What one analyzer said, and when. A finding is `stale` when the photo or the analyzer changed since;
    it serves until the new one is committed. `version` is empty where an earlier version said it. `route`: the
    step of the decode ladder that gave the pixels, empty where none were needed."""

    analyzer: str
    version: str
    generation: int
    revision: int
    analyzed_at: float
    stale: bool
    route: str = ""
    facts: dict[str, Any] = {}
    tags: tuple[TagAnswer, ...] = ()
    texts: tuple[TextAnswer, ...] = ()
    regions: tuple[RegionAnswer, ...] = ()
    vectors: tuple[VectorAnswer, ...] = ()


class JobAnswer(msgspec.Struct, frozen=True):
    """A finding that is still owed, or that failed (`reason`). `not_before`: when it is tried again, or None."""

    analyzer: str
    state: str
    attempts: int
    reason: str = ""
    not_before: float | None = None


class PhotoAnswer(msgspec.Struct, frozen=True):
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
    metadata: dict[str, str | int | float] = {}
    sidecars: tuple[SidecarAnswer, ...] = ()
    findings: tuple[FindingAnswer, ...] = ()
    jobs: tuple[JobAnswer, ...] = ()


class FailedJob(msgspec.Struct, frozen=True):
    """One job that failed, with the reason."""

    photo_id: int
    path: str
    analyzer: str
    reason: str
    attempts: int
    path_base64: str = ""


class FailedAnswer(msgspec.Struct, frozen=True):
    """A page of failed jobs. `after`: ask with it for the next page; empty on the last one."""

    failed: tuple[FailedJob, ...]
    after: str = ""


class DuplicateFile(msgspec.Struct, frozen=True):
    """One file of a group. `taken_at`: local wall time, ISO 8601."""

    photo_id: int
    path: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    format: str | None = None
    taken_at: str | None = None
    path_base64: str = ""


class DuplicateGroup(msgspec.Struct, frozen=True):
    """Files that belong together, the one to keep first (those of a burst in the order of time).

    `count`: how many there are, of which up to 1,000 are in `files`; `size_bytes`: of all together; `saved_bytes`:
    what all but the first take on the disk, 0 for bursts and pairs.
    """

    files: tuple[DuplicateFile, ...]
    count: int
    size_bytes: int
    saved_bytes: int = 0


class DuplicatesAnswer(msgspec.Struct, frozen=True):
    """A page of groups, those that save most first. `kind`: `identical`, `near`, `bursts` or `pairs`.

    `found`: groups in all; `after`: ask with it for the next page, empty on the last one; `pending`: photos are
    still being compared, more may be found; `notes`: how far that is, and what could not be compared.
    """

    kind: str
    groups: tuple[DuplicateGroup, ...]
    found: int = 0
    after: str = ""
    pending: bool = False
    notes: tuple[str, ...] = ()


class AnalyzerModel(msgspec.Struct, frozen=True):
    """A model that an analyzer requires. `state`: of its files, as `imgctl models list` has it."""

    name: str
    licence: str
    size_bytes: int
    state: str
    must_accept: bool = False


class AnalyzerAnswer(msgspec.Struct, frozen=True):
    """One analyzer as its plugin and its settings make it, and how it gets on (as in QueueStatus).

    `device`: `cpu` for the decode workers, `model` for a lane; `runs_on`: which; `runtimes`: by what, once it was
    loaded. `rate_per_s`: photos a second over the last minute. `per_photo_s`: what a photo takes one worker or
    lane, where measured; `most_per_s`: photos a second of all. `failures`: photos by reason.
    """

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
    facts: dict[str, str] = {}
    run: str = "always"
    runs_on: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    distribution: str = ""
    distribution_version: str = ""
    models: tuple[AnalyzerModel, ...] = ()
    settings: dict[str, Any] = {}
    spaces: tuple[str, ...] = ()
    memory_mb: float = 0.0
    done: int | None = None
    owed: int = 0
    failed: int = 0
    rate_per_s: float = 0.0
    per_photo_s: float | None = None
    most_per_s: float | None = None
    outdated_cost: bool = False
    failures: dict[str, int] = {}


class PluginAnswer(msgspec.Struct, frozen=True):
    """One plugin as it was found; `error` says what is wrong with it, or is empty."""

    name: str
    distribution: str
    version: str
    error: str = ""


class AnalyzersAnswer(msgspec.Struct, frozen=True):
    analyzers: tuple[AnalyzerAnswer, ...]
    plugins: tuple[PluginAnswer, ...] = ()


class RetryRequest(msgspec.Struct, frozen=True):
    """Failed jobs that are owed again: of these photos (all where empty) and this analyzer (all where None)."""

    photo_ids: tuple[int, ...] = ()
    analyzer: str | None = None


class RescanRequest(msgspec.Struct, frozen=True):
    """Which root to walk again; every root where `root` is None."""

    root: str | None = None


class ConfirmRequest(msgspec.Struct, frozen=True):
    """What is missing from `root` is meant to be gone, though so much went missing at once."""

    root: str


class WaitRequest(msgspec.Struct, frozen=True):
    timeout_s: float = 60.0


class Progress(msgspec.Struct, frozen=True):
    """How far analysis is, over all analyzers that can run. `waiting`: what is not finished, in plain words."""

    done: int
    owed: int
    failed: int
    photos: int
    idle: bool
    waiting: tuple[str, ...] = ()


class WaitAnswer(msgspec.Struct, frozen=True):
    """`finished`: nothing is owed by any analyzer that can run, no root is being scanned, the indexes are clean.
    `blocked`: what was not waited for, and why (an analyzer that waits for a model, say)."""

    finished: bool
    progress: Progress
    blocked: tuple[str, ...] = ()


class CountAnswer(msgspec.Struct, frozen=True):
    """How many things the request concerned: jobs retried, roots rescanned, analyzers now ready."""

    count: int


class StateAnswer(msgspec.Struct, frozen=True):
    """The daemon's state after `pause` or `resume`."""

    state: str
