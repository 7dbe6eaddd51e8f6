"""How long a photo takes, as it was measured lately; kept, so that the next start knows it, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "costs")

DECODE_FILE, DECODE_PREVIEW, DECODE_HEADER = "the file", "the preview", "the header"
"""Tasks beside the analyzers, which have no blank in their names: pixels out of a photo's file, or out of the
cached preview, or none at all; with all that a worker does for a photo but its analyzers."""

_MOST_PHOTOS = 2000.0
"""Of how many photos a cost is the mean, about: a change of the machine, or of the photos, shows after so many."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Photos that took `seconds` together, of the one worker or lane that did the task. `device`: of a lane, or
    empty for the workers."""

    task: str
    device: str
    photos: float
    seconds: float
    outdated: bool = False
    """Whether it is of an earlier version, or of other settings, than the analyzer has now."""

    @property
    def per_photo_s(self) -> float:
        return self.seconds / self.photos


def put_costs(connection: sqlite3.Connection, measured: Iterable[Measured]) -> None:
    """Add what was measured just now."""
    connection.executemany(
        _SQL["put"],
        [
            {
                "task": each.task,
                "device": each.device,
                "photos": each.photos,
                "seconds": each.seconds,
                "most": _MOST_PHOTOS,
            }
            for each in measured
            if each.photos > 0
        ],
    )


def read_costs(connection: sqlite3.Connection) -> dict[str, Measured]:
    """What is known, by task."""
    return {
        task: Measured(task, device, photos, seconds, bool(outdated))
        for task, device, photos, seconds, outdated in connection.execute(_SQL["all"])
    }
