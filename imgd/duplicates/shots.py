"""Which files are of one shot, and which of different ones: by camera, capture time and name.

A file's units say with whom it cannot be one picture: two files that share a unit, but stand on different sides of
it, are of different shots (or are a RAW and its JPEG). The frames of a burst share the unit of the burst, and each
capture time is a side of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np

from imgd.index.matches import Ids

Unit: TypeAlias = tuple[Hashable, ...]

NO_RUN = -1
_LAST_NUMBER = re.compile(r"^(.*?)(\d+)\D*$", re.DOTALL)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - capture times are wall times
_MIDNIGHT = "00:00:00.000"


@dataclass(frozen=True, slots=True)
class Runs:
    """Photos that were taken in quick succession: `photo_ids` ascending, `runs` the number of each one's run."""

    photo_ids: Ids
    runs: Ids

    def of(self, photo_ids: Ids) -> Ids:
        """The run of each photo, `NO_RUN` for those that are in none."""
        if not len(self.photo_ids):
            return np.full(len(photo_ids), NO_RUN, np.int64)
        at = np.minimum(np.searchsorted(self.photo_ids, photo_ids), len(self.photo_ids) - 1)
        return np.where(self.photo_ids[at] == photo_ids, self.runs[at], NO_RUN)


def seconds(taken_at: str) -> float | None:
    """A capture time as seconds; None where it is the time of a date alone, or no time at all."""
    if taken_at[11:] == _MIDNIGHT:
        return None
    try:
        return (datetime.fromisoformat(taken_at) - _EPOCH).total_seconds()
    except (ValueError, TypeError):
        return None


def frame_number(stem: str) -> tuple[str, str]:
    """A stem as its part before the last number, and that number: cameras count their frames there.

    `IMG_0041` and `IMG_0042` are two frames; `IMG_0041 (1)` and `IMG_0041_small` are no frames beside `IMG_0041`.
    """
    found = _LAST_NUMBER.match(stem)
    return (found[1], found[2]) if found else (stem, "")


def units(
    folder_id: int, name: str, image_format: str | None, taken_at: str | None, run: int
) -> Iterator[tuple[Unit, Hashable]]:
    """The units of a photo, each with its side."""
    stem = os.path.splitext(name)[0]
    is_raw = image_format == "raw"
    yield ("stem", folder_id, stem), is_raw
    if taken_at is None or seconds(taken_at) is None:
        return
    yield ("time", taken_at, stem), is_raw
    if run != NO_RUN:
        yield ("run", run), taken_at
        if not has_fraction(taken_at):
            before, number = frame_number(stem)
            yield ("frame", run, taken_at, before), number


def has_fraction(taken_at: str) -> bool:
    """Whether the time says more than the second, so that two frames cannot have the same."""
    return not taken_at.endswith(".000")
