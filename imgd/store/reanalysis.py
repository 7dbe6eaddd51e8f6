"""Which photos are to be analyzed again, and why: counted from indexes, and put into the queue."""

from __future__ import annotations

import enum
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imgd.domain import RunMode
from imgd.store.analyzers import AnalyzerRow
from imgd.store.jobs import FIRST_ANALYSIS_S
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "reanalysis")

_NO_FINDING = -1
_OUTDATED = 0  # the generation of findings that were made by reading older ones: imgd.store.readers
_MOST_LOOKED_AT = 20_000
"""Of more photos whose findings have to be looked at one by one, so many are: the counts of the rest are told in
proportion."""
_SAMPLE = 200
_STRETCH = 50_000
"""Photos that are put into the queue in one transaction, so that commits of findings come in between."""


class Reason(enum.StrEnum):
    """Why a photo is to be analyzed by an analyzer."""

    NEVER = "never analyzed"
    VERSION = "older version"
    SETTINGS = "other settings"
    READS = "read older findings"
    CHANGED = "file changed"
    ASKED = "asked for"
    OTHER = "file changed, or asked for"


@dataclass(frozen=True, slots=True)
class Stale:
    """What is to be analyzed by one analyzer. `photos`: how many, `queued` of them are in the queue already;
    `failed` are left out. `estimated`: the numbers are told in proportion from a part. `sample`: ids of some of
    the photos, with repetitions; all of them where they are few."""

    photos: int
    queued: int
    reasons: dict[Reason, int]
    failed: int = 0
    estimated: bool = False
    sample: tuple[int, ...] = ()

    def behind(self, photos: int) -> Stale:
        """Of all that can be analyzed once more, what follows `photos` whose findings are read and made anew."""
        following = min(self.photos, photos)
        reasons = {Reason.READS: following} if following else {}
        return replace(self, photos=following, queued=min(self.queued, following), reasons=reasons)


@dataclass(slots=True)
class _Library:
    """What is counted of one analyzer. Findings, at first those that are not current, and failures by
    generation."""

    row: AnalyzerRow
    versions: dict[int, str]
    found: Counter[int] = field(default_factory=Counter)
    of_missing: Counter[int] = field(default_factory=Counter)  # findings, of all generations
    owed: Counter[int] = field(default_factory=Counter)  # by priority
    owed_of_missing: int = 0
    failed: Counter[int] = field(default_factory=Counter)
    groups: list[tuple[int, str, int]] = field(default_factory=list)  # of photos to sample: size, statement, group

    @property
    def queued(self) -> int:
        return max(0, self.owed.total() - self.owed_of_missing)

    def reason(self, generation: int) -> Reason:
        """Why a finding of `generation` is not current."""
        if generation == _NO_FINDING:
            return Reason.NEVER
        if generation == _OUTDATED:
            return Reason.READS
        same = self.versions.get(generation) == self.row.version
        return Reason.SETTINGS if same else Reason.VERSION

    def earlier(self) -> Counter[int]:
        """Findings of earlier generations whose photos did not fail since."""
        earlier = Counter({g: n - self.failed[g] for g, n in self.found.items() if g != self.row.generation})
        return +earlier


def count_present(connection: sqlite3.Connection) -> int:
    """How many photos there are that are not missing."""
    return int(connection.execute(_SQL["present"]).fetchone()[0])


def count_stale(connection: sqlite3.Connection, row: AnalyzerRow, *, again: bool) -> Stale:
    """What of the whole library is owed to the analyzer or, with `again`, can be analyzed by it once more; on
    request that is what it was ever asked for."""
    library = _read_library(connection, row)
    if again:
        return _all_again(connection, library)
    if row.run is RunMode.REQUEST:
        return _asked_and_earlier(connection, library)
    reasons: Counter[Reason] = Counter()
    for generation, count in library.earlier().items():
        reasons[library.reason(generation)] += count
    if library.queued > reasons.total():
        _count_current(connection, library)
        never = count_present(connection) - library.found.total() - library.failed[_NO_FINDING]
        reasons[Reason.NEVER] = max(0, min(never, library.queued))
        reasons[Reason.OTHER] = max(0, library.queued - reasons.total())
    library.groups = [(count, "owed_from", priority) for priority, count in library.owed.items()]
    sample = _sample(connection, library)
    return Stale(library.queued, library.queued, dict(+reasons), library.failed.total(), sample=sample)


def count_stale_of(
    connection: sqlite3.Connection, row: AnalyzerRow, photos: Sequence[int], *, again: bool
) -> Stale:
    """As `count_stale`, of these photos."""
    looked_at = photos if len(photos) <= _MOST_LOOKED_AT else random.sample(photos, _MOST_LOOKED_AT)
    scale = len(photos) / len(looked_at) if looked_at else 1.0
    library = _Library(row, _versions(connection, row))
    reasons: Counter[Reason] = Counter()
    queued = failed = 0
    values = {"photos": json.dumps(list(looked_at)), "analyzer": row.id}
    for generation, is_changed, state, count in connection.execute(_SQL["photos_by_finding"], values):
        if state == "failed" and not again:
            failed += count
            continue
        if generation != row.generation:
            reason = library.reason(generation)
            wanted = again or state == "owed" or generation != _NO_FINDING or row.run is not RunMode.REQUEST
        else:
            reason = Reason.CHANGED if is_changed else Reason.ASKED
            wanted = again or state == "owed" or bool(is_changed)
        if wanted:
            reasons[reason] += count
            queued += count * (state == "owed")
    scaled = {reason: round(count * scale) for reason, count in reasons.items()}
    sample = tuple(looked_at if len(looked_at) <= _SAMPLE else random.sample(looked_at, _SAMPLE))
    return Stale(
        sum(scaled.values()),
        round(queued * scale),
        scaled,
        round(failed * scale),
        scale > 1.0,
        sample if scaled else (),
    )


def share_with_preview(connection: sqlite3.Connection, sample: Sequence[int], previewer: str, now: float) -> float:
    """Of the photos `sample`, the share whose cached preview may stand in for the file."""
    if not sample:
        return 0.0
    values = {"photos": json.dumps(list(sample)), "previewer": previewer, "before": now - FIRST_ANALYSIS_S}
    return float(connection.execute(_SQL["with_preview"], values).fetchone()[0]) / len(sample)


# ---------------------------------------------------------------------- into the queue


def stretches(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """The first and last id of photos that are put into the queue in one transaction."""
    first, last = connection.execute(_SQL["ids"]).fetchone()
    return [(start, min(start + _STRETCH - 1, last)) for start in range(first, last + 1, _STRETCH)]


def owe_again(connection: sqlite3.Connection, row: AnalyzerRow, stretch: tuple[int, int], priority: int) -> int:
    """Owe the analyzer all photos of a stretch, whatever it found; returns how many. On request: those that it was
    ever asked for."""
    photos = _present_between(connection, stretch)
    if row.run is RunMode.REQUEST:
        photos = _those("known", connection, row, photos)
    return _owe(connection, row, photos, priority)


def owe_earlier(connection: sqlite3.Connection, row: AnalyzerRow, priority: int) -> int:
    """Owe the analyzer the photos of which it has an earlier finding; returns how many were not owed before."""
    return connection.execute(_SQL["owe_earlier"], {"analyzer": row.id, "priority": priority}).rowcount


def owe_photos(
    connection: sqlite3.Connection, row: AnalyzerRow, photos: Sequence[int], priority: int, *, again: bool
) -> int:
    """Owe the analyzer these photos: with `again` all, else those without a current finding; returns how many."""
    wanted = json.dumps(list(photos))
    return _owe(connection, row, wanted if again else _those("lacking", connection, row, wanted), priority)


def owe_lacking(connection: sqlite3.Connection, row: AnalyzerRow, stretch: tuple[int, int], priority: int) -> int:
    """Owe the analyzer the photos of a stretch that have no current finding of it; returns how many."""
    photos = _present_between(connection, stretch)
    return _owe(connection, row, _those("lacking", connection, row, photos), priority)


def _present_between(connection: sqlite3.Connection, stretch: tuple[int, int]) -> str:
    """Ids of photos, here and below as a JSON array: from one statement to the next they need no other form."""
    values = {"first": stretch[0], "last": stretch[1]}
    return str(connection.execute(_SQL["present_between"], values).fetchone()[0])


def _those(name: str, connection: sqlite3.Connection, row: AnalyzerRow, photos: str) -> str:
    """Those of `photos` that the statement `name` lets pass."""
    return str(connection.execute(_SQL[name], {"analyzer": row.id, "photos": photos}).fetchone()[0])


def _owe(connection: sqlite3.Connection, row: AnalyzerRow, photos: str, priority: int) -> int:
    values = {"analyzer": row.id, "photos": photos, "priority": priority}
    return connection.execute(_SQL["owe"], values).rowcount


# ---------------------------------------------------------------------- counting


def _read_library(connection: sqlite3.Connection, row: AnalyzerRow) -> _Library:
    found = Counter(dict(connection.execute(_SQL["found_earlier"], (row.id, row.generation)).fetchall()))
    of_missing = Counter(dict(connection.execute(_SQL["found_of_missing"], (row.id,)).fetchall()))
    return _Library(
        row,
        _versions(connection, row),
        found - of_missing,
        of_missing,
        Counter(dict(connection.execute(_SQL["owed"], (row.id,)).fetchall())),
        connection.execute(_SQL["owed_of_missing"], (row.id,)).fetchone()[0],
        Counter(dict(connection.execute(_SQL["failed"], (row.id,)).fetchall())),
    )


def _count_current(connection: sqlite3.Connection, library: _Library) -> None:
    """Count the findings that are current, too: mostly they are many, and need not be counted."""
    row = library.row
    (count,) = connection.execute(_SQL["found_now"], (row.id, row.generation)).fetchone()
    library.found[row.generation] = count - library.of_missing[row.generation]


def _versions(connection: sqlite3.Connection, row: AnalyzerRow) -> dict[int, str]:
    return dict(connection.execute(_SQL["generations"], (row.id,)).fetchall())


def _all_again(connection: sqlite3.Connection, library: _Library) -> Stale:
    _count_current(connection, library)
    reasons: Counter[Reason] = Counter()
    for generation, count in library.found.items():
        is_current = generation == library.row.generation
        reasons[Reason.ASKED if is_current else library.reason(generation)] += count
    estimated = False
    if library.row.run is RunMode.REQUEST:
        by_finding, estimated = _owed_by_finding(connection, library)
        reasons[Reason.NEVER] = by_finding[_NO_FINDING] + library.failed[_NO_FINDING]
        library.groups = [(count, "found_from", generation) for generation, count in library.found.items()]
    else:
        present = count_present(connection)
        reasons[Reason.NEVER] = max(0, present - library.found.total())
        library.groups = [(present, "present_from", 0)]
    photos = (+reasons).total()
    return Stale(photos, library.queued, dict(+reasons), estimated=estimated, sample=_sample(connection, library))


def _asked_and_earlier(connection: sqlite3.Connection, library: _Library) -> Stale:
    """Of an analyzer that runs on request: what it was asked for, and what it found in an earlier generation."""
    by_finding, estimated = _owed_by_finding(connection, library)
    reasons: Counter[Reason] = Counter()
    for generation, count in library.earlier().items():
        reasons[library.reason(generation)] += count
    reasons[Reason.NEVER] = by_finding[_NO_FINDING]
    reasons[Reason.ASKED] = by_finding[library.row.generation]
    library.groups = [(count, "owed_from", priority) for priority, count in library.owed.items()]
    library.groups += [(count, "found_from", generation) for generation, count in library.earlier().items()]
    return Stale(
        (+reasons).total(),
        library.queued,
        dict(+reasons),
        library.failed.total(),
        estimated,
        _sample(connection, library),
    )


def _owed_by_finding(connection: sqlite3.Connection, library: _Library) -> tuple[Counter[int], bool]:
    """Owed jobs by the generation of the finding that their photo has, and whether that is told from a part."""
    values = {"analyzer": library.row.id, "limit": _MOST_LOOKED_AT}
    found = Counter(dict(connection.execute(_SQL["owed_by_finding"], values).fetchall()))
    looked_at = found.total()
    if looked_at == 0 or library.owed.total() <= _MOST_LOOKED_AT:
        return found, False
    scale = library.queued / looked_at
    return Counter({generation: round(count * scale) for generation, count in found.items()}), True


def _sample(connection: sqlite3.Connection, library: _Library) -> tuple[int, ...]:
    """Photos of the groups: all where they are few, else some, drawn evenly over the ids."""
    groups = [each for each in library.groups if each[0] > 0]
    if not groups:
        return ()
    first, last = connection.execute(_SQL["ids"]).fetchone()

    def photos_from(statement: str, group: int, starts: Sequence[int]) -> list[int]:
        values = {"analyzer": library.row.id, "group": group, "starts": json.dumps(list(starts))}
        return [row[0] for row in connection.execute(_SQL[statement], values) if row[0] is not None]

    sample: list[int] = []
    if sum(count for count, _, _ in groups) <= _SAMPLE:
        for _, statement, group in groups:
            found = photos_from(statement, group, [first])
            while found and len(sample) < 2 * _SAMPLE:
                sample += found
                found = photos_from(statement, group, [found[0] + 1])
        return tuple(sample)
    drawn = Counter(random.choices(groups, weights=[count for count, _, _ in groups], k=_SAMPLE))
    for (_, statement, group), count in drawn.items():
        starts = [random.randint(first, last) for _ in range(count)]
        found = photos_from(statement, group, starts)
        if len(found) < count:  # of those behind the last one, the first
            found += photos_from(statement, group, [first]) * (count - len(found))
        sample += found
    return tuple(sample)
