"""Photos that a query names: its words are the whole of a tag, of a person's name, or of a file's name."""

from __future__ import annotations

import json
from collections.abc import Iterable

from imgd.index.documents import LEAST_TAG_SCORE
from imgd.index.matches import Ids
from imgd.index.words import Words
from imgd.search.restriction import Restriction
from imgd.search.vocabulary import Vocabulary
from imgd.store.database import Database
from imgd.store.statements import load_statements

_MOST_SPELLINGS = 16
"""Tags or names that differ in case and accents alone; each is asked for by itself, by an index."""


class ExactSearch:
    """Looks names up. Blocking: not for the event loop."""

    def __init__(self, database: Database, words: Words, vocabulary: Vocabulary) -> None:
        self._database = database
        self._words = words
        self._vocabulary = vocabulary
        self._sql = load_statements("imgd.search", "search")

    def find(self, sentence: str, restriction: Restriction | None, limit: int) -> dict[int, float]:
        """Photo id -> how sure it is, 0 to 1: the score of the tag; 1 for people, keywords and file names.

        At most `limit` for each tag, person or name, the surest ones. Case and accents make no difference.

        Raises:
            StoreError: while the text index is not ready.
        """
        named = dict.fromkeys(self._words.named(sentence, limit), 1.0)
        found = _kept(named, restriction)
        labels = self._vocabulary.labels_named(sentence)[:_MOST_SPELLINGS]
        people = self._vocabulary.people_named(sentence)[:_MOST_SPELLINGS]
        within = restriction.ids if restriction is not None else None
        with self._database.read() as library:
            if within is not None and labels:
                values = {"photo_ids": _json(within), "labels": json.dumps(labels), "least": LEAST_TAG_SCORE}
                _add(found, library.execute(self._sql["tagged_within"], values))
            for label in labels if within is None else ():
                values = {"label": label, "least": LEAST_TAG_SCORE, "limit": limit}
                _add(found, _kept(dict(library.execute(self._sql["tagged"], values)), restriction).items())
            for name in people:
                rows = library.execute(self._sql["people"], {"name": name, "limit": limit})
                _add(found, _kept(dict(rows), restriction).items())
        return found


def _add(found: dict[int, float], rows: Iterable[tuple[int, float]]) -> None:
    for photo_id, score in rows:
        found[photo_id] = max(score, found.get(photo_id, 0.0))


def _kept(found: dict[int, float], restriction: Restriction | None) -> dict[int, float]:
    return found if restriction is None else restriction.kept(found)


def _json(photo_ids: Ids) -> str:
    return json.dumps(photo_ids.tolist())
