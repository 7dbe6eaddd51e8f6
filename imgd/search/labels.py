"""The tags that the library knows, as vectors: what the words of queries are compared with."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgd.errors import ImgdError
from imgd.index.stored import Halves
from imgd.search.kept_texts import KeptTexts
from imgd.search.query_texts import QueryTexts
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

MOST_LABELS = 50_000
"""The tags with the most photos are compared with words; 50,000 take 38 MB in a space of 384 dimensions."""

_RECOUNT_S, _RECOUNT_NEW_S = 600.0, 60.0
"""So long after a count the tags are counted again where photos have changed, or where there are new tags. A count
reads every tag of every photo, and an ingest of keywords brings new ones all the time."""

_STEP, _SAVED_EVERY = 256, 2048


@dataclass(frozen=True, slots=True)
class Label:
    """A tag of the library. `photos`: how many have it, as of the last count; `is_object`: a detector draws boxes
    around it."""

    id: int
    text: str
    photos: int
    is_object: bool


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """Tags whose vectors are there: row n of `vectors` (n, d) is that of `labels[n]`. `photos`: of the library."""

    labels: Sequence[Label]
    vectors: Halves
    photos: int


@dataclass(frozen=True, slots=True)
class _Counted:
    labels: Sequence[Label]
    photos: int
    newest_label: int
    change_seq: int
    at: float


class Labels:
    """The tags of the library in each space. For the event loop; what blocks runs in threads."""

    def __init__(self, database: Database, texts: QueryTexts, folder: Path) -> None:
        """`folder`: where vectors of tags are kept."""
        self._database = database
        self._texts = texts
        self._folder = folder
        self._sql = load_statements("imgd.search", "meaning")
        self._known: dict[str, KnownLabels] = {}
        self._counting = asyncio.Lock()
        self._counted: _Counted | None = None
        self._complete_of: dict[str, _Counted] = {}
        self._refreshing: dict[str, asyncio.Task[None]] = {}

    def known(self, space: str) -> KnownLabels | None:
        """The tags whose vectors are there now. Others are encoded in the background, for later searches."""
        self._begin(space, at_once=False)
        return self._known.get(space)

    async def warm(self, space: str) -> None:
        """Return once every tag has its vector, or it cannot be had."""
        await self._begin(space, at_once=True)

    def _begin(self, space: str, *, at_once: bool) -> asyncio.Task[None]:
        """The refresh that goes on, or a new one."""
        running = self._refreshing.get(space)
        if running is None or running.done():
            refresh = self._refresh(space, at_once=at_once)
            running = self._refreshing[space] = asyncio.create_task(refresh, name=f"labels of {space}")
        return running

    async def _refresh(self, space: str, *, at_once: bool) -> None:
        """Take in new tags and new counts, now and then or `at_once`. Without its model a space stays as it is."""
        with contextlib.suppress(ImgdError):
            async with self._counting:
                counted = await asyncio.to_thread(self._count, self._counted, at_once=at_once)
                self._counted = counted
            if self._complete_of.get(space) is not counted:
                await self._complete(space, counted)
                self._complete_of[space] = counted

    async def _complete(self, space: str, counted: _Counted) -> None:
        """Publish what has its vector, then encode the rest, and publish it bit by bit."""
        store = KeptTexts(self._folder, "labels", space)
        known = self._known.get(space)
        have: dict[str, npt.NDArray[np.float16]] = {}
        if known is not None:
            have = {label.text: vector for label, vector in zip(known.labels, known.vectors, strict=True)}
        else:
            saved = await asyncio.to_thread(store.load)
            if saved is not None and saved[0] and await self._texts.agree(space, *saved):
                have = dict(zip(saved[0], saved[1].astype(np.float16), strict=True))
        missing = [label.text for label in counted.labels if label.text not in have]
        await asyncio.to_thread(self._publish, space, counted, have)
        unsaved = 0
        for start in range(0, len(missing), _STEP):
            some = missing[start : start + _STEP]
            vectors = await self._texts.encode_later(space, some)
            have |= dict(zip(some, vectors.astype(np.float16), strict=True))
            unsaved += len(some)
            is_last = start + _STEP >= len(missing)
            if is_last or unsaved >= _SAVED_EVERY:
                known = await asyncio.to_thread(self._publish, space, counted, have)
                await asyncio.to_thread(store.save, [label.text for label in known.labels], known.vectors)
                unsaved = 0

    # ------------------------------------------------------------------ blocking: in threads

    def _count(self, before: _Counted | None, *, at_once: bool) -> _Counted:
        """The tags with the most photos; those of `before` while nothing has changed that is worth counting."""
        with self._database.read() as library:
            newest_label = library.execute(self._sql["newest_label"]).fetchone()[0] or 0
            change_seq = newest_change_seq(library)
            if before is not None:
                rested_s = time.monotonic() - before.at
                if newest_label != before.newest_label:
                    is_due = at_once or rested_s >= _RECOUNT_NEW_S
                else:
                    is_due = change_seq != before.change_seq and rested_s >= _RECOUNT_S
                if not is_due:
                    return before
            rows = library.execute(self._sql["labels"], {"limit": MOST_LABELS}).fetchall()
            photos = library.execute(self._sql["photos"]).fetchone()[0]
        labels = [Label(id_, text, count, bool(is_object)) for id_, text, count, is_object in rows]
        return _Counted(labels, photos, newest_label, change_seq, time.monotonic())

    def _publish(self, space: str, counted: _Counted, have: dict[str, npt.NDArray[np.float16]]) -> KnownLabels:
        labels = [label for label in counted.labels if label.text in have]
        vectors = np.stack([have[label.text] for label in labels]) if labels else np.empty((0, 0), np.float16)
        known = self._known[space] = KnownLabels(labels, vectors, counted.photos)
        return known
