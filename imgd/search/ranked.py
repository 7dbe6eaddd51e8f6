"""One branch of a query, ranked: every way of searching asked, what they say fused into one score a photo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from imgd.errors import ImgdError, ModelError, QueryError, SearchError
from imgd.index.matches import Ids
from imgd.index.spaces import SpaceIndexes
from imgd.index.words import Words
from imgd.search.branches import Branch
from imgd.search.clock import AllEncoders
from imgd.search.doubt import Doubts
from imgd.search.exact import ExactSearch
from imgd.search.likeness import Files, LikenessSearch
from imgd.search.listing import Listing
from imgd.search.meaning import Meaning, Near
from imgd.search.notes import Notes
from imgd.search.pictures import PictureSearch
from imgd.search.query import Like
from imgd.search.query_texts import QueryTexts
from imgd.search.rank import Likeness, Signals, certain, score
from imgd.search.readiness import Readiness
from imgd.search.restriction import Restriction
from imgd.search.terms import Terms
from imgd.search.vocabulary import Vocabulary
from imgd.search.wording import Worded, WordSearch
from imgd.store.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A branch with what was looked up for it; `restriction` is None where it may find every photo."""

    branch: Branch
    terms: Terms
    restriction: Restriction | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """The photos that a branch found, with their scores, 0 to 1.

    `unlisted`: how many more match that are not among the candidates; `counted`: whether that is all of them.
    `signals` and `near` say why. `themselves`: photos that stand after `like:` -> as what they were typed.
    """

    terms: Terms
    scores: Mapping[int, float]
    unlisted: int = 0
    counted: bool = True
    signals: Signals = field(default_factory=Signals)
    near: Sequence[Near] = ()
    themselves: Mapping[int, str] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether more candidates may find more: words match others, or all that were looked at look alike."""
        return bool(self.unlisted) or any(
            not each.complete and min(each.similarities.values(), default=-1.0) >= each.least
            for each in self.signals.likenesses
        )

    @property
    def is_of_texts(self) -> bool:
        """Whether some photos were found by their captions."""
        return any(each.of_texts and each.found() for each in self.signals.likenesses)

    def why(self, photo_id: int, of_which: str = "", captions: Sequence[str] = ()) -> list[str]:
        """The reasons that are no words of the photo, in short: `looks like: 0.41 (cut-off 0.28)`, `looks like
        a.jpg: 0.93 (cut-off 0.72)`, `description: 0.71 (cut-off 0.45), a puppy on a lawn`, and `puppy ~ golden
        retriever 0.61`. `of_which` stands before those that do not say what was asked for; `captions`: those of
        the photo."""
        lines = [line for each in self.near for line in each.reasons(photo_id)]
        return lines + [
            f"{_looks_like(each, of_which)}: {each.similarities[photo_id]:.2f} (cut-off {each.least:.2f})"
            + (f", {' / '.join(captions)}" if each.of_texts and captions else "")
            for each in self.signals.likenesses
            if each.similarities.get(photo_id, -1.0) >= each.least
        ]

    def reasons(self, photo_id: int, of_which: str = "") -> list[str]:
        """What else is to be known: exact hits, and the rank in each way of searching, `of_which` before it."""
        signals = self.signals
        lines = []
        if photo_id in self.themselves:
            lines.append(f"the photo itself: {self.themselves[photo_id]}")
        elif photo_id in signals.exact:
            lines.append(f"named exactly: {self.terms.sentence}")
        ranks = [("by all words", signals.full), ("by some words", signals.partial)]
        ranks.append(("by meaning", sorted(signals.near, key=lambda each: (-signals.near[each], each))))
        by_words = [(of_which, way, found) for way, found in ranks]
        by_looks = [(*_by_looks(each, of_which), list(each.similarities)) for each in signals.likenesses]
        return lines + [
            f"{asked}rank {found.index(photo_id) + 1} {way}"
            for asked, way, found in (*by_words, *by_looks)
            if photo_id in found
        ]


def _looks_like(likeness: Likeness, of_which: str) -> str:
    if likeness.target:
        return f"looks like {likeness.target}"
    return f"{of_which}{'description' if likeness.of_texts else 'looks like'}"


def _by_looks(likeness: Likeness, of_which: str) -> tuple[str, str]:
    """What was asked for, where the second does not say it, and the way of searching."""
    if likeness.target:
        return "", f"by likeness to {likeness.target} in {likeness.space}"
    if likeness.of_texts:
        return of_which, f"by description in {likeness.space}"
    return of_which, f"by looks in {likeness.space}"


class RankedSearch:
    """Ranks branches."""

    def __init__(
        self,
        database: Database,
        words: Words,
        vocabulary: Vocabulary,
        spaces: SpaceIndexes,
        encoders: AllEncoders,
        *,
        listing: Listing,
        files: Files,
        cache: Path,
    ) -> None:
        """`cache`: a folder for vectors of labels and backgrounds, which can be made again."""
        self._wording = WordSearch(words)
        self._doubts = Doubts(database, words)
        self._exact = ExactSearch(database, words, vocabulary)
        texts = QueryTexts(encoders, cache)
        self._pictures = PictureSearch(spaces, texts)
        self._meaning = Meaning(database, texts, cache)
        self._readiness = Readiness(self._pictures, self._meaning)
        self._likeness = LikenessSearch(database, words, spaces, encoders, files)
        self._listing = listing

    @property
    def space_count(self) -> int:
        return len(self._pictures.spaces())

    async def warm(self) -> None:
        """Prepare every space; without models, nothing."""
        await self._readiness.warm(self._pictures.spaces())

    async def find(self, prepared: Prepared, candidates: int, cwd: bytes | None, notes: Notes) -> Ranked:
        """The photos of a branch, `candidates` of them for each way of searching.

        Raises:
            QueryError: when what stands after `like:` is not found.
        """
        branch, terms, restriction = prepared.branch, prepared.terms, prepared.restriction
        if not branch.is_ranked:
            return await asyncio.to_thread(self._listed, terms, restriction, candidates)
        (worded, exact), (looks, near), (likes, themselves) = await asyncio.gather(
            asyncio.to_thread(self._find_words, terms, restriction, candidates, notes),
            self._find_by_meaning(terms, restriction, candidates, notes),
            self._find_likes(branch.likes, restriction, candidates, cwd, notes),
        )
        words = worded, {**exact, **dict.fromkeys(themselves, 1.0)}
        ranked = await asyncio.to_thread(self._score, prepared, words, near, (*looks, *likes), notes)
        return replace(ranked, themselves=themselves)

    def _listed(self, terms: Terms, restriction: Restriction | None, candidates: int) -> Ranked:
        """Filters alone, beside other branches: the newest photos, all alike."""
        if restriction is None:
            return Ranked(terms, {})
        page = self._listing.page(restriction, "date", None, candidates)
        found, counted = restriction.count()
        scores = {each.photo_id: 1.0 for each in page.photos}
        return Ranked(terms, scores, max(0, found - len(scores)), counted)

    def _find_words(
        self, terms: Terms, restriction: Restriction | None, candidates: int, notes: Notes
    ) -> tuple[Worded, Mapping[int, float]]:
        if not terms.sentence:
            return Worded(), {}
        try:
            found = self._wording.find(terms, restriction, candidates)
            return found, self._exact.find(terms.sentence, restriction, candidates)
        except ImgdError as error:
            notes.add(f"words cannot be searched now: {error.detail or error}")
            return Worded(), {}

    async def _find_by_meaning(
        self, terms: Terms, restriction: Restriction | None, candidates: int, notes: Notes
    ) -> tuple[list[Likeness], list[Near]]:
        """What looks like the words, and what is tagged with something near in meaning. A query of quoted phrases
        alone asks for neither."""
        if not terms.words:
            return [], []
        spaces = await self._pictures.serving()
        await self._readiness.wait(spaces, notes)
        within = restriction.ids if restriction is not None else None
        sentence, words = terms.sentence, terms.content_words
        looks, near = await asyncio.gather(
            _those_that_work(
                [self._pictures.find(each, sentence, words, restriction, candidates) for each in spaces], notes
            ),
            # What keeps a space from this is noted for its looks.
            _those_that_work([self._find_near(words, within)], Notes()),
        )
        return looks, near

    async def _find_near(self, words: Sequence[str], within: Ids | None) -> Near | None:
        """The photos with tags that are near in meaning, in the space that tells words apart best."""
        space = await self._meaning.space()
        return None if space is None else await self._meaning.find(space, words, within)

    async def _find_likes(
        self,
        likes: Sequence[Like],
        restriction: Restriction | None,
        candidates: int,
        cwd: bytes | None,
        notes: Notes,
    ) -> tuple[list[Likeness], dict[int, str]]:
        """What looks like the photos after `like:`, one after the other, and which of the library's these are,
        with what was typed for each."""
        found: list[Likeness] = []
        themselves: dict[int, str] = {}
        for like in likes:
            try:
                target = await self._likeness.resolve(like.target, cwd)
            except (QueryError, SearchError) as error:
                raise QueryError(error.detail, column=like.column, hint=error.advice) from error
            except ModelError as error:
                raise QueryError(str(error), column=like.column, hint=error.advice) from error
            notes.add(*(f"likeness is incomplete: {each}. {each.advice}".strip() for each in target.problems))
            likenesses = await _those_that_work(
                [
                    self._likeness.find(target, space, restriction, candidates)
                    for space in await self._likeness.serving(target)
                ],
                notes,
            )
            if target.photo_id is not None and any(target.photo_id in each.similarities for each in likenesses):
                themselves[target.photo_id] = like.target
            found += [replace(each, target=like.target) for each in likenesses]
        return found, themselves

    def _score(
        self,
        prepared: Prepared,
        words: tuple[Worded, Mapping[int, float]],
        near: Sequence[Near],
        likenesses: Sequence[Likeness],
        notes: Notes,
    ) -> Ranked:
        (worded, exact), restriction = words, prepared.restriction
        nearness: dict[int, float] = {}
        for each in near:
            for photo_id, value in each.scores.items():
                nearness[photo_id] = max(value, nearness.get(photo_id, 0.0))
        if restriction is not None:
            nearness = restriction.kept(nearness)
        sure = frozenset(photo_id for each in near for photo_id in each.sure if photo_id in nearness)
        signals = Signals(exact, worded.full, frozenset(), worded.partial, nearness, likenesses, sure)
        if prepared.terms.words and not certain(signals):  # else doubtful matches are in good company, and count
            signals = replace(signals, doubtful=self._doubtful(prepared.terms, worded.full, notes))
        scores = score(signals)
        unlisted = max(0, worded.found - len(exact.keys() | worded.full))
        counted = worded.counted and not (unlisted and (near or likenesses))
        if near or likenesses:  # what was found otherwise may be among the unlisted ones, which match the words
            unlisted = max(0, worded.found - len(scores))
        return Ranked(prepared.terms, scores, unlisted, counted, signals, near)

    def _doubtful(self, terms: Terms, photo_ids: Sequence[int], notes: Notes) -> frozenset[int]:
        try:
            return self._doubts.of(terms.any_of or terms.all_of, photo_ids)
        except ImgdError as error:
            notes.add(f"words cannot be searched now: {error.detail or error}")
            return frozenset()


async def _those_that_work(searches: Sequence[Awaitable[T | None]], notes: Notes) -> list[T]:
    """The answers of `searches`; one that cannot be made now is noted, and does not keep the others back."""
    found = []
    for each in await asyncio.gather(*searches, return_exceptions=True):
        if isinstance(each, ImgdError):
            notes.add(f"the picture search is waiting: {str(each).rstrip('.')}. {each.advice}".strip())
        elif isinstance(each, BaseException):
            raise each
        elif each is not None:
            found.append(each)
    return found
