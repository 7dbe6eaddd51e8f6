"""Encoders that need no model: words mean themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from imgd.errors import ModelMissingError, SearchError
from imgd.pipeline.messages import FileAnswer

SPACE = "meaning"
THINGS = ("cat", "dog", "rocket", "coffee", "beach", "tree", "house", "car", "boat", "horse", "bird", "moon")
_COMMON = 0.5
_D = 64


def meaning(text: str) -> npt.NDArray[np.float32]:
    """A direction a thing, plus one that all texts share, as text encoders have; other words say nothing."""
    things = [word for word in text.lower().split() if word not in ("a", "the", "of", "photo")]
    total = np.zeros(_D)
    for word in things or [text]:
        own = np.random.default_rng(list(word.encode())).standard_normal(_D)
        total += own / np.linalg.norm(own)
    total /= np.linalg.norm(total)
    total[0] += _COMMON
    return (total / np.linalg.norm(total)).astype(np.float32)


class ToyEncoders:
    """Encodes by the words themselves; counts the texts it was asked for."""

    def __init__(self, *, missing: bool = False, background: Sequence[str] = THINGS) -> None:
        self.missing = missing
        self.texts: list[str] = []
        self._background = background

    def spaces(self) -> Sequence[str]:
        return (SPACE,)

    def of_texts(self) -> Collection[str]:
        return ()

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return self.spaces() if self.missing or photos else ()

    def background(self, space: str) -> Sequence[str]:
        return self._background

    def photo_edges(self) -> Mapping[str, int]:
        return {}

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        if self.missing:
            raise ModelMissingError("minilm-l6-v2", hint="`imgctl models pull default`")
        self.texts += texts
        return np.stack([meaning(text) for text in texts])


class NoFiles:
    """There are no files: photos of these tests are rows of the library."""

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        raise SearchError(f"{path!r} cannot be read")
