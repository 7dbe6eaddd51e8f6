"""Plugins that bring what a test gives them, and the least of what they may bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imgd import Analyzer, Failure, Finding, PhotoInput, QueryEncoder, hookimpl


class Toy(Analyzer[None]):
    name = "toy"
    version = "1"

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding() for _ in photos]


class Brings:
    """A plugin with these analyzers."""

    def __init__(self, name: str, *analyzers: object) -> None:
        self.__name__ = name
        self._analyzers = analyzers

    @hookimpl
    def imgd_analyzers(self) -> list[Any]:
        return list(self._analyzers)


class BringsOther:
    """A plugin with these query encoders, formats and models."""

    __name__ = "other"

    def __init__(self, *, encoders: Any = (), formats: Any = (), models: Any = ()) -> None:
        self._encoders, self._formats, self._models = encoders, formats, models

    @hookimpl
    def imgd_query_encoders(self) -> Any:
        return self._encoders

    @hookimpl
    def imgd_decoders(self) -> Any:
        return self._formats

    @hookimpl
    def imgd_models(self) -> Any:
        return self._models


class Words(QueryEncoder[None]):
    name = "words"
    space = "toy:2"
    dimensions = 2

    def encode_texts(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError
