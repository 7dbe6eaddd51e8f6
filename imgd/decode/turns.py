"""Large decodes take turns, so that several workers that meet a gigapixel at once do not fill the memory."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator

_PLACE = 0


class Turns:
    """A lock on the first byte of the file `descriptor`, which all workers share; the kernel frees it when its
    holder dies. What takes up to `share_bytes` goes on at once. `waiting` is told when a wait begins and ends."""

    def __init__(self, descriptor: int, share_bytes: int, waiting: Callable[[bool], None]) -> None:
        self._descriptor = descriptor
        self._share_bytes = share_bytes
        self._waiting = waiting

    @contextlib.contextmanager
    def take(self, size_bytes: int) -> Iterator[None]:
        """Hold the turn, where about `size_bytes` are going to be taken and that is more than a worker's share."""
        if size_bytes <= self._share_bytes:
            yield
            return
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PLACE)
        except BlockingIOError:
            self._waiting(True)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _PLACE)
            self._waiting(False)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _PLACE)


class NoTurns(Turns):
    """For a process that decodes alone."""

    def __init__(self) -> None:
        super().__init__(-1, 0, lambda _waits: None)

    @contextlib.contextmanager
    def take(self, size_bytes: int) -> Iterator[None]:
        yield
