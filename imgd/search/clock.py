"""How long a search waited for encoders: that time is the model's, not the index's."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgd.pipeline.messages import PhotoToEncode
from imgd.search.likeness import PhotoEncoders
from imgd.search.query_texts import Encoders


class AllEncoders(Encoders, PhotoEncoders, Protocol):
    """The query encoders of all plugins, for words and for photos."""


class Stopwatch:
    """Runs while at least one of several things is being done."""

    def __init__(self) -> None:
        self._running = 0
        self._began = 0.0
        self._spent_s = 0.0

    @property
    def spent_ms(self) -> float:
        return self._spent_s * 1000

    @contextmanager
    def running(self) -> Iterator[None]:
        if not self._running:
            self._began = time.perf_counter()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._spent_s += time.perf_counter() - self._began


_of_this_search: ContextVar[Stopwatch | None] = ContextVar("encoder stopwatch", default=None)


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Count the time that encoders take of what is done inside."""
    stopwatch = Stopwatch()
    token = _of_this_search.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _of_this_search.reset(token)


@contextmanager
def waiting_for_encoders() -> Iterator[None]:
    """Count what is awaited inside as the encoders' time."""
    with (_of_this_search.get() or Stopwatch()).running():
        yield


class TimedEncoders:
    """Encoders whose time counts towards the search that waits for them; work in the background does not."""

    def __init__(self, encoders: AllEncoders) -> None:
        self._encoders = encoders

    def spaces(self) -> Sequence[str]:
        return self._encoders.spaces()

    def of_texts(self) -> Collection[str]:
        return self._encoders.of_texts()

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return self._encoders.unable(photos=photos)

    def background(self, space: str) -> Sequence[str]:
        return self._encoders.background(space)

    def photo_edges(self) -> Mapping[str, int]:
        return self._encoders.photo_edges()

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        if background:
            return await self._encoders.encode(space, texts, background=True)
        with waiting_for_encoders():
            return await self._encoders.encode(space, texts)

    async def encode_photo(self, space: str, photo: PhotoToEncode) -> npt.NDArray[np.float32]:
        with waiting_for_encoders():
            return await self._encoders.encode_photo(space, photo)
