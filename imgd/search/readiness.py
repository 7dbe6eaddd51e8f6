"""The first searches after a start: what they need of the encoders is made once, and they wait for it a little."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from imgd.errors import ImgdError
from imgd.search.clock import waiting_for_encoders
from imgd.search.meaning import Meaning
from imgd.search.notes import Notes
from imgd.search.pictures import PictureSearch

_PATIENCE_S = 3.0
"""A space's background and the tags of a usual library are encoded in less. Without them a search finds other
photos than a moment later; of a large vocabulary it says so instead of waiting."""

_TAGS = ""  # in place of a space: the vectors of tags


class Readiness:
    """Prepares each space once, and the tags. For the event loop alone."""

    def __init__(self, pictures: PictureSearch, meaning: Meaning) -> None:
        self._pictures = pictures
        self._meaning = meaning
        self._preparing: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    async def warm(self, spaces: Sequence[str]) -> None:
        """Return once all `spaces` are prepared, or cannot be."""
        await asyncio.gather(*(self._begun(each)[1] for each in (*spaces, _TAGS)))

    async def wait(self, spaces: Sequence[str], notes: Notes) -> None:
        """Wait for `spaces`, until `_PATIENCE_S` after a search first did, and note if one is not ready then."""
        begun = [self._begun(each) for each in (*spaces, _TAGS)]
        unready = {task: at for at, task in begun if not task.done()}
        if not unready:
            return
        # Those that could not be prepared are begun anew by each search: when others were tells nothing of them.
        left_s = max(0.0, min(unready.values()) + _PATIENCE_S - time.monotonic())
        with waiting_for_encoders():
            _, late = await asyncio.wait(unready, timeout=left_s)
        if late:
            notes.add("looks and tags of near meaning are still being prepared: ask again in a moment")

    def _begun(self, space: str) -> tuple[float, asyncio.Task[bool]]:
        """When the preparation of `space` began, and the task; one that failed is begun again."""
        known = self._preparing.get(space)
        if known is None or (known[1].done() and (known[1].cancelled() or not known[1].result())):
            task = asyncio.create_task(self._prepare(space), name=f"prepare {space}")
            known = self._preparing[space] = time.monotonic(), task
        return known

    async def _prepare(self, space: str) -> bool:
        """Whether it could be prepared. Without vectors there is nothing to prepare yet, and without its model it
        cannot be, as the search itself will say."""
        try:
            if space != _TAGS:
                return await self._pictures.warm(space)
            if (of_tags := await self._meaning.space()) is None:
                return False
            await self._meaning.warm(of_tags)
        except ImgdError:
            return False
        return True
