"""What `check_query_encoder` asks of a query encoder: for each rule a toy that breaks this one."""

from __future__ import annotations

import itertools
import os
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, QueryEncoder, Vector
from imgd.testing import ConformanceError, check_query_encoder

Rows = npt.NDArray[np.float32]

SPACE = "toy:3"


def unit(rows: npt.NDArray[Any]) -> Rows:
    """Rows of length one; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, 1e-9)).astype(np.float32)


def of_photo(photo: PhotoInput) -> npt.NDArray[Any]:
    """The mean colour, which a black photo does not have."""
    return photo.image.mean(axis=(0, 1))


class Colours(Analyzer[None]):
    name = "colours"
    version = "1"
    needs = Needs(edge=64)
    device = Device.MODEL
    batch_size = 4

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding | Failure]:
        return [self.look(photo) for photo in photos]

    def look(self, photo: PhotoInput) -> Finding | Failure:
        if photo.width == 1:
            return Failure("too small")
        mean = of_photo(photo)
        return Finding(vectors=[Vector(SPACE, mean)] if mean.any() else [])


class Good(QueryEncoder[None]):
    name = "colours"
    space = SPACE
    dimensions = 3
    edge = 64

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        return unit(np.stack([self.of_text(text) for text in texts]))

    def of_text(self, text: str) -> npt.NDArray[Any]:
        return np.random.default_rng(zlib.crc32(text.encode())).normal(size=3)

    def encode_photos(self, photos: Sequence[PhotoInput]) -> Rows:
        if any(photo.width == 1 for photo in photos):
            raise ValueError("too small")
        return unit(np.stack([of_photo(photo) for photo in photos]))


class Wordless(Good):
    """Has no text tower."""

    words = False

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        raise NotImplementedError


class WordsOnly(Good):
    edge = 0


class BySettings(QueryEncoder[int]):
    """Its settings say how many dimensions it has."""

    name = "by-settings"

    @classmethod
    def configured(cls, settings: int) -> type[QueryEncoder[int]]:  # type: ignore[override]
        return cls.declared(space=f"toy:{settings}", dimensions=settings)

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        numbers = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dimensions) for text in texts]
        return unit(np.stack(numbers))


class OfOtherDimensions(WordsOnly):
    dimensions = 4


class OfLists(WordsOnly):
    def encode_texts(self, texts: Sequence[str]) -> Any:
        return super().encode_texts(texts).tolist()


class Double(WordsOnly):
    def encode_texts(self, texts: Sequence[str]) -> Any:
        return super().encode_texts(texts).astype(np.float64)


class Long(WordsOnly):
    def encode_texts(self, texts: Sequence[str]) -> Rows:
        return super().encode_texts(texts) * 2


class NotANumber(WordsOnly):
    def encode_texts(self, texts: Sequence[str]) -> Rows:
        return super().encode_texts(texts) * np.float32(np.nan)


class Drifting(WordsOnly):
    numbers: ClassVar = itertools.count()

    def of_text(self, text: str) -> npt.NDArray[Any]:
        return np.random.default_rng(next(self.numbers)).normal(size=3)


class Padding(WordsOnly):
    """Pads texts to the longest of their batch, and forgets to mask that."""

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        longest = max(map(len, texts))
        return super().encode_texts([text.ljust(longest, "_") for text in texts])


class AfraidOfNothing(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        return super().of_text(text[0] + text)


class AfraidOfLength(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        if len(text) > 2000:
            raise ValueError("too many tokens")
        return super().of_text(text)


class AfraidOfUnicode(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        return super().of_text(text.encode("latin-1").decode())


class Deaf(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        return np.ones(3)


class Silent(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        return np.zeros(3) if text == "dog" else super().of_text(text)


class SeeingOtherwise(Good):
    def encode_photos(self, photos: Sequence[PhotoInput]) -> Rows:
        return super().encode_photos(photos)[:, ::-1].copy()


class SeeingInTheDark(Good):
    def encode_photos(self, photos: Sequence[PhotoInput]) -> Rows:
        rows = super().encode_photos(photos)
        rows[~rows.any(axis=1)] = (1, 0, 0)
        return rows


class Shortsighted(Good):
    edge = 32


class Opening(Good):
    def encode_photos(self, photos: Sequence[PhotoInput]) -> Rows:
        for photo in photos:
            Path(photo.path).read_bytes()
        return super().encode_photos(photos)


class Calling(WordsOnly):
    def load(self, device: str) -> None:
        with socket.socket() as asked:
            asked.settimeout(0.2)
            asked.connect_ex(("127.0.0.1", 9))


class Unloadable(WordsOnly):
    def load(self, device: str) -> None:
        raise ImportError("no such library")


class Clinging(WordsOnly):
    def close(self) -> None:
        raise OSError("the device is busy")


class Demanding(WordsOnly):
    requires = ("a-model",)


class Misled(WordsOnly):
    @classmethod
    def for_space(cls, space: str, settings: None) -> type[QueryEncoder[None]] | None:  # type: ignore[override]
        return cls.declared(space="another:3")


class Crashing(WordsOnly):
    def of_text(self, text: str) -> npt.NDArray[Any]:
        if not text:
            os.abort()
        return super().of_text(text)


def test_an_encoder_that_keeps_the_contract_passes_and_its_rows_are_returned() -> None:
    rows = check_query_encoder(Good, analyzer=Colours, texts={"mine": "mine"})
    np.testing.assert_array_equal(rows["mine"], Good(None, {}).encode_texts(["mine"])[0])
    assert not rows["a black photo"].any()
    assert "a photo of one pixel" not in rows  # at which the analyzer fails, too


def test_an_encoder_is_checked_as_its_settings_make_it() -> None:
    rows = check_query_encoder(BySettings, settings=4)
    assert {row.shape for row in rows.values()} == {(4,)}


def test_an_encoder_of_photos_alone_is_not_asked_for_words() -> None:
    rows = check_query_encoder(Wordless, analyzer=Colours, timeout_s=None)
    assert "a white photo" in rows
    assert "a word" not in rows


def test_without_an_analyzer_every_photo_has_to_have_a_row() -> None:
    with pytest.raises(ConformanceError, match="a photo of one pixel: it raises ValueError: too small"):
        check_query_encoder(Good, timeout_s=None)


@pytest.mark.parametrize(
    ("encoder", "problem"),
    [
        (OfOtherDimensions, "it returns ndarray of (1, 3), not an array of (1, 4)"),
        (OfLists, "it returns list, not an array of (1, 3)"),
        (Double, "it returns float64, not float32"),
        (Long, "its row is 2 long, not 1"),
        (NotANumber, "its row is nan long, not 1"),
        (Drifting, "another vector "),
        (Padding, "another vector in a batch than alone"),
        (AfraidOfNothing, "the empty text: it raises IndexError"),
        (AfraidOfLength, "a very long text: it raises ValueError: too many tokens"),
        (AfraidOfUnicode, "it raises Unicode"),
        (Deaf, "every text has the same vector"),
        (Silent, "a word: a row of zeros"),
        (SeeingOtherwise, "the analyzer finds another vector than its row"),
        (SeeingInTheDark, "a black photo: the analyzer finds no vector, and its row is not zeros"),
        (Shortsighted, "its `edge` is 32, and that of the analyzer 64"),
        (Opening, "it opens the photo's file ("),
        (Calling, "it asks the network for 127.0.0.1:9"),
        (Unloadable, "it cannot be loaded: ImportError: no such library"),
        (Clinging, "close() raises OSError: the device is busy"),
        (Demanding, "it requires a-model: give their directories as `model_dirs`"),
        (Misled, "for_space('toy:3') answers with the encoder of 'another:3'"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_an_encoder_does_not_keep_is_named(encoder: type[QueryEncoder[Any]], problem: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_query_encoder(encoder, analyzer=Colours, timeout_s=None)
    others = [each for each in caught.value.problems if problem not in each]
    assert len(others) < len(caught.value.problems), str(caught.value)
    if encoder is not Shortsighted:  # which cannot know what the analyzer says of a photo of one pixel
        assert others == []


def test_an_encoder_that_crashes_is_told_with_the_text() -> None:
    with pytest.raises(ConformanceError, match="was killed by signal 6 at: the empty text"):
        check_query_encoder(Crashing)
