"""Photos that look like what a query says: its words as vectors, compared with those of every photo."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imgd.index.matches import Matches
from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import SpaceIndex
from imgd.search.cutoff import FEW_WORDS, Cutoffs, Measured
from imgd.search.query_texts import QueryTexts
from imgd.search.rank import Likeness
from imgd.search.restriction import Restriction, enough

MOST_WORDS = 16
"""Words of a sentence that are looked at one by one."""

_SEARCHED_WORDS = 3
_ASKED = 1000

Vectors = npt.NDArray[np.float32]


class PictureSearch:
    """Searches every space that has both an encoder and vectors."""

    def __init__(self, spaces: SpaceIndexes, texts: QueryTexts) -> None:
        self._spaces = spaces
        self._texts = texts
        self._cutoffs = Cutoffs(texts.of_texts)
        self._renewals: dict[str, asyncio.Task[None]] = {}

    def spaces(self) -> Sequence[str]:
        """Every space that an encoder has."""
        return self._texts.spaces()

    async def serving(self) -> Sequence[str]:
        """The spaces to search: of an old one and its successor, the old one until the new one is complete; and
        of all these those that `[search] meaning` wants."""
        return await asyncio.to_thread(self._spaces.serving, self._texts.spaces(), self._texts.unable())

    async def warm(self, space: str) -> bool:
        """Prepare what every search in `space` needs; False where the library has no vectors there yet.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        index = await asyncio.to_thread(self._spaces.get, space)
        if index is None or not index.space.dimensions:
            return False
        background = await self._texts.whole_background(space)
        if background is not None:
            await asyncio.to_thread(self._cutoffs.renew, index, background)
        return True

    async def find(
        self, space: str, sentence: str, words: Sequence[str], restriction: Restriction | None, candidates: int
    ) -> Likeness | None:
        """The `candidates` photos most like `sentence` in `space`, which of them match, and how that was judged.

        `words`: those of the sentence that tell something. None when the library has no vectors there.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        index = await asyncio.to_thread(self._spaces.get, space)
        if index is None or not index.space.dimensions:
            return None
        is_sentence = len(words) > FEW_WORDS and space not in self._texts.of_texts()
        telling = words[:MOST_WORDS] if is_sentence else ()
        queries = await self._texts.encode(space, [sentence, *telling])
        background = await self._texts.background(space)
        if background is None:
            background = queries[:1]  # an encoder that names no background is measured by the query itself
        found = await asyncio.to_thread(self._compare, index, queries, background, restriction, candidates)
        self._renew_later(index, background)
        return found

    def _compare(
        self,
        index: SpaceIndex,
        queries: Vectors,
        background: Vectors,
        restriction: Restriction | None,
        candidates: int,
    ) -> Likeness | None:
        measured = self._cutoffs.of(index, background)
        if measured is None:
            return None
        found = most_like(index, queries[:1], candidates, restriction)[0]
        if not len(found):
            return None
        cutoff, best = measured.cutoff, float(found.similarities[0])
        least = cutoff.least(best, _best_of_words(index, queries[1:], measured, best, restriction))
        similarities: dict[int, float] = {}
        for photo_id, similarity in zip(found.photo_ids.tolist(), found.similarities.tolist(), strict=True):
            similarities.setdefault(photo_id, similarity)
        asked_all = restriction is None or restriction.ids is not None or index.size <= max(_ASKED, candidates)
        complete = asked_all and len(found) < candidates
        return Likeness(
            index.space.name,
            similarities,
            least,
            cutoff.centre,
            cutoff.scatter,
            complete,
            of_texts=cutoff.of_texts,
        )

    def _renew_later(self, index: SpaceIndex, background: Vectors) -> None:
        """Measure a stale cut-off again, once this search has been answered."""
        name = index.space.name
        running = self._renewals.get(name)
        if self._cutoffs.is_stale(index, background) and (running is None or running.done()):
            renewal = asyncio.to_thread(self._cutoffs.renew, index, background)
            self._renewals[name] = asyncio.create_task(renewal, name=f"cut-off of {name}")


def _best_of_words(
    index: SpaceIndex, words: Vectors, measured: Measured, best: float, restriction: Restriction | None
) -> list[float]:
    """For each of `words` (w, d), the similarity of its best photo, or less where that tells enough.

    A search for every word would cost as much as so many queries. What the sample has is often enough to match;
    if not, the words that stand out most in it are searched for. A broad restriction is left aside here.
    """
    if not len(words):
        return []
    if restriction is not None and restriction.ids is not None:
        return [float(each.similarities[0]) for each in index.find(words, 1, restriction.ids) if len(each)]
    bests = measured.best(words)
    if math.isinf(measured.cutoff.least(best, bests)):
        promising = sorted(range(len(bests)), key=lambda word: -bests[word])[:_SEARCHED_WORDS]
        for word, found in zip(promising, index.find(words[promising], 1), strict=True):
            if len(found):
                bests[word] = max(bests[word], float(found.similarities[0]))
    return bests


def most_like(index: SpaceIndex, queries: Vectors, k: int, restriction: Restriction | None) -> list[Matches]:
    """The `k` vectors most like each of `queries`, of photos that `restriction` lets pass.

    A broad restriction is asked about the best of all first. Where that leaves too few, and there are more, the
    search is made again over all photos that pass.
    """
    if restriction is None:
        return index.find(queries, k)
    if restriction.ids is not None:
        return index.find(queries, k, restriction.ids)
    asked = max(_ASKED, k)
    found = [_kept(each, restriction) for each in index.find(queries, asked)]
    if any(len(each) < max(1, enough(k)) for each in found) and index.size > asked:
        return index.find(queries, k, restriction.all_ids())
    return [_head(each, k) for each in found]


def _kept(found: Matches, restriction: Restriction) -> Matches:
    keeps = restriction.keep(found.photo_ids)
    return Matches(found.vector_ids[keeps], found.photo_ids[keeps], found.similarities[keeps])


def _head(found: Matches, k: int) -> Matches:
    return Matches(found.vector_ids[:k], found.photo_ids[:k], found.similarities[:k])
