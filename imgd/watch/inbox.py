"""Events on their way to the thread that acts on them; bounded, and it knows when that thread is at rest."""

from __future__ import annotations

import threading
from typing import Final

from imgd.watch.inotify import Event, EventKind

_MOST_EVENTS: Final = 50_000


class Inbox:
    """Many threads put, one takes."""

    def __init__(self, limit: int = _MOST_EVENTS) -> None:
        self._limit = limit
        self._ready = threading.Condition()
        self._events: list[Event] = []
        self._at_rest = False

    @property
    def busy(self) -> bool:
        """Whether events wait, or the taker has not come back with nothing left to do."""
        with self._ready:
            return bool(self._events) or not self._at_rest

    def put(self, event: Event) -> None:
        """Where too many wait, all are dropped for one that says that events were lost."""
        with self._ready:
            if len(self._events) >= self._limit:
                self._events = [Event(EventKind.LOST)]
            self._events.append(event)
            self._ready.notify()

    def take(self, timeout_s: float, *, at_rest: bool) -> list[Event]:
        """All events that wait, as soon as there is one; none after `timeout_s`.

        `at_rest`: the taker has nothing left to do but what it takes now.
        """
        with self._ready:
            self._at_rest = at_rest
            if not self._events and timeout_s > 0:
                self._ready.wait(timeout_s)
            events, self._events = self._events, []
            if events:
                self._at_rest = False
            return events
