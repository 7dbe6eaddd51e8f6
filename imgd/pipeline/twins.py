"""What of a pass is left where its photo is a copy of one that was analyzed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from imgd.analyzers.preview import Preview
from imgd.domain import RunMode, StoredFinding, Twin
from imgd.pipeline.messages import TwinFile
from imgd.pipeline.plan import ActiveAnalyzer, Plan, model_edges, of_sidecars


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a photo takes over of `twin`, should it be its copy. `reads`: of these, whose findings are read by
    analyzers that run all the same; `prior`: these findings."""

    twin: Twin
    copied: frozenset[str]
    reads: frozenset[str]
    prior: Mapping[str, StoredFinding] = field(default_factory=dict)


def copied_analyzers(active: Mapping[int, ActiveAnalyzer]) -> list[int]:
    """Ids of the analyzers whose findings come of the file alone, so that those of a copy are the same.

    Whoever reads sidecars, or the findings of somebody who does, may say something else of the copy; and whoever
    keeps files of its own would have none of it. Only of previews is it known which file that is.
    """
    barred = of_sidecars(active.values())
    return [
        id_
        for id_, each in active.items()
        if each.name not in barred and (each.name == Preview.name or not each.declaration.wants_cache_dir)
    ]


def find_takeovers(plan: Plan, active: Mapping[int, ActiveAnalyzer]) -> tuple[Takeover, ...]:
    """What the photo takes over of each of its possible twins; nothing of one that has none of what it owes.

    A photo that was never read owes those that wait for imgd to be idle, too: of these nothing need be waited for.
    """
    if plan.from_preview or not plan.needs_worker:
        return ()
    running = {*plan.inline, *plan.models}
    owed = running | {each.name for each in active.values() if each.run is RunMode.IDLE}
    after = {each.name: each.declaration.after for each in active.values()}
    takeovers = []
    for twin in plan.photo.twins:
        copied = {active[id_].name for id_ in twin.analyzers if id_ in active} & owed
        # Whoever reads what is found anew would have read something else of the twin, or nothing.
        while late := {name for name in copied if (running - copied) & set(after[name])}:
            copied -= late
        read = {name for each in running - copied for name in after.get(each, ())}
        if copied:
            takeovers.append(Takeover(twin, frozenset(copied), frozenset(copied & read)))
    return tuple(takeovers)


def twin_files(
    takeovers: Collection[Takeover], inline: Collection[str], models: Collection[ActiveAnalyzer]
) -> tuple[TwinFile, ...]:
    """`takeovers` for the worker that is to do `inline`, and whatever `models` need."""
    return tuple(
        TwinFile(
            each.twin.photo_id,
            each.twin.path,
            each.twin.stat,
            each.twin.fingerprint,
            each.twin.content_hash,
            tuple(name for name in inline if name not in each.copied),
            tuple(model_edges([model for model in models if model.name not in each.copied])),
            dict(each.prior),
            with_preview=Preview.name in inline and Preview.name in each.copied,
        )
        for each in takeovers
    )
