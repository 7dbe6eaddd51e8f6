"""Photos whose tags are near in meaning to the words of a query: `puppy` finds what is tagged `golden retriever`.

Each telling word is compared with every tag that the library knows, by the text encoder of a space. A tag counts
with its nearness beyond what is common, times the square root of its score; of a photo the best tag for each word;
and words by how few photos they are near to. The work grows with the vocabulary of tags, not with photos.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgd.errors import ImgdError
from imgd.index.matches import Floats, Ids
from imgd.index.spelling import fold
from imgd.search.labels import KnownLabels, Label, Labels
from imgd.search.query_texts import QueryTexts
from imgd.search.rank import SURE
from imgd.store.database import Database
from imgd.store.statements import load_statements

LEAST_COSINE, COMMON_PERCENTILE = 0.5, 90.0
"""From this cosine on a tag is near to a word. In the space of imgd-concepts, 90 % of the pairs of background
texts are less near; in a space whose texts lie closer together, that percentile is the limit."""

TOLD_APART = 0.6
"""Words are told apart where `COMMON_PERCENTILE` of the pairs of background texts are less alike than this."""

OBJECT_WEIGHT = 1.5
"""What a tag counts that a detector has found, against a label of the whole photo."""

MOST_WORDS = 16
LABELS_A_WORD = 32
MOST_TAGS, LEAST_TAGS_A_LABEL, MOST_TAGS_A_LABEL = 10_000, 50, 1000
"""Tags of photos that one query looks at: in all, and of each label, the best-scored ones."""

_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Reason:
    """A word, the tag that it is near to, how near, and the tag's score."""

    word: str
    tag: str
    cosine: float
    score: float

    def __str__(self) -> str:
        if fold(self.word) == fold(self.tag):
            return f"tag: {self.tag} {self.score:.2f}"
        return f"{self.word} ~ {self.tag} {self.cosine:.2f}"


@dataclass(frozen=True, slots=True)
class _Best:
    """One word: photos in rising order, and for each the row of its best tag in `near`."""

    word: str
    photo_ids: Ids
    rows: Ids


@dataclass(frozen=True, slots=True)
class _Tags:
    """Tags of photos, all (n,): rows of the known labels, photos, scores."""

    labels: Ids
    photo_ids: Ids
    scores: Floats


@dataclass(frozen=True, slots=True)
class Near:
    """`scores`: photo id -> how near its tags are to the words, from 0; `sure`: photos that have for every word a
    tag of nearly the same meaning of which its analyzer is sure."""

    scores: Mapping[int, float] = field(default_factory=dict)
    sure: frozenset[int] = frozenset()
    _best: Sequence[_Best] = ()
    _tags: _Tags | None = None
    _labels: Sequence[Label] = ()
    _cosines: Floats | None = None

    def reasons(self, photo_id: int) -> list[str]:
        """The best tag of the photo for each word, the nearest first."""
        found = []
        for word, best in enumerate(self._best):
            at = int(np.searchsorted(best.photo_ids, photo_id))
            if self._tags is None or self._cosines is None or at == len(best.photo_ids):
                continue
            if best.photo_ids[at] != photo_id:
                continue
            row = int(best.rows[at])
            label = int(self._tags.labels[row])
            cosine, score = float(self._cosines[word, label]), float(self._tags.scores[row])
            found.append(Reason(best.word, self._labels[label].text, cosine, score))
        return [str(each) for each in sorted(found, key=lambda each: -each.cosine)]


class Meaning:
    """Finds photos by the meaning of their tags."""

    def __init__(self, database: Database, texts: QueryTexts, folder: Path) -> None:
        """`folder`: where vectors of tags are kept."""
        self._database = database
        self._texts = texts
        self._labels = Labels(database, texts, folder)
        self._common: dict[str, tuple[int, float]] = {}
        self._sql = load_statements("imgd.search", "meaning")

    async def space(self) -> str | None:
        """The space in which words are best told apart, whether or not photos are searched in it; None where no
        words can be encoded.

        It is the one whose background texts are least alike. The texts of a model that was trained to compare
        pictures with texts (CLIP) lie close together, so that a tenth of all tags is near to any word; those of a
        sentence encoder do not. Of several that tell words apart, one of looks comes before one of captions: with
        that of imgd-concepts recall@1 of captions is 0.50, with that of its descriptions 0.42.
        """
        unable = self._texts.unable()
        spaces = [space for space in self._texts.spaces() if space not in unable]
        if len(spaces) <= 1:
            return next(iter(spaces), None)
        common = await asyncio.gather(*map(self._common_cosine, spaces), return_exceptions=True)
        found: dict[str, float] = {}
        for space, cosine in zip(spaces, common, strict=True):
            if isinstance(cosine, float):
                found[space] = cosine
            elif not isinstance(cosine, ImgdError):  # else its looks are noted, where it is asked for any
                raise cosine
        of_texts = self._texts.of_texts()
        return min(found, key=lambda space: (max(TOLD_APART, found[space]), space in of_texts), default=None)

    async def warm(self, space: str) -> None:
        """Return once every tag of the library can be compared with words in `space`."""
        await self._labels.warm(space)

    async def find(self, space: str, words: Sequence[str], within: Ids | None) -> Near | None:
        """What is near to `words` by the tags that are encoded so far; None before there are any.

        `within`: photo ids in rising order; only these can be found. None: all can.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        known = self._labels.known(space)
        words = list(dict.fromkeys(words))[:MOST_WORDS]
        if known is None or not known.labels or not words:
            return None
        vectors = await self._texts.encode(space, words)
        least = max(LEAST_COSINE, await self._common_cosine(space))
        return await asyncio.to_thread(self._find, known, words, vectors, least, within)

    async def _common_cosine(self, space: str) -> float:
        """How near two everyday things are in `space`, but for the nearest tenth; `LEAST_COSINE` where its encoder
        names none."""
        background = await self._texts.background(space)
        if background is None or len(background) < 2:
            return LEAST_COSINE
        if space not in self._common or self._common[space][0] < len(background):
            self._common[space] = len(background), await asyncio.to_thread(_common_cosine, background)
        return self._common[space][1]

    # ------------------------------------------------------------------ blocking: in threads

    def _find(
        self, known: KnownLabels, words: Sequence[str], vectors: Floats, least: float, within: Ids | None
    ) -> Near:
        cosines = _cosines(vectors, known.vectors)
        weights = _weights(cosines, least)
        tags = self._tags(known, weights.max(axis=0), within)
        if not len(tags.photo_ids):
            return Near()
        photo_ids = np.unique(tags.photo_ids)
        totals = np.zeros(len(photo_ids), np.float32)
        is_sure = np.ones(len(photo_ids), np.bool_)
        objects = np.array([OBJECT_WEIGHT if label.is_object else 1.0 for label in known.labels], np.float32)
        strength = np.sqrt(tags.scores) * objects[tags.labels]
        best = []
        for word, row in enumerate(weights):
            found = _best_tags(tags, row[tags.labels] * strength)
            values = row[tags.labels[found]] * strength[found]
            at = np.searchsorted(photo_ids, tags.photo_ids[found])
            totals[at] += values * _rarity(len(found), row, known)
            nearly_same = (cosines[word, tags.labels] >= (1.0 + least) / 2) & (tags.scores >= SURE)
            is_sure &= np.isin(photo_ids, tags.photo_ids[nearly_same])
            best.append(_Best(words[word], tags.photo_ids[found], found))
        scores = dict(zip(photo_ids.tolist(), totals.tolist(), strict=True))
        return Near(scores, frozenset(photo_ids[is_sure].tolist()), best, tags, known.labels, cosines)

    def _tags(self, known: KnownLabels, nearness: Floats, within: Ids | None) -> _Tags:
        """The tags of photos whose label is near to a word at all (`nearness` (n,) > 0)."""
        rows = np.flatnonzero(nearness)
        row_of = {known.labels[row].id: row for row in rows.tolist()}
        with self._database.read() as library:
            if within is None:
                share = min(MOST_TAGS_A_LABEL, max(LEAST_TAGS_A_LABEL, MOST_TAGS // max(1, len(rows))))
                values = {"labels": json.dumps(list(row_of)), "others": share - 1}
                found = library.execute(self._sql["near"], values).fetchall()
            else:
                values = {"photo_ids": json.dumps(within.tolist()), "labels": json.dumps(list(row_of))}
                found = library.execute(self._sql["near_within"], values).fetchall()
        return _Tags(
            np.array([row_of[each[0]] for each in found], np.int64),
            np.array([each[1] for each in found], np.int64),
            np.array([each[2] for each in found], np.float32),
        )


def _common_cosine(background: Floats) -> float:
    pairs = (background @ background.T)[np.triu_indices(len(background), 1)]
    return float(np.percentile(pairs, COMMON_PERCENTILE))


def _cosines(words: Floats, labels: npt.NDArray[np.float16]) -> Floats:
    """(w, n); the labels are made float32 some at a time, which all at once would take twice their memory."""
    cosines = np.empty((len(words), len(labels)), np.float32)
    for start in range(0, len(labels), _ROWS):
        cosines[:, start : start + _ROWS] = words @ labels[start : start + _ROWS].astype(np.float32).T
    return cosines


def _weights(cosines: Floats, least: float) -> Floats:
    """(w, n): 0 for a label that is not near to the word, else how far beyond `least` it is, at most 0.5."""
    weights = np.where(cosines > least, (cosines - least) * np.float32(0.5 / (1.0 - least)), np.float32(0.0))
    if weights.shape[1] > LABELS_A_WORD:
        nearest = np.argpartition(-weights, LABELS_A_WORD, axis=1)[:, LABELS_A_WORD:]
        np.put_along_axis(weights, nearest, np.float32(0.0), axis=1)
    return weights


def _best_tags(tags: _Tags, values: Floats) -> Ids:
    """Rows of the tag with the best value of each photo, in the order of photo ids; none of value 0."""
    rows = np.flatnonzero(values > 0)
    order = rows[np.lexsort((-values[rows], tags.photo_ids[rows]))]
    _, first = np.unique(tags.photo_ids[order], return_index=True)
    return order[first]


def _rarity(found: int, weights: Floats, known: KnownLabels) -> np.float32:
    """Inverse frequency, 0 to 1, of a word that `found` photos were found near to, or as many as its commonest tag
    has where not all of these were looked at."""
    commonest = max((known.labels[row].photos for row in np.flatnonzero(weights).tolist()), default=0)
    photos = max(known.photos, found, commonest)
    return np.float32(np.log((photos + 1) / (max(found, commonest) + 1)) / np.log(photos + 1))
