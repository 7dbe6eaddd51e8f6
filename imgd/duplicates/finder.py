"""Lists of duplicates by page, while hashing and comparing go on in the background."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imgd.duplicates.bursts import list_bursts
from imgd.duplicates.hashing import ContentHasher
from imgd.duplicates.identical import list_identical
from imgd.duplicates.listing import Kind, Listing, Stopped
from imgd.duplicates.near import list_near
from imgd.duplicates.notes import hashing_notes, library_notes
from imgd.duplicates.pages import Group, read_groups
from imgd.duplicates.pairs import list_pairs
from imgd.errors import CursorError, RequestError
from imgd.pipeline.process import ChildStarter
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database

PATIENCE_S = 10.0
"""How long a request waits for a list; after that the answer says how far it is."""

_MAKERS: Mapping[Kind, Callable[[Database, Callable[[], bool]], Listing]] = {
    Kind.IDENTICAL: list_identical,
    Kind.NEAR: list_near,
    Kind.BURSTS: list_bursts,
    Kind.PAIRS: list_pairs,
}


@dataclass(frozen=True, slots=True)
class Page:
    """`found`: groups in all; `after`: the cursor of the next page, empty on the last one; `pending`: the list is
    not complete yet; ask again. `notes`: what could not be compared, and how far it is."""

    groups: tuple[Group, ...]
    found: int = 0
    after: str = ""
    pending: bool = False
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Made:
    """The list that was asked for last, and of which state of the library it is.

    `is_awaited`: nobody was given it yet. Whoever was told to ask again gets it, whatever has changed since, or a
    library that changes all the time would never be answered.
    """

    kind: Kind
    state: tuple[int, int]
    listing: Listing
    is_awaited: bool = True


class DuplicateFinder:
    """Answers from the list that was made last, as long as the library has not changed.

    One list is kept: photo ids of what is in groups, 8 bytes each.
    """

    def __init__(self, database: Database, starter: ChildStarter, patience_s: float = PATIENCE_S) -> None:
        self._database = database
        self._patience_s = patience_s
        self.hasher = ContentHasher(database, starter)
        self._made: _Made | None = None
        self._making: dict[Kind, asyncio.Task[Listing]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._stopping = threading.Event()

    async def page(self, kind: Kind, after: str, limit: int) -> Page:
        """Up to `limit` groups behind the cursor `after` ("" for the first page).

        Raises:
            CursorError: the cursor is none of an earlier answer.
        """
        key = _cursor(after)
        if kind is Kind.IDENTICAL and not after:
            await self.hasher.begin(self._patience_s)
        listing = await self._listing(kind, keep=bool(after))
        notes = [] if after else await asyncio.to_thread(library_notes, self._database, kind)
        if kind is Kind.IDENTICAL and not after:
            notes = [*hashing_notes(self.hasher.progress, busy=self.hasher.busy), *notes]
        if listing is None:
            return Page((), pending=True, notes=("the photos are still being compared", *notes))
        is_hashing = kind is Kind.IDENTICAL and self.hasher.busy
        start = listing.position(key) if key is not None else 0
        groups, end = await asyncio.to_thread(read_groups, self._database, kind, listing, start, limit)
        cursor = "{}:{}".format(*listing.key(end - 1)) if end < len(listing) else ""
        return Page(tuple(groups), len(listing), cursor, is_hashing, tuple(notes))

    async def stop(self) -> None:
        """End what goes on in the background."""
        self._stopping.set()
        await self.hasher.stop()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _listing(self, kind: Kind, *, keep: bool) -> Listing | None:
        """The list; None where it takes longer than a request waits. `keep`: an older one serves, too, so that its
        pages fit together."""
        made = self._made
        fits = made is not None and made.kind is kind
        if made is not None and fits and (keep or made.is_awaited or made.state == await self._read_state()):
            made.is_awaited = False
            return made.listing
        task = self._making.get(kind)
        if task is None:
            task = self._making[kind] = asyncio.create_task(self._make(kind))
            task.add_done_callback(lambda _: self._making.pop(kind, None))
        done, _ = await asyncio.wait([task], timeout=self._patience_s)
        if not done:
            return None
        if self._made is not None and self._made.kind is kind:
            self._made.is_awaited = False
        return task.result()

    async def _make(self, kind: Kind) -> Listing:
        async with self._one_at_a_time:
            state = await self._read_state()
            try:
                listing = await asyncio.to_thread(_MAKERS[kind], self._database, self._stopping.is_set)
            except Stopped as error:
                raise RequestError("imgd is stopping") from error
            self._made = _Made(kind, state, listing)
            return listing

    async def _read_state(self) -> tuple[int, int]:
        def newest() -> int:
            with self._database.read() as connection:
                return newest_change_seq(connection)

        return await asyncio.to_thread(newest), self.hasher.written


def _cursor(after: str) -> tuple[int, int] | None:
    if not after:
        return None
    saved, _, photo_id = after.partition(":")
    try:
        return int(saved), int(photo_id)
    except ValueError:
        raise CursorError(f"`after={after}` is no cursor") from None
