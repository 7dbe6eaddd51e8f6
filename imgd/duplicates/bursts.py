"""Bursts: shots of one camera in quick succession."""

from __future__ import annotations

import json
import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from imgd.duplicates.listing import Listing, Stopped, make_listing
from imgd.duplicates.shots import Runs, frame_number, has_fraction, seconds
from imgd.index.matches import Ids
from imgd.store.database import Database
from imgd.store.statements import load_statements

GAP_S = 1.0
"""The most seconds from the end of one exposure to the next. Most cameras write whole seconds, so two shots that
are nearly two seconds apart still count."""

_SQL = load_statements("imgd.duplicates", "duplicates")
_PAGE = 8192
_LONGEST_EXPOSURE_S = 60.0
_MANY_CAMERAS = 256


@dataclass(slots=True)
class _Open:
    """A run that may go on: when its last exposure ended, and its photos so far."""

    until_s: float
    photo_ids: list[int] = field(default_factory=list)


def find_runs(database: Database, stopped: Callable[[], bool]) -> Runs:
    """Every run of two photos or more, files that are missing included. Read in the order of time, by page."""
    photo_ids, runs = array("q"), array("q")
    number = 0
    for run in _runs(database, stopped):
        if len(run) > 1:
            photo_ids.extend(run)
            runs.extend([number] * len(run))
            number += 1
    order = np.argsort(np.array(photo_ids, np.int64), kind="stable")
    return Runs(np.array(photo_ids, np.int64)[order], np.array(runs, np.int64)[order])


def _runs(database: Database, stopped: Callable[[], bool]) -> Iterator[list[int]]:
    open_runs: dict[str, _Open] = {}
    place = ("", 0)
    while not stopped():
        with database.read() as connection:
            rows = connection.execute(
                _SQL["taken"], {"taken_at": place[0], "photo_id": place[1], "limit": _PAGE}
            ).fetchall()
        if not rows:
            yield from (each.photo_ids for each in open_runs.values())
            return
        place = rows[-1][:2]
        for taken_at, photo_id, camera, shutter_s in rows:
            at_s = seconds(taken_at)
            if at_s is None:
                continue
            run = open_runs.get(camera)
            if run is None or at_s > run.until_s + GAP_S:
                if run is not None:
                    yield run.photo_ids
                run = open_runs[camera] = _Open(at_s)
            run.until_s = max(run.until_s, at_s + min(max(shutter_s, 0.0), _LONGEST_EXPOSURE_S))
            run.photo_ids.append(photo_id)
            if len(open_runs) > _MANY_CAMERAS:
                for each in [name for name, old in open_runs.items() if at_s > old.until_s + GAP_S]:
                    yield open_runs.pop(each).photo_ids
    raise Stopped


def list_bursts(database: Database, stopped: Callable[[], bool]) -> Listing:
    """Runs of two shots or more, with every file of each: a RAW and its JPEG, or two copies, are one shot."""
    runs = find_runs(database, stopped)
    order = np.argsort(runs.runs, kind="stable")
    ids, numbers = runs.photo_ids[order], runs.runs[order]
    members, sizes = array("q"), array("q")
    for begin, end in _pages(numbers):
        if stopped():
            raise Stopped
        groups = defaultdict(list)
        by_id = dict(zip(ids[begin:end].tolist(), numbers[begin:end].tolist(), strict=True))
        with database.read() as connection:
            for row in connection.execute(_SQL["files"], {"photo_ids": json.dumps(list(by_id))}):
                groups[by_id[row[0]]].append((row[0], os.path.splitext(os.fsdecode(row[3]))[0], row[10]))
        for group in groups.values():
            if count_shots([(stem, taken_at) for _, stem, taken_at in group]) > 1:
                members.extend(photo_id for photo_id, *_ in group)
                sizes.append(len(group))
    return make_listing(np.array(members, np.int64), np.array(sizes, np.int64), np.zeros(len(sizes), np.int64))


def count_shots(files: Sequence[tuple[str, str]]) -> int:
    """How many shots the files of a run, as (stem, capture time), are of."""
    numbers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for stem, taken_at in files:
        before, number = frame_number(stem)
        numbers[taken_at][before].add(number)
    return sum(
        1 if has_fraction(taken_at) else max(map(len, frames.values())) for taken_at, frames in numbers.items()
    )


def _pages(numbers: Ids) -> Iterator[tuple[int, int]]:
    """Slices of about a page that end where a run ends."""
    begin = 0
    while begin < len(numbers):
        last = numbers[min(begin + _PAGE, len(numbers)) - 1]
        end = int(np.searchsorted(numbers, last, side="right"))
        yield begin, end
        begin = end
