"""Photos that look like what a query says: its words as vectors, compared with those of every photo."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import SpaceIndex
from imgd.search.cutoff import FEW_WORDS, Cutoffs
from imgd.search.terms import Terms

_CACHED_TEXTS = 500
_CANDIDATES = 1000


class Encoders(Protocol):
    """The query encoders of all plugins, in a process of their own."""

    def spaces(self) -> Sequence[str]:
        """Spaces that texts can be encoded into."""
        ...

    def background(self, space: str) -> Sequence[str]:
        """Everyday things that a photo could show, against which the space's cut-off is calibrated."""
        ...

    async def encode(self, space: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(len(texts), dimensions), each row L2-normalised.

        Raises:
            ImgdError: when it cannot be done now; its hint says what helps.
        """
        ...


@dataclass(frozen=True, slots=True)
class Alike:
    """What one space found: (vector id, similarity), best first, all above `cutoff`."""

    space: str
    cutoff: float
    vectors: Sequence[tuple[int, float]]


class PictureSearch:
    """Searches every space that has both an encoder and vectors."""

    def __init__(self, spaces: SpaceIndexes, encoders: Encoders) -> None:
        self._spaces = spaces
        self._encoders = encoders
        self._cutoffs = Cutoffs()
        self._backgrounds: dict[str, npt.NDArray[np.float32]] = {}
        self._texts: OrderedDict[tuple[str, str], npt.NDArray[np.float32]] = OrderedDict()

    def spaces(self) -> Sequence[str]:
        return self._encoders.spaces()

    async def warm(self, space: str) -> None:
        """Encode what every search in `space` needs.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        await self._background(space)

    async def find(self, space: str, terms: Terms) -> Alike | None:
        """What looks like `terms` in `space`; None when the library has no vectors there.

        Raises:
            ImgdError: as `Encoders.encode`.
        """
        index = await asyncio.to_thread(self._spaces.get, space)
        if index is None or not index.space.dimensions:
            return None
        words = terms.content_words
        queries = await self._encode(space, [terms.sentence, *(words if len(words) > FEW_WORDS else ())])
        background = await self._background(space)
        # An encoder that names no background is measured by the query itself.
        return await asyncio.to_thread(
            self._compare, index, queries, queries[:1] if background is None else background
        )

    def _compare(
        self, index: SpaceIndex, queries: npt.NDArray[np.float32], background: npt.NDArray[np.float32]
    ) -> Alike:
        cutoff = self._cutoffs.of(index, background)
        found = index.search(queries[0], _CANDIDATES)
        if cutoff is None or not found:
            return Alike(index.space.name, 1.0, ())
        words = index.search_many(queries[1:], 1) if len(queries) > 1 else []
        if max(found[0][1], *(row[0][1] for row in words), -1.0) < cutoff.least:
            return Alike(index.space.name, cutoff.least, ())
        least = cutoff.of_sentence(found[0][1]) if len(queries) > 1 else cutoff.least
        return Alike(index.space.name, least, [each for each in found if each[1] >= least])

    async def _background(self, space: str) -> npt.NDArray[np.float32] | None:
        """The encoder's background texts as vectors, encoded once."""
        texts = list(self._encoders.background(space))
        if texts and space not in self._backgrounds:
            self._backgrounds[space] = await self._encoders.encode(space, texts)
        return self._backgrounds.get(space)

    async def _encode(self, space: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """As the encoder, remembering the texts asked for last."""
        missing = [text for text in dict.fromkeys(texts) if (space, text) not in self._texts]
        if missing:
            vectors = await self._encoders.encode(space, missing)
            self._texts.update({(space, text): vector for text, vector in zip(missing, vectors, strict=True)})
        rows = np.stack([self._texts[space, text] for text in texts])
        for text in texts:
            self._texts.move_to_end((space, text))
        while len(self._texts) > _CACHED_TEXTS:
            self._texts.popitem(last=False)
        return rows
