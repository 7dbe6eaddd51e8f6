"""Photos that words find by nothing but tags of which their analyzer was not sure."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from imgd.index.words import Words
from imgd.search.rank import SURE
from imgd.store.database import Database
from imgd.store.statements import load_statements

_ELSEWHERE = "- {tag}"


class Doubts:
    """Tells sure matches from doubtful ones. Blocking: not for the event loop."""

    def __init__(self, database: Database, words: Words) -> None:
        self._database = database
        self._words = words
        self._sql = load_statements("imgd.search", "meaning")

    def of(self, match: str, photo_ids: Sequence[int]) -> frozenset[int]:
        """Those of `photo_ids` where no part of the FTS5 expression `match` is met by anything but unsure tags.

        Raises:
            StoreError: while the text index is not ready.
        """
        if not photo_ids:
            return frozenset()
        asked = np.unique(np.array(photo_ids, np.int64))
        elsewhere = self._words.matching(f"{_ELSEWHERE} : ({match})", within=asked)
        by_tags = np.setdiff1d(asked, elsewhere, assume_unique=True)
        values = {"photo_ids": json.dumps(by_tags.tolist()), "sure": SURE}
        with self._database.read() as library:
            tags = library.execute(self._sql["sure_tags"], values).fetchall()
        met = self._met(match, {label for _, label in tags})
        return frozenset(by_tags.tolist()) - {photo_id for photo_id, label in tags if label in met}

    def _met(self, match: str, labels: set[str]) -> set[str]:
        """Those of `labels` that meet `match`."""
        with closing(sqlite3.connect(":memory:")) as few:
            few.execute(self._sql["few_labels"])
            few.executemany(self._sql["put_label"], [(label,) for label in labels])
            return {row[0] for row in few.execute(self._sql["matching_labels"], {"match": match})}
