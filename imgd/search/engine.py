"""A search: from what a person typed to one page of photos, each with its reasons."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from imgd.config import SearchSettings
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.branches import Branch, are_all_met, branches, filters, leaves, written
from imgd.search.clock import AllEncoders, TimedEncoders, timed
from imgd.search.conditions import Condition
from imgd.search.cursor import Cursor
from imgd.search.explain import Explanations
from imgd.search.filters import Filters
from imgd.search.freshness import Freshness
from imgd.search.grammar import parse
from imgd.search.likeness import Files
from imgd.search.listing import Listing
from imgd.search.notes import Notes
from imgd.search.options import SearchOptions
from imgd.search.query import And, Filter, Like, Node, Phrase, Word
from imgd.search.ranked import Prepared, Ranked, RankedSearch
from imgd.search.restriction import Restriction, either
from imgd.search.terms import Terms
from imgd.search.vocabulary import Vocabulary
from imgd.search.walk import Found, Walk, Wanted, shown
from imgd.store.database import Database


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A photo that was found. `path` is absolute and exact; `score` is 0 to 1, above 0.5 for exact hits.

    `why`: the reasons in short; `reasons`: all of them, where they were asked for.
    """

    photo_id: int
    path: bytes
    score: float
    why: tuple[str, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """One page of hits, how many photos were found in all (`found_exact`: not only at least so many), the cursor
    of the next page, what kept the search from seeing everything, and the time that encoders took of it."""

    query: str
    hits: tuple[SearchHit, ...]
    found: int
    notes: tuple[str, ...] = ()
    found_exact: bool = True
    after: str = ""
    encoder_ms: float = field(default=0.0, compare=False)


class SearchEngine:
    """Answers searches. What blocks runs in threads, so the event loop stays free."""

    def __init__(
        self,
        database: Database,
        text_index: TextIndex,
        spaces: SpaceIndexes,
        encoders: AllEncoders,
        *,
        files: Files,
        settings: SearchSettings,
        cache: Path,
        facts: Mapping[str, Mapping[str, type]] | None = None,
    ) -> None:
        """`files` decodes what stands after `like:`; `cache`: a folder for vectors of labels and backgrounds, that
        can be made again; `facts`: what the installed analyzers declare, by their names."""
        self._database = database
        self._settings = settings
        self._words = Words(text_index)
        self._vocabulary = Vocabulary(database, facts)
        self._filters = Filters(database, self._words, self._vocabulary)
        self._listing = Listing(database)
        self._ranked = RankedSearch(
            database,
            self._words,
            self._vocabulary,
            spaces,
            TimedEncoders(encoders),
            listing=self._listing,
            files=files,
            cache=cache,
        )
        self._walk = Walk(database)
        self._explanations = Explanations(database, self._words)
        self._freshness = Freshness(database, text_index)
        self._warming: asyncio.Task[None] | None = None

    async def search(self, query: str, options: SearchOptions = SearchOptions()) -> SearchAnswer:  # noqa: B008
        """A page of the photos that match `query`.

        Raises:
            QueryError: when the query cannot be understood.
            CursorError: when the cursor is not one of an earlier page of this query.
        """
        notes = Notes()
        tree = await asyncio.to_thread(self._parse, query)
        alternatives = branches(tree)
        is_ranked = any(each.is_ranked for each in alternatives)
        sort = "date" if options.sort == "score" and not is_ranked else options.sort
        after = Cursor.decode(options.after, query, sort)
        wanted = Wanted(sort, after, options.limit or self._settings.limit, options.min_score)
        with timed() as stopwatch:
            if any(map(_is_of_words, leaves(tree))):
                await asyncio.to_thread(self._freshness.tell, notes)
            prepared = await asyncio.to_thread(self._prepare, alternatives, notes)
            if is_ranked:
                found = await self._walk.page(partial(self._rank, prepared, options, notes), wanted)
            else:
                found = await asyncio.to_thread(self._list, prepared, wanted)
        typed = tree if options.explain or not all(each.is_ranked for each in alternatives) else None
        hits = await asyncio.to_thread(self._hits, found, typed, options)
        return SearchAnswer(
            query,
            hits,
            found.found,
            notes.sentences(),
            found.counted,
            found.after.encode(query, sort) if found.after is not None else "",
            stopwatch.spent_ms,
        )

    async def _rank(
        self, prepared: Sequence[Prepared], options: SearchOptions, notes: Notes, candidates: int
    ) -> Sequence[Ranked]:
        finding = (self._ranked.find(each, candidates, options.cwd, notes) for each in prepared)
        return await asyncio.gather(*finding)

    def _parse(self, query: str) -> Node:
        return parse(query, self._vocabulary.facts(), self._vocabulary.likely_facts)

    async def complete(self, query: str, limit: int) -> list[str]:
        """Ways to go on with the last term of the half-typed `query`."""
        return await asyncio.to_thread(self._vocabulary.complete, query, limit)

    async def warm(self) -> None:
        """Prepare the picture search, so that the first query does not wait for it; without models, nothing."""
        await asyncio.gather(asyncio.to_thread(parse, "warm"), self._ranked.warm())

    def begin_warming(self) -> int:
        """Begin to warm every space, and say how many there are."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self.warm(), name="warm search")
        return self._ranked.space_count

    # ------------------------------------------------------------------ blocking: in threads

    def _prepare(self, alternatives: Sequence[Branch], notes: Notes) -> list[Prepared]:
        prepared = []
        conditions: dict[tuple[Node, ...], Condition] = {}  # alternatives often share their filters
        for branch in alternatives:
            terms = Terms.of(branch)
            restriction = None
            if branch.conditions or branch.phrases or branch.excluded:
                if branch.conditions not in conditions:
                    conditions[branch.conditions] = self._filters.compile(And(branch.conditions))
                condition = conditions[branch.conditions]
                notes.add(*condition.notes)
                restriction = Restriction(
                    condition,
                    terms,
                    self._words,
                    has_filters=bool(branch.conditions),
                    listed=not branch.is_ranked,
                )
            prepared.append(Prepared(branch, terms, restriction))
        return prepared

    def _list(self, prepared: Sequence[Prepared], wanted: Wanted) -> Found:
        restriction = either([each.restriction for each in prepared if each.restriction is not None])
        page = self._listing.page(restriction, wanted.sort, wanted.after, wanted.limit)
        found, counted = restriction.count()
        scores = {each.photo_id: 1.0 for each in page.photos}
        return Found(page, found, counted, scores, after=page.last() if page.more else None)

    def _hits(self, found: Found, typed: Node | None, options: SearchOptions) -> tuple[SearchHit, ...]:
        """`typed`: the query, where its filters are to be told as reasons."""
        photo_ids = [each.photo_id for each in found.page.photos]
        met = self._met(typed, photo_ids) if typed is not None else {}
        explained = self._explanations.explain(photo_ids, found.ranked, met, in_full=options.explain)
        return tuple(
            SearchHit(each.photo_id, each.path, shown(found.scores[each.photo_id]), each.why, each.reasons)
            for each in explained
        )

    def _met(self, tree: Node, photo_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """The filters of the query that each photo meets."""
        met: dict[int, list[str]] = {each: [] for each in photo_ids}
        all_met, ids = are_all_met(tree), np.array(photo_ids, np.int64)
        for each in filters(tree):
            keeps = ids if all_met else ids[self._filters.compile(each).keep(ids)]
            for photo_id in keeps.tolist():
                met[photo_id].append(written(each))
        return met


def _is_of_words(term: Word | Phrase | Filter | Like) -> bool:
    """Whether the text index answers it."""
    return isinstance(term, Word | Phrase) or (isinstance(term, Filter) and term.key in ("text", "caption"))
