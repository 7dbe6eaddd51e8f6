"""When indexes are brought up to date: on idle, or when the oldest change has waited long enough."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imgd.config import IndexSettings
from imgd.errors import ImgdError
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.vectors import SpaceIndex, SpaceStatus
from imgd.store.changes import count_changed, newest_change_seq
from imgd.store.database import Database
from imgd.store.spaces import Superseded, read_superseded, remove_superseded
from imgd.store.statements import load_statements

DIRTY_COUNTED = 100_000
"""Dirty photos are counted up to here; a larger number means 'at least'."""

_LOOK_S = 0.25  # how often idleness is looked at while something is dirty
_RETRY_S = 30.0  # after a fault
_BUILD_PAUSE_S = 600.0  # between builds of one space that only idleness suggests
_FORGET_CHUNK = 5_000
_REMOVE_CHUNK = 1_000
_EVERYTHING = (1 << 63) - 1  # no change number is as high


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How fresh the indexes are. `dirty` photos wait for the text index since `dirty_since` (Unix time)."""

    newest_seq: int
    covered_seq: int
    dirty: int
    dirty_since: float | None
    faults: tuple[str, ...]
    spaces: tuple[SpaceStatus, ...]

    @property
    def clean(self) -> bool:
        """Whether every committed change can be found, by its words and by its vectors."""
        return self.covered_seq >= self.newest_seq and not any(space.waiting for space in self.spaces)


class IndexRefresher:
    """A thread that keeps the indexes up to date with the library.

    The text index is refreshed once nothing has been claimed for `settings.idle_s`, at the latest when its oldest
    change is older than `settings.max_staleness_s`, and built at once where there is none to search. A vector is
    found as soon as it is committed; its index is built anew when enough has changed.
    """

    def __init__(
        self,
        database: Database,
        text_index: TextIndex,
        spaces: SpaceIndexes,
        settings: IndexSettings,
        is_idle: Callable[[], bool],
    ) -> None:
        """`is_idle` says whether the pipeline has no job claimed at this moment."""
        self._database = database
        self._text = text_index
        self._spaces = spaces
        self._settings = settings
        self._is_idle = is_idle
        self._sql = load_statements("imgd.index", "library")
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._working = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="index refresh", daemon=True)
        self._last_busy = -math.inf
        self._dirty_since: float | None = None
        text_index.when_damaged(self.wake)
        self._retry_at = -math.inf
        self._built_at: dict[str, float] = {}
        self._faults: dict[str, str] = {}

    def start(self) -> None:
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """Something was committed. Cheap, and may be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the chunk in hand; what is left is done after the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def freshness(self) -> IndexStatus:
        """How far the indexes are behind the library now."""
        try:
            covered = self._text.covered_seq(self._database)
        except ImgdError:
            covered = 0
        with self._database.read() as library:
            newest = newest_change_seq(library)
            dirty = count_changed(library, covered, DIRTY_COUNTED) if covered < newest else 0
        spaces = tuple(index.status() for index in self._spaces.all())
        faults = (*self._faults.values(), *(space.fault for space in spaces if space.fault))
        return IndexStatus(newest, covered, dirty, self._dirty_since, faults, spaces)

    def refresh_now(self) -> IndexStatus:
        """Bring everything up to the newest change, wait for it, and say how it went. Not for the event loop."""
        self._refresh(idle=False)
        return self.freshness()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(_LOOK_S if self._dirty_since is not None else None)
            self._woken.clear()
            if self._stopping.is_set():
                return
            self._note_dirt()
            if self._dirty_since is not None and self._is_time():
                self._refresh(idle=self._has_been_idle())

    def _note_dirt(self) -> None:
        """Learn whether anything is uncovered, and since when."""
        is_dirty = False
        for part, is_behind in (
            ("text", self._is_text_behind),
            ("spaces", self._is_a_build_due),
            ("superseded", self._is_a_space_superseded),
            ("chosen", self._spaces.is_unsettled),
        ):
            try:
                is_dirty |= is_behind()
            except Exception as error:  # noqa: BLE001 - whatever it was, the thread goes on and tries again
                self._faults[part] = _describe(error)
        if not is_dirty and not self._faults:
            self._dirty_since = None
        elif self._dirty_since is None:
            self._dirty_since = time.time()
        if not self._is_idle():
            self._last_busy = time.monotonic()

    def _is_text_behind(self) -> bool:
        covered = self._text.covered_seq(self._database)
        with self._database.read() as library:
            return covered < newest_change_seq(library) or not self._text.ready or self._text.damaged

    def _is_a_build_due(self) -> bool:
        """Whether a saved index was found torn or gone, or vectors wait that no search finds."""
        indexes = self._spaces.all()
        for index in indexes:
            # While vectors wait, each further look would count them all again.
            if not index.status().waiting:
                index.catch_up()
        return any(index.is_due(idle=False) or not index.checked for index in indexes)

    def _is_a_space_superseded(self) -> bool:
        """Whether a space is not needed any more since another has taken its place."""
        with self._database.read() as library:
            return any(space.complete for space in read_superseded(library))

    def _has_been_idle(self) -> bool:
        return self._is_idle() and time.monotonic() - self._last_busy >= self._settings.idle_s

    def _is_time(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        if not self._text.ready or self._text.damaged:  # there is nothing to search for words meanwhile
            return True
        waited_s = time.time() - self._dirty_since if self._dirty_since is not None else 0.0
        return self._has_been_idle() or waited_s >= self._settings.max_staleness_s

    def _refresh(self, *, idle: bool) -> None:
        with self._working:
            began = time.time()
            with self._recorded("text"):
                self._text.refresh(self._database, self._stopping.is_set)
            with self._recorded("spaces"):
                for index in self._spaces.all():
                    with self._recorded(index.space.name):
                        self._refresh_space(index, idle=idle)
            with self._recorded("chosen"):
                self._spaces.settle()
            if idle:
                with self._recorded("superseded"):
                    self._clear_superseded()
            with self._recorded("forget"):
                self._forget()
            if self._faults:
                self._retry_at = time.monotonic() + _RETRY_S
            elif self._dirty_since is not None:
                # What was committed while the refresh ran is dirty since it began, at the earliest.
                self._dirty_since = began
        self._woken.set()

    def _refresh_space(self, index: SpaceIndex, *, idle: bool) -> None:
        index.catch_up()
        index.check()
        now = time.monotonic()
        rested = now - self._built_at.get(index.space.name, -math.inf) >= _BUILD_PAUSE_S
        if index.is_due(idle=idle and rested):
            self._built_at[index.space.name] = now
            index.rebuild(self._stopping.is_set)

    def _clear_superseded(self) -> None:
        """Remove the vectors and the index of each space whose successors are complete."""
        with self._database.read() as library:
            spaces = [space for space in read_superseded(library) if space.complete]
        for space in spaces:
            with self._spaces.retired(space.name):
                while not self._stopping.is_set() and self._remove_some(space):
                    pass
                self._delete("vectors", {"space": space.space_id, "covered": _EVERYTHING})

    def _remove_some(self, space: Superseded) -> bool:
        return self._database.write(lambda library: remove_superseded(library, space, _REMOVE_CHUNK)).result()

    def _forget(self) -> None:
        """Clear away records of removals that every index has taken in."""
        self._delete("photos", {"covered": self._text.covered_seq(self._database)})
        for index in self._spaces.all():
            self._delete("vectors", {"space": index.space.id, "covered": index.covered_seq})
        for space in self._spaces.unindexed():
            self._delete("vectors", {"space": space.id, "covered": _EVERYTHING})

    def _delete(self, kind: str, values: dict[str, int]) -> None:
        with self._database.read() as library:
            if not library.execute(self._sql[f"any_old_{kind}"], values).fetchone()[0]:
                return
        statement, values = self._sql[f"forget_{kind}"], values | {"limit": _FORGET_CHUNK}
        while not self._stopping.is_set():
            if (
                self._database.write(lambda library: library.execute(statement, values).rowcount).result()
                < _FORGET_CHUNK
            ):
                return

    @contextmanager
    def _recorded(self, part: str) -> Iterator[None]:
        """The boundary of one part of a refresh: its fault is kept for the status, and the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it was, the thread and the other parts go on
            self._faults[part] = _describe(error)
        else:
            self._faults.pop(part, None)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, ImgdError) else f"{type(error).__name__}: {error}"
