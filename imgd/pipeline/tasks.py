"""Tasks that must not end by an error unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

Failed = Callable[[str, BaseException], None]
"""Told the name of a task that ended by an error, and the error."""


def start_task(work: Coroutine[Any, Any, None], name: str, failed: Failed) -> asyncio.Task[None]:
    """Run `work` as a task; `failed` hears of an error that ends it, a cancellation is none."""
    task = asyncio.create_task(work, name=name)

    def ended(_task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(name, error)

    task.add_done_callback(ended)
    return task


def log_failure(name: str, error: BaseException) -> None:
    log.critical("%s ended by an error", name, exc_info=error)
