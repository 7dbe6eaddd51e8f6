"""Spellings that count as one: case, accents and doubled spaces make no difference."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """`text` without case, accents and doubled spaces."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(bare.casefold().split())
