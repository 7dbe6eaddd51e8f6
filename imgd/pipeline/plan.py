"""What one pass over a photo does: which analyzers run, in which order, at which sizes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgd.analyzers.preview import Preview
from imgd.domain import Device, OwedPhoto, RunMode
from imgd.pipeline.messages import AnalyzerSpec
from imgd.plugins import AnalyzerClass


@dataclass(frozen=True, slots=True)
class ActiveAnalyzer:
    """An analyzer that can run now."""

    id: int
    declaration: AnalyzerClass
    spec: AnalyzerSpec
    run: RunMode = RunMode.ALWAYS

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Plan:
    """One pass over one photo: decode once, at the largest of the sizes that its analyzers still owe."""

    photo: OwedPhoto
    inline: tuple[str, ...]
    models: tuple[str, ...]
    """Those of lanes, each behind the ones that it reads."""
    model_edges: tuple[int, ...]
    reads: tuple[str, ...]
    """Analyzers whose stored findings are read by those that run."""
    complete: bool
    """Whether nothing more is owed behind this pass."""
    from_preview: bool = False
    """Whether the cached preview has all the pixels that are needed, so that the file need not be opened."""

    @property
    def needs_worker(self) -> bool:
        """Whether anything is wanted of the photo itself; else only findings of it are read."""
        return bool(self.inline or self.model_edges)


def plan_photo(photo: OwedPhoto, active: Mapping[int, ActiveAnalyzer]) -> Plan | None:
    """The next pass over `photo`, or None when nothing of it can run.

    An analyzer that reads the finding of another one that is owed too runs behind it, in the same pass; but an
    inline one behind one of a lane waits for a later pass.
    """
    owed = {
        active[job.analyzer_id].name: active[job.analyzer_id] for job in photo.jobs if job.analyzer_id in active
    }
    inline = _in_order([each for each in owed.values() if each.declaration.device is Device.CPU], owed)
    models = _in_order([each for each in owed.values() if each.declaration.device is Device.MODEL], owed, inline)
    if not inline and not models:
        return None
    running = [owed[name] for name in (*inline, *models)]
    return Plan(
        photo=photo,
        inline=tuple(inline),
        models=tuple(models),
        model_edges=tuple(model_edges([owed[name] for name in models])),
        reads=tuple({name for each in running for name in each.declaration.after if name not in owed}),
        complete=len(running) == len(owed),
        from_preview=photo.has_preview
        and photo.width > 0
        and photo.height > 0
        and all(is_covered(each.declaration) for each in running),
    )


def of_sidecars(active: Collection[ActiveAnalyzer]) -> frozenset[str]:
    """Names of those whose findings depend on sidecars: they read them, or findings of others that do."""
    found: set[str] = set()
    more = {each.name for each in active if each.declaration.reads_sidecars}
    while more:
        found |= more
        more = {each.name for each in active if not found.isdisjoint(each.declaration.after)} - found
    return frozenset(found)


def model_edges(active: Collection[ActiveAnalyzer]) -> list[int]:
    """All sizes that lanes can ask for: what a slot of shared memory has to hold."""
    edges = {each.declaration.needs.edge for each in active if each.declaration.device is Device.MODEL}
    return sorted(edges - {0})


def make_spec(
    declaration: AnalyzerClass, settings: Any, model_dirs: Mapping[str, Path], cache_dir: Path | None
) -> AnalyzerSpec:
    """How a child makes `declaration`."""
    return AnalyzerSpec(
        declaration.name, declaration.__module__, declaration.__qualname__, settings, dict(model_dirs), cache_dir
    )


def is_covered(declaration: AnalyzerClass) -> bool:
    """Whether the pixels of a preview are all that the analyzer asks for, if it asks for any."""
    if declaration.device is Device.MODEL and declaration.needs.edge == 0:
        return True
    return 0 < declaration.needs.edge <= Preview.needs.edge and not declaration.needs_original


def _in_order(
    candidates: Sequence[ActiveAnalyzer], owed: Mapping[str, ActiveAnalyzer], before: Collection[str] = ()
) -> list[str]:
    """Names of `candidates`, each behind those it reads; left out are those that read what neither `before` nor
    the candidates find in this pass."""
    ordered: list[str] = []
    waiting = list(candidates)
    while waiting:
        free = [
            each
            for each in waiting
            if all(name not in owed or name in ordered or name in before for name in each.declaration.after)
        ]
        if not free:
            break
        ordered += [each.name for each in free]
        waiting = [each for each in waiting if each not in free]
    return ordered
