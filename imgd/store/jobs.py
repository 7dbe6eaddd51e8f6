"""The queue: what photos still owe. A claim is no write, so there is nothing to recover after a crash."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from imgd.domain import FileStat, OwedJob, OwedPhoto, Priority
from imgd.store.statements import load_statements
from imgd.store.twins import read_twins

_SQL = load_statements("imgd.store", "jobs")

_LEAST_URGENT = max(Priority)
FIRST_ANALYSIS_S = 600.0
"""A preview that is newer is part of a first analysis, which may have been interrupted: the rest of that is made
from the file too, so that a library is the same whether imgd was killed on the way or not."""


@dataclass(frozen=True, slots=True, order=True)
class QueuePosition:
    """Where in the queue a claim goes on: by priority, then by photo (so about by folder, as scans find them)."""

    priority: int = -1
    photo_id: int = 0


@dataclass(frozen=True, slots=True)
class OwedPage:
    """A stretch of the queue. `end` is None when the queue holds nothing behind it."""

    photos: tuple[OwedPhoto, ...]
    end: QueuePosition | None


def read_owed(
    connection: sqlite3.Connection,
    analyzer_ids: Collection[int],
    after: QueuePosition,
    *,
    limit: int,
    now: float,
    skip: Collection[int] = (),
    previewer: str = "",
    asked: Collection[int] = (),
    copied: Collection[int] = (),
) -> OwedPage:
    """Up to `limit` photos behind `after` that owe one of `analyzer_ids` a finding, with all such jobs of each.

    Those of one priority come by folder and inode, which on most file systems is the order in which they lie on
    the disk. Photos in `skip` (in flight) and photos that cannot be reached now are left out. `previewer`: the
    analyzer whose current finding, if it is not all too new, says that a photo has a cached preview. `asked`:
    further analyzers, of which only those jobs are read that a person asked for. `copied`: analyzers whose
    findings a copy of an analyzed photo takes over.
    """
    bounds = dict.fromkeys(asked, int(Priority.REQUEST)) | dict.fromkeys(analyzer_ids, _LEAST_URGENT)
    place = {"priority": after.priority, "photo_id": after.photo_id, "now": now, "limit": limit}
    parts = [
        connection.execute(_SQL["page"], place | {"analyzer_id": analyzer_id, "least_urgent": bound})
        for analyzer_id, bound in bounds.items()
    ]
    # Each part is in the queue's order, so whatever of them is among the first `limit` was read.
    rows = sorted({QueuePosition(*row) for part in parts for row in part})[:limit]
    end = rows[-1] if len(rows) == limit else None
    wanted = list(dict.fromkeys(row.photo_id for row in rows if row.photo_id not in skip))
    if not wanted:
        return OwedPage((), end)
    urgency = {row.photo_id: row.priority for row in reversed(rows)}
    owed = _read_photos(connection, wanted, bounds, now, previewer, copied=copied)
    owed.sort(key=lambda photo: (urgency[photo.photo_id], os.path.dirname(photo.path), photo.stat.inode))
    return OwedPage(tuple(owed), end)


def _read_photos(
    connection: sqlite3.Connection,
    photo_ids: Sequence[int],
    bounds: Mapping[int, int],
    now: float,
    previewer: str,
    *,
    copied: Collection[int],
) -> list[OwedPhoto]:
    """Those of `photo_ids` that can be reached, each with what it owes now to the analyzers in `bounds`: by id,
    the least urgent priority that counts."""
    photos = json.dumps(photo_ids)
    jobs: dict[int, list[OwedJob]] = defaultdict(list)
    for photo_id, analyzer_id, attempts, priority in connection.execute(
        _SQL["jobs_of"], {"photos": photos, "analyzers": json.dumps(sorted(bounds)), "now": now}
    ):
        if priority <= bounds[analyzer_id]:
            jobs[photo_id].append(OwedJob(analyzer_id, attempts))
    sidecars: dict[int, list[bytes]] = defaultdict(list)
    for photo_id, name in connection.execute(_SQL["sidecars_of"], {"photos": photos}):
        sidecars[photo_id].append(name)
    twins = read_twins(connection, photo_ids, copied)
    return [
        OwedPhoto(
            photo_id=photo_id,
            revision=revision,
            path=os.path.join(root, folder, name),
            stat=FileStat(*stat),
            sidecars=tuple(sidecars.get(photo_id, ())),
            jobs=tuple(jobs[photo_id]),
            format=kind,
            width=width,
            height=height,
            has_preview=bool(has_preview),
            twins=twins.get(photo_id, ()),
        )
        for photo_id, revision, root, folder, name, kind, width, height, has_preview, *stat in connection.execute(
            _SQL["photos"], {"photos": photos, "previewer": previewer, "before": now - FIRST_ANALYSIS_S}
        )
        if photo_id in jobs
    ]


def next_due(connection: sqlite3.Connection, analyzer_ids: Collection[int], after: float) -> float | None:
    """When the first job of `analyzer_ids` that is due later than `after` is due; both in seconds of the epoch."""
    parameters = {"analyzers": json.dumps(sorted(analyzer_ids)), "after": after}
    due = connection.execute(_SQL["next_due"], parameters).fetchone()[0]
    return None if due is None else float(due)


def any_owed(connection: sqlite3.Connection, analyzer_ids: Collection[int]) -> bool:
    """Whether a photo that can be reached owes one of `analyzer_ids` a finding, now or later."""
    return bool(connection.execute(_SQL["any_owed"], (json.dumps(sorted(analyzer_ids)),)).fetchone()[0])


def retry(
    connection: sqlite3.Connection, photo_ids: Sequence[int] | None = None, analyzer: str | None = None
) -> int:
    """Owe failed jobs again, and try at once those that wait for a later try (of all photos and analyzers, where
    None); returns how many. Those of analyzers that are switched off or gone stay as they are."""
    parameters = {
        "priority": int(Priority.EVENT),
        "photos": None if photo_ids is None else json.dumps(list(photo_ids)),
        "analyzer": analyzer,
    }
    return connection.execute(_SQL["retry"], parameters).rowcount
