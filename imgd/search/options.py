"""How an answer is wanted: how much of it, in which order, from where on."""

from __future__ import annotations

from dataclasses import dataclass

SORTS = ("score", "date", "path")
"""Orders of an answer: the best first, the newest first, or by path."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a person wants of an answer.

    `limit`: the most hits of one page (`search.limit` of the settings where None); `after`: the cursor of the page
    before; `min_score`: 0 to 1; `cwd`: where relative paths after `like:` start; `explain`: every reason of a hit.
    """

    limit: int | None = None
    sort: str = SORTS[0]
    min_score: float = 0.0
    after: str = ""
    cwd: bytes | None = None
    explain: bool = False
