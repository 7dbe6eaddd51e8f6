"""Progress as server-sent events, for whoever shows a bar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from imgd.control.protocol import Progress
from imgd.control.services import Services

_INTERVAL_S = 0.5
_KEEP_ALIVE_EVERY = 30


async def stream_progress(services: Services, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """An event whenever progress changed, looked at twice a second while somebody listens; ends at `closing`."""
    shown: Progress | None = None
    unchanged = 0
    while not closing.is_set():
        progress = services.progress()
        if progress != shown:
            yield b"event: progress\ndata: " + msgspec.json.encode(progress) + b"\n\n"
            shown, unchanged = progress, 0
        else:
            unchanged += 1
            if unchanged % _KEEP_ALIVE_EVERY == 0:
                yield b": nothing new\n\n"  # tells the server when the listener has gone
        try:
            await asyncio.wait_for(closing.wait(), _INTERVAL_S)
        except TimeoutError:
            continue
