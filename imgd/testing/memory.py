"""What an analyzer takes of the machine's memory, held against what it declares. Only where it is alone in its
process: in others, what one thing frees another one takes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import resource
import time
from collections.abc import Callable
from pathlib import Path

_MB = 1 << 20
_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5)

LOAD_SLACK = 1.25
LOAD_SLACK_MB = 96
"""What loading may take above what is declared: interpreters and libraries differ."""
BATCH_SLACK = 1.5
BATCH_SLACK_MB = 64
"""The same for the photos of a batch, all together."""
MOST_AT_ONCE = 8
"""Photos of the batch that is measured."""

_WARM_UP_CALLS = 12
_FEWEST_CALLS, _MOST_CALLS = 8, 120
_HALF_S = 1.5
GROWTH_MB = 3.0
"""What the process may grow by in each half of the repeated calls."""


def resident_mb() -> float:
    """Memory that this process has now, without what it has freed and could give back."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # musl has no such call
        ctypes.CDLL(None).malloc_trim(0)
    return int(_STATM.read_text().split()[1]) * resource.getpagesize() / _MB


def peak_mb(call: Callable[[], object]) -> float:
    """The most memory that this process has while `call` runs; -1 where the kernel does not tell."""
    gc.collect()
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return -1.0
    call()
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def load_problem(declared_mb: float, took_mb: float) -> str:
    """Why `declared_mb` is no honest `memory_mb` of what took `took_mb` to load, or ""."""
    if took_mb <= declared_mb * LOAD_SLACK + LOAD_SLACK_MB:
        return ""
    return f"it takes {took_mb:.0f} MB when it is loaded, and `memory_mb` says {declared_mb:g}"


def batch_problem(declared_mb: float, one_mb: float, many_mb: float, count: int) -> str:
    """Why `declared_mb` is no honest `photo_mb` of batches whose peak was `many_mb` with `count` photos, and
    `one_mb` with one; or ""."""
    more_mb = many_mb - one_mb
    if one_mb < 0 or more_mb <= declared_mb * BATCH_SLACK * (count - 1) + BATCH_SLACK_MB:
        return ""
    each_mb = more_mb / (count - 1)
    return f"each photo of a batch takes {each_mb:.0f} MB, and `photo_mb` says {declared_mb:g}"


def growth_problem(call: Callable[[int], object]) -> str:
    """Why `call`, told the number of the call, seems to leak; or ""."""
    number = 0
    for _ in range(_WARM_UP_CALLS):
        call(number := number + 1)
    marks = [resident_mb()]
    counts = []
    for _half in range(2):
        began, first = time.monotonic(), number
        while number - first < _FEWEST_CALLS or (
            number - first < _MOST_CALLS and time.monotonic() - began < _HALF_S
        ):
            call(number := number + 1)
        counts.append(number - first)
        marks.append(resident_mb())
    grown = [after - before for before, after in itertools.pairwise(marks)]
    if min(grown) < GROWTH_MB:
        return ""
    return f"its process grew by {sum(grown):.0f} MB in {sum(counts)} photos, and goes on growing: it leaks"
