"""What tests ask of a text index and do to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from imgd.index.text import TextIndex
from imgd.index.words import Words


def find(index: TextIndex, match: str) -> set[int]:
    return set(Words(index).matching(match).tolist())


def outdate(path: Path) -> None:
    """As if the index had been made by an older imgd, which assembled documents otherwise."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE manifest SET assembly = 1")
