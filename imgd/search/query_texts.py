"""Texts as vectors, each encoded once: the words of queries, and the background that a space is calibrated by."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgd.errors import ImgdError
from imgd.search.kept_texts import KeptTexts

Vectors = npt.NDArray[np.float32]

_CACHED_TEXTS = 2_000
_FIRST_TEXTS = 64
"""Texts of a background that the very first search waits for."""

_LEAST_AGREEMENT = 0.99
"""Of a stored vector with the same text encoded now; below it, another model has taken the space over."""


class Encoders(Protocol):
    """The query encoders of all plugins, in a process of their own."""

    def spaces(self) -> Sequence[str]:
        """Spaces that texts can be encoded into."""
        ...

    def of_texts(self) -> Collection[str]:
        """Spaces whose vectors are of texts about photos, such as captions, and not of what photos look like."""
        ...

    def unable(self, *, photos: bool = False) -> Collection[str]:
        """Spaces into which no words can be brought as things are, or with `photos` no photos."""
        ...

    def background(self, space: str) -> Sequence[str]:
        """Everyday things that a photo could show, against which the space's cut-off is calibrated."""
        ...

    async def encode(self, space: str, texts: Sequence[str], *, background: bool = False) -> Vectors:
        """(len(texts), dimensions), each row L2-normalised. With `background`, other requests go first.

        Raises:
            ImgdError: when it cannot be done now; its hint says what helps.
        """
        ...


class QueryTexts:
    """The encoders, with a memory. For the event loop alone."""

    def __init__(self, encoders: Encoders, folder: Path) -> None:
        """`folder`: where backgrounds are kept."""
        self._encoders = encoders
        self._folder = folder
        self._vectors: OrderedDict[tuple[str, str], asyncio.Future[Vectors]] = OrderedDict()
        self._backgrounds: dict[str, Vectors] = {}
        self._completing: dict[str, asyncio.Task[None]] = {}
        self._loading = asyncio.Lock()

    def spaces(self) -> Sequence[str]:
        return self._encoders.spaces()

    def of_texts(self) -> Collection[str]:
        return self._encoders.of_texts()

    def unable(self) -> Collection[str]:
        return self._encoders.unable()

    async def encode(self, space: str, texts: Sequence[str]) -> Vectors:
        """As the encoder, remembering the texts asked for last; those that are asked for twice are encoded once.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        new = [text for text in dict.fromkeys(texts) if (space, text) not in self._vectors]
        for text in new:
            self._vectors[space, text] = asyncio.get_running_loop().create_future()
        awaited = [self._vectors[space, text] for text in texts]
        if new:
            await self._fill(space, new)
        rows = [await each for each in awaited]
        for text in texts:
            if (space, text) in self._vectors:
                self._vectors.move_to_end((space, text))
        while len(self._vectors) > _CACHED_TEXTS:
            self._vectors.popitem(last=False)
        return np.stack(rows)

    async def encode_later(self, space: str, texts: Sequence[str]) -> Vectors:
        """As the encoder, behind whatever a search wants; nothing is remembered.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        return await self._encoders.encode(space, texts, background=True)

    async def agree(self, space: str, texts: Sequence[str], vectors: npt.NDArray[np.floating]) -> bool:
        """Whether stored `vectors` (n, d) of `texts` are what the encoder makes of them now, by two of them.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        tried = [0, len(texts) - 1]
        now = await self.encode_later(space, [texts[each] for each in tried])
        stored = vectors[tried].astype(np.float32)
        return stored.shape == now.shape and bool(((now * stored).sum(axis=1) >= _LEAST_AGREEMENT).all())

    async def background(self, space: str) -> Vectors | None:
        """The encoder's background texts (n, d), encoded once and kept on disk; None where it names none.

        The first time of all it is a few of them, until the rest is encoded.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        texts = list(self._encoders.background(space))
        if not texts:
            return None
        async with self._loading:
            if space not in self._backgrounds:
                self._backgrounds[space] = await self._load_background(space, texts)
        return self._backgrounds[space]

    async def whole_background(self, space: str) -> Vectors | None:
        """As `background`, once all of it is there."""
        found = await self.background(space)
        if (completing := self._completing.get(space)) is None:
            return found
        await completing
        return await self.background(space)

    async def _load_background(self, space: str, texts: list[str]) -> Vectors:
        store = KeptTexts(self._folder, "background", space)
        saved = await asyncio.to_thread(store.load)
        if saved is not None and saved[0] == texts and await self.agree(space, *saved):
            return saved[1]
        first = await self._encoders.encode(space, texts[:: max(1, len(texts) // _FIRST_TEXTS)])
        if len(first) == len(texts):
            await asyncio.to_thread(store.save, texts, first)
        else:
            completing = self._complete_background(space, texts, store)
            self._completing[space] = asyncio.create_task(completing, name=f"background of {space}")
        return first

    async def _complete_background(self, space: str, texts: list[str], store: KeptTexts) -> None:
        with contextlib.suppress(ImgdError):  # then the first few serve, until the next start
            vectors = await self.encode_later(space, texts)
            self._backgrounds[space] = vectors
            await asyncio.to_thread(store.save, texts, vectors)

    async def _fill(self, space: str, texts: Sequence[str]) -> None:
        """Encode `texts` for everybody who waits for them; a failure is theirs, too, and is not remembered."""
        waiting = [self._vectors[space, text] for text in texts]
        try:
            vectors = await self._encoders.encode(space, texts)
        except BaseException as error:
            for text, each in zip(texts, waiting, strict=True):
                self._vectors.pop((space, text), None)
                if isinstance(error, asyncio.CancelledError):
                    each.cancel()
                elif not each.done():
                    each.set_exception(error)
                    each.exception()  # it is raised below, whether or not somebody else waits
            raise
        for each, vector in zip(waiting, vectors, strict=True):
            if not each.done():
                each.set_result(vector)
