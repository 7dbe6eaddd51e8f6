"""What travels of analysis that a person asks for, and of its plan."""

from __future__ import annotations

import msgspec


class AnalyzeRequest(msgspec.Struct, frozen=True):
    """Photos that the analyzer is to look at where it has no current finding, and with it those that it reads:
    `photo_ids`, those that `query` finds, or with `everything` all."""

    analyzer: str
    photo_ids: tuple[int, ...] = ()
    query: str = ""
    everything: bool = False


class AnalyzeAnswer(msgspec.Struct, frozen=True):
    """`photos`: how many were meant; `queued`: how many the analyzer had no current finding of, and are in the
    queue; `queued_first`: findings of other analyzers, which it reads and which are made first."""

    photos: int
    queued: int
    queued_first: int = 0
    notes: tuple[str, ...] = ()


class ReanalyzeRequest(msgspec.Struct, frozen=True):
    """`analyzers`: what these found is made anew, current or not; where none are named, what is not current.
    Of the whole library, or of `photo_ids` and what `query` finds. `plan`: change nothing."""

    analyzers: tuple[str, ...] = ()
    photo_ids: tuple[int, ...] = ()
    query: str = ""
    plan: bool = False


class ReanalysisEntry(msgspec.Struct, frozen=True):
    """What one analyzer has to do.

    `photos`: how many, `queued` of them are in the queue already, `out_of_reach` in roots that are offline;
    `reasons`: why, with the number of photos each; `failed`: photos that failed, and are left out.
    `from_previews`: of how many the pixels can come from cached previews; the others' come from their files
    (where it needs any: `edge_px`). `per_photo_s`: what a photo takes one worker or lane, None where that was
    never measured; `outdated_cost`: it was measured with an earlier version, or with other settings. `alone_s`:
    what all of it takes by itself, with the workers or lanes there are, and without decoding.
    """

    analyzer: str
    state: str
    run: str
    photos: int
    queued: int
    reasons: dict[str, int]
    failed: int = 0
    out_of_reach: int = 0
    edge_px: int = 0
    from_previews: int = 0
    per_photo_s: float | None = None
    outdated_cost: bool = False
    alone_s: float | None = None
    estimated: bool = False


class ReanalysisAnswer(msgspec.Struct, frozen=True):
    """`entries`: analyzers that have something to do; behind those that were named, those that read what these
    find, and so follow. `takes_s`: all of it together, decoding included; None where something of it was never
    measured: `unmeasured` names that, and `measured_s` is what the rest takes. `takes_from_files_s`: the same
    where no preview could be used. `put_in_queue`: jobs that were not owed before; 0 for a plan."""

    entries: tuple[ReanalysisEntry, ...]
    takes_s: float | None = None
    takes_from_files_s: float | None = None
    measured_s: float = 0.0
    unmeasured: tuple[str, ...] = ()
    put_in_queue: int = 0
    photos: int | None = None
    notes: tuple[str, ...] = ()
