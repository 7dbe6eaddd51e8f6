"""A search: from what a person typed to photos, best first, each with its reasons."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imgd.config import SearchSettings
from imgd.errors import ImgdError
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.explain import explain_alike, explain_words
from imgd.search.grammar import parse
from imgd.search.options import SearchOptions
from imgd.search.pictures import Alike, Encoders, PictureSearch
from imgd.search.rank import Ranking, fuse
from imgd.search.terms import Terms
from imgd.search.wording import Worded, WordSearch
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

__all__ = ["Encoders", "SearchAnswer", "SearchEngine", "SearchHit"]

FULL_WEIGHT, ALIKE_WEIGHT, PARTIAL_WEIGHT = 1.0, 1.0, 0.5
"""What a rank counts for: every word of the query met, likeness in one space, some words met."""

_DIRTY_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A photo that was found. `path` is absolute and exact; `score` is 0 to 1, above 0.5 for exact hits."""

    photo_id: int
    path: bytes
    score: float
    why: tuple[str, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The best hits, how many photos were found in all, and what kept the search from seeing everything."""

    query: str
    hits: tuple[SearchHit, ...]
    found: int
    notes: tuple[str, ...] = ()
    found_exact: bool = True
    after: str = ""
    encoder_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class _Likeness:
    """The photos that one space found, best first, with their similarities."""

    cutoff: float
    similarities: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Photo ids, best first, with their scores and likenesses, and how many there are in all."""

    best: Sequence[int]
    scores: Mapping[int, float]
    likenesses: Sequence[_Likeness]
    found: int


class SearchEngine:
    """Answers searches. What blocks runs in threads, so the event loop stays free."""

    def __init__(
        self,
        database: Database,
        text_index: TextIndex,
        spaces: SpaceIndexes,
        encoders: Encoders,
        settings: SearchSettings,
    ) -> None:
        self._database = database
        self._text_index = text_index
        self._words = Words(text_index)
        self._wording = WordSearch(text_index)
        self._pictures = PictureSearch(spaces, encoders)
        self._settings = settings
        self._warming: asyncio.Task[None] | None = None
        self._sql = load_statements("imgd.search", "search")

    async def search(self, query: str, options: SearchOptions = SearchOptions()) -> SearchAnswer:  # noqa: B008
        """The best `options.limit` photos (`search.limit` of the settings when None) for `query`.

        Raises:
            QueryError: when the query cannot be understood.
        """
        terms = Terms.of(parse(query))
        notes: list[str] = []
        worded = asyncio.create_task(asyncio.to_thread(self._find_words, terms, notes))
        alike = [each for each in await self._find_alike(terms, notes) if each.vectors]
        ranked = await asyncio.to_thread(self._rank, await worded, alike)
        hits = await asyncio.to_thread(self._hits, ranked, terms, options.limit or self._settings.limit)
        return SearchAnswer(query, hits, ranked.found, tuple(notes))

    def begin_warming(self) -> int:
        """Begin to warm every space, and say how many there are."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self.warm(), name="warm search")
        return len(self._pictures.spaces())

    async def complete(self, query: str, limit: int) -> list[str]:
        """Ways to go on with the last term of the half-typed `query`."""
        return []

    async def warm(self) -> None:
        """Prepare the picture search, so that the first query does not wait for it; without models, nothing."""
        await asyncio.gather(
            *(self._pictures.warm(each) for each in self._pictures.spaces()), return_exceptions=True
        )

    def _find_words(self, terms: Terms, notes: list[str]) -> Worded:
        try:
            found = self._wording.find(terms)
            covered = self._text_index.covered_seq()
        except ImgdError as error:
            notes.append(f"words cannot be searched now: {error}")
            return Worded()
        with self._database.read() as library:
            if covered < newest_change_seq(library):
                place = {"covered": covered, "limit": _DIRTY_COUNTED}
                dirty = library.execute(self._sql["dirty"], place).fetchone()[0]
                if dirty:
                    more = "more than " if dirty == _DIRTY_COUNTED else ""
                    notes.append(f"the words of {more}{dirty} changed photos are not in the index yet")
        return found

    async def _find_alike(self, terms: Terms, notes: list[str]) -> list[Alike]:
        """What looks like the words; a query of quoted phrases alone asks for no likeness."""
        if not terms.words:
            return []
        found = await asyncio.gather(
            *(self._pictures.find(space, terms) for space in self._pictures.spaces()), return_exceptions=True
        )
        alike = []
        for each in found:
            if isinstance(each, ImgdError):
                notes.append(f"the picture search is waiting: {each}. {each.advice}".strip())
            elif isinstance(each, BaseException):
                raise each
            elif each is not None:
                alike.append(each)
        return alike

    def _rank(self, worded: Worded, alike: Sequence[Alike]) -> _Ranked:
        likenesses = [self._likeness(each, worded) for each in alike]
        full = self._present(worded.full)
        candidates = set(full).union(*(each.similarities for each in likenesses))
        partial = [each for each in worded.partial if each in candidates]
        rankings = [
            Ranking(FULL_WEIGHT, full),
            Ranking(PARTIAL_WEIGHT, partial if likenesses else ()),
            *(Ranking(ALIKE_WEIGHT, list(each.similarities)) for each in likenesses),
        ]
        scores = {
            photo_id: (fused + (photo_id in worded.exact)) / 2 if worded.exact else fused
            for photo_id, fused in fuse(rankings).items()
        }
        best = sorted(scores, key=lambda photo_id: (-scores[photo_id], photo_id))
        return _Ranked(best, scores, likenesses, len(scores) + max(0, worded.found - len(worded.full)))

    def _likeness(self, alike: Alike, worded: Worded) -> _Likeness:
        """Vectors to present photos; a photo counts by its best vector."""
        with self._database.read() as library:
            rows = library.execute(
                self._sql["photos_of_vectors"], {"vector_ids": json.dumps([each for each, _ in alike.vectors])}
            )
            photo_of = dict(rows.fetchall())
        similarities: dict[int, float] = {}
        for vector_id, similarity in alike.vectors:
            photo_id = photo_of.get(vector_id)
            if photo_id is not None and worded.allows(photo_id):
                similarities.setdefault(photo_id, similarity)
        return _Likeness(alike.cutoff, similarities)

    def _present(self, photo_ids: Sequence[int]) -> list[int]:
        with self._database.read() as library:
            rows = library.execute(self._sql["present"], {"photo_ids": json.dumps(list(photo_ids))})
            present = {row[0] for row in rows}
        return [photo_id for photo_id in photo_ids if photo_id in present]

    def _hits(self, ranked: _Ranked, terms: Terms, limit: int) -> tuple[SearchHit, ...]:
        best = ranked.best[:limit]
        values = {"photo_ids": json.dumps(best)}
        with self._database.read() as library:
            paths = {row[0]: row[1:] for row in library.execute(self._sql["paths"], values)}
            tag_scores: dict[int, dict[str, float]] = {}
            for photo_id, label, score in library.execute(self._sql["tag_scores"], values):
                tag_scores.setdefault(photo_id, {})[label] = score
        try:
            marked = self._words.marked(terms.any_of, best) if terms.any_of else {}
        except ImgdError:
            marked = {}
        hits = []
        for photo_id in best:
            if photo_id not in paths:  # purged since it was found
                continue
            root, folder, name, display_name = paths[photo_id]
            why = explain_words(marked.get(photo_id, ()), display_name, tag_scores.get(photo_id, {}))
            why += _alike_lines(photo_id, ranked.likenesses)
            path = os.path.join(root, folder, name)
            hits.append(SearchHit(photo_id, path, round(ranked.scores[photo_id], 4), tuple(why)))
        return tuple(hits)


def _alike_lines(photo_id: int, likenesses: Iterable[_Likeness]) -> list[str]:
    return [
        explain_alike(each.similarities[photo_id], each.cutoff)
        for each in likenesses
        if photo_id in each.similarities
    ]
