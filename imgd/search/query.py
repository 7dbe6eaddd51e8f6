"""What a query says, as a tree: the grammar makes it, filters and rankings read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word, in any of its forms; what looks like it, or means nearly the same, counts too.

    `prefix`: it was typed with a star behind it, and stands for every word that begins so. `column` is where it
    stands in the query, from 1.
    """

    text: str
    column: int = 1
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand exactly so, side by side; with `prefix` the last one may go on."""

    text: str
    column: int = 1
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """`key:value` as it was typed: `comparison` is one of `` (equal), `<`, `<=`, `>`, `>=`; a range `a..b` stands
    in `value`. `quoted`: the value stood in quotes. `key` is the one of `keys.KEYS` that is meant, else a fact's.
    `value_column` is where the value stands, for those who find that it makes no sense."""

    key: str
    value: str
    column: int = 1
    comparison: str = ""
    quoted: bool = False
    value_column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        """As it can be typed: `iso:>=1600`."""
        value = f'"{self.value}"' if self.quoted else self.value
        return f"{self.key}:{self.comparison}{value}"


@dataclass(frozen=True, slots=True)
class Like:
    """Photos that look like this one: `target` is a path, a file name, or `#` and a photo's id."""

    target: str
    column: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    """Photos that do not match `term`."""

    term: Node


@dataclass(frozen=True, slots=True)
class And:
    """Photos that match every term."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Photos that match at least one term."""

    terms: tuple[Node, ...]


Node: TypeAlias = Word | Phrase | Filter | Like | Not | And | Or
