"""A limit on how long a plugin may keep the main process: importing it, and its hooks."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

PATIENCE_S = 30.0
"""Hooks return classes and values, and import nothing heavy: this is for a slow disk."""


class TooSlowError(Exception):
    """It took too long."""


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Interrupt what runs inside once it has taken `seconds`; not in threads other than the first, which alone has
    signals. What waits in C code, and never looks up, cannot be interrupted.

    Raises:
        TooSlowError: it was interrupted.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield  # somebody else's alarm (a test's, say) is left alone
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
