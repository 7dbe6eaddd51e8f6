"""Query encoders that the tests run in a real encoder process: a good one, and bad ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imgd import PhotoInput, QueryEncoder


class Letters(QueryEncoder[None]):
    """Counts of a, b and c; at certain texts it does what they say."""

    name = "letters"
    space = "letters:3"
    dimensions = 3
    background_texts = ("abc", "cab")

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if texts[0] == "crash":
            os._exit(3)
        if texts[0] == "hang":
            threading.Event().wait()
        if texts[0] == "raise":
            raise KeyError("no such word")
        if texts[0] == "nan":
            return np.full((len(texts), 3), np.nan, np.float32)
        if texts[0] == "short":
            return np.ones((len(texts) + 1, 3), np.float32)
        rows = np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float64) + 0.001
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Process(QueryEncoder[None]):
    """Says which process it runs in, and whether it was loaded there."""

    name = "process"
    space = "process:2"
    dimensions = 2
    loads = 0

    def load(self, device: str) -> None:
        self.loads += 1

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([[os.getpid(), self.loads]] * len(texts), np.float32)


class Unloadable(QueryEncoder[None]):
    name = "unloadable"
    space = "unloadable:2"
    dimensions = 2

    def load(self, device: str) -> None:
        raise ImportError("a library is missing")

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        raise NotImplementedError


class Colours(QueryEncoder[None]):
    """The mean colour of a photo; black ones have none. A photo called `crash` ends its process."""

    name = "colours"
    space = "colours:3"
    dimensions = 3
    edge = 32

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.eye(3, dtype=np.float32)[[("red", "green", "blue").index(text) for text in texts]]

    def encode_photos(self, photos: Sequence[PhotoInput]) -> npt.NDArray[np.float32]:
        if "crash" in photos[0].path:
            os._exit(3)
        rows = np.stack([photo.image.mean(axis=(0, 1)) for photo in photos])
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0).astype(np.float32)


class Sizes(QueryEncoder[None]):
    """The four sizes of a photo: of its pixels, and its own. It cannot take a photo called `odd`."""

    name = "sizes"
    space = "sizes:4"
    dimensions = 4
    edge = 64

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        raise NotImplementedError

    def encode_photos(self, photos: Sequence[PhotoInput]) -> npt.NDArray[np.float32]:
        if "odd" in photos[0].path:
            raise ValueError("too odd")
        sizes = [(*photo.image.shape[:2], photo.height, photo.width) for photo in photos]
        return np.array(sizes, np.float32) / np.linalg.norm(sizes, axis=1, keepdims=True).astype(np.float32)


class Tints(Colours):
    """As `Colours`, with no words for them."""

    name = "tints"
    space = "tints:3"
    words = False
    background_texts = ()


class OtherProcess(Process):
    """As `Process`, of another model."""

    space = "process:other"
    requires = ("other",)
    background_texts = ()


class Captions(Letters):
    """As `Letters`, of what is said of photos."""

    space = "captions:3"
    of_texts = True
