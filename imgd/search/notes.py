"""What a person should know of an answer: what could not be searched, and what was not understood as meant."""

from __future__ import annotations


class Notes:
    """Sentences, each once, in the order in which they came up."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}

    def add(self, *sentences: str) -> None:
        self._sentences.update(dict.fromkeys(sentences))

    def sentences(self) -> tuple[str, ...]:
        return tuple(self._sentences)
