"""How many decode workers the machine has room for, and how much of its memory a photo may take at once."""

from __future__ import annotations

from dataclasses import dataclass

_SHARE = 0.5
"""Of the memory that is free, what all workers take together: lanes, indexes and the page cache need the rest."""
_ORDINARY_BYTES = 400 << 20
"""What a worker takes for ordinary photos, up to about 60 megapixels decoded in full."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """`share_bytes`: what one worker may take for a photo while the others do the same."""

    workers: int
    share_bytes: int


def find_capacity(wanted: int, cores: int, free_bytes: int | None) -> Capacity:
    """`wanted` workers; with 0 one a core, or as many as fit into the memory where those are fewer.

    `free_bytes`: of the machine's memory; None where nobody knows.
    """
    if free_bytes is None:
        return Capacity(wanted or cores, _ORDINARY_BYTES)
    budget = int(free_bytes * _SHARE)
    workers = wanted or max(1, min(cores, budget // _ORDINARY_BYTES))
    return Capacity(workers, max(_ORDINARY_BYTES, budget // workers))
