"""Pages of what is ranked, best first: list after list, each of more candidates than the one before.

How well a photo does depends on the candidates that it is compared with. So the pages of one list all have the
same number of them; once it is used up, the next list has four times as many, and gives what the first did not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from imgd.search.cursor import Cursor
from imgd.search.order import Order, Page, Placed
from imgd.search.ranked import Ranked
from imgd.store.database import Database
from imgd.store.statements import load_statements

CANDIDATES = 500
"""Photos that each way of searching gives to the first list."""

SORTED = 5000
"""Photos that are put in the order of dates or paths where a query has words: the best of those that match."""

_LONGER, _MOST_CANDIDATES = 4, 40_000
_ABOVE_ALL = 2.0  # of any score

Find = Callable[[int], Awaitable[Sequence[Ranked]]]
"""Ranks all branches, with so many candidates."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the answer is wanted."""

    sort: str
    after: Cursor | None
    limit: int
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """A page; how many photos were found in all (`counted`: not only at least so many); the scores of those on the
    page, at least; the rankings that found them; and where the next page begins."""

    page: Page
    found: int
    counted: bool
    scores: Mapping[int, float]
    ranked: Sequence[Ranked] = ()
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """What all branches found together. `goes_on`: with more candidates it may be more."""

    scores: dict[int, float]
    found: int
    counted: bool
    goes_on: bool
    ranked: Sequence[Ranked]


class Walk:
    """Gives the pages of ranked branches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._order = Order(database)
        self._sql = load_statements("imgd.search", "search")

    async def page(self, find: Find, wanted: Wanted) -> Found:
        """The page that is wanted."""
        if wanted.sort != "score":
            listed = await self._list(find, SORTED, wanted.min_score)
            page = await asyncio.to_thread(
                self._order.page, listed.scores, wanted.sort, wanted.after, wanted.limit
            )
            after = page.last() if page.more else None
            return Found(page, listed.found, listed.counted, listed.scores, listed.ranked, after)
        first = max(CANDIDATES, -(-wanted.limit * 5 // 2))
        place = wanted.after or Cursor(_ABOVE_ALL, 0, first, first)
        photos: list[Placed] = []
        scores: dict[int, float] = {}
        ranked: list[Ranked] = []
        given = await self._given(find, place, wanted.min_score)
        while True:
            listed = await self._list(find, place.candidates, wanted.min_score)
            rest = {each: score for each, score in listed.scores.items() if each not in given}
            page = self._order.page(rest, "score", place, wanted.limit - len(photos))
            photos += page.photos
            scores |= rest
            given |= rest.keys()  # where it goes on, then with a longer list
            ranked += listed.ranked
            after = _next(place, page, listed, is_new=bool(rest))
            if after is None or len(photos) == wanted.limit:
                return Found(Page(tuple(photos)), listed.found, listed.counted, scores, ranked, after)
            place = after

    async def _given(self, find: Find, place: Cursor, min_score: float) -> set[int]:
        """All photos of the lists before the one of `place`."""
        given: set[int] = set()
        candidates = place.first
        while 0 < candidates < place.candidates:
            given.update((await self._list(find, candidates, min_score)).scores)
            candidates *= _LONGER
        return given

    async def _list(self, find: Find, candidates: int, min_score: float) -> _Listed:
        return await asyncio.to_thread(self._unite, await find(candidates), min_score)

    def _unite(self, rankings: Sequence[Ranked], min_score: float) -> _Listed:
        """The photos of all branches, each with its best score."""
        scores = dict(rankings[0].scores)
        for ranked in rankings[1:]:
            for photo_id, score in ranked.scores.items():
                if score > scores.get(photo_id, -1.0):
                    scores[photo_id] = score
        if min_score:
            every = len(scores)
            scores = {each: score for each, score in scores.items() if shown(score) >= min_score}
            scores = self._present(scores)
            # Beyond one that scores less there are only such.
            goes_on = len(scores) == every and any(each.goes_on for each in rankings)
            return _Listed(scores, len(scores), not goes_on, goes_on, rankings)
        scores = self._present(scores)
        unlisted = [each.unlisted for each in rankings]
        goes_on = any(each.goes_on for each in rankings)
        counted = all(each.counted for each in rankings) and not (any(unlisted) and len(rankings) > 1)
        if len(rankings) == 1:
            return _Listed(scores, len(scores) + unlisted[0], counted, goes_on, rankings)
        # What one branch has not listed may be what another one has, so that the largest tells how many at least.
        least = [len(each.scores) + more if more else 0 for each, more in zip(rankings, unlisted, strict=True)]
        return _Listed(scores, max(len(scores), *least), counted, goes_on, rankings)

    def _present(self, scores: dict[int, float]) -> dict[int, float]:
        """Without the photos that are missing, or were purged since an index saw them."""
        values = {"photo_ids": json.dumps(list(scores))}
        with self._database.read() as library:
            for (photo_id,) in library.execute(self._sql["absent"], values):
                del scores[photo_id]
        return scores


def shown(score: float) -> float:
    """A score as people see it, and so as they ask for it."""
    return round(score, 3)


def _next(place: Cursor, page: Page, listed: _Listed, *, is_new: bool) -> Cursor | None:
    """Where to go on behind `page`, which began at `place`: in the same list, or in a longer one."""
    if page.more:
        return page.last(place.candidates, place.first)
    longer = place.candidates * _LONGER
    if not listed.goes_on or longer > _MOST_CANDIDATES or (place.candidates > place.first and not is_new):
        return None
    return Cursor(_ABOVE_ALL, 0, longer, place.first)
