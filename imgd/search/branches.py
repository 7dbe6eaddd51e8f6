"""Alternatives: a query as a list of branches, each of which is ranked by itself.

Words are ranked and filters are not, so `dog OR camera:sony` is two searches whose answers are united. The tree is
brought into disjunctive normal form; parts of it that hold nothing but filters stay whole, as one condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

from imgd.errors import QueryError
from imgd.search.query import And, Filter, Like, Node, Not, Or, Phrase, Word

MOST_BRANCHES = 32
"""Alternatives of one query. Each costs a search; people write two or three."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative: photos that meet all of this.

    `words` are ranked and may be met in part; `phrases` must be met, `excluded` must not; `conditions` are trees
    of filters alone; `likes` are photos to resemble.
    """

    words: tuple[Word, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Word | Phrase, ...] = ()
    conditions: tuple[Node, ...] = ()
    likes: tuple[Like, ...] = ()

    @property
    def is_ranked(self) -> bool:
        """Whether anything in it says which photos are better than others."""
        return bool(self.words or self.phrases or self.likes)


_Leaf: TypeAlias = Node
_Conjunction: TypeAlias = tuple[_Leaf, ...]


@dataclass(slots=True)
class _Sorted:
    words: list[Word] = field(default_factory=list)
    phrases: list[Phrase] = field(default_factory=list)
    excluded: list[Word | Phrase] = field(default_factory=list)
    conditions: list[Node] = field(default_factory=list)
    likes: list[Like] = field(default_factory=list)


def branches(query: Node) -> tuple[Branch, ...]:
    """The alternatives of `query`, in the order in which they were typed.

    Raises:
        QueryError: when there are more than `MOST_BRANCHES`, or when what is excluded is a likeness.
    """
    return tuple(dict.fromkeys(map(_branch, _alternatives(query, negated=False))))


def _alternatives(node: Node, *, negated: bool) -> list[_Conjunction]:
    if is_filter(node):
        return [(Not(node) if negated else node,)]
    match node:
        case Not(term):
            return _alternatives(term, negated=not negated)
        case And(terms) | Or(terms):
            each = [_alternatives(term, negated=negated) for term in terms]
            if isinstance(node, Or) != negated:  # De Morgan: what is excluded turns `and` and `or` around
                return _bounded([conjunction for alternative in each for conjunction in alternative])
            count = 1
            for alternative in each:
                count *= len(alternative)
            _check(count)
            return [tuple(leaf for part in parts for leaf in part) for parts in product(*each)]
        case Like(column=column) if negated:
            raise QueryError(
                "photos cannot be excluded by their likeness", column=column, hint="Leave out the minus sign."
            )
        case _:
            return [(Not(node) if negated else node,)]


def is_filter(node: Node) -> bool:
    """Whether `node` holds filters and nothing else."""
    match node:
        case Filter():
            return True
        case Not(term):
            return is_filter(term)
        case And(terms) | Or(terms):
            return all(is_filter(term) for term in terms)
        case _:
            return False


def _branch(conjunction: _Conjunction) -> Branch:
    parts = _Sorted()
    for leaf in conjunction:
        match leaf:
            case Word():
                parts.words.append(leaf)
            case Phrase():
                parts.phrases.append(leaf)
            case Like():
                parts.likes.append(leaf)
            case Not(Word() | Phrase() as term):
                parts.excluded.append(term)
            case _:
                parts.conditions.append(leaf)
    return Branch(
        tuple(parts.words),
        tuple(parts.phrases),
        tuple(parts.excluded),
        tuple(parts.conditions),
        tuple(parts.likes),
    )


def leaves(node: Node) -> Iterator[Word | Phrase | Filter | Like]:
    """Every word, phrase, filter and likeness of `node`, excluded ones too, from left to right."""
    match node:
        case Not(term):
            yield from leaves(term)
        case And(terms) | Or(terms):
            for term in terms:
                yield from leaves(term)
        case _:
            yield node


def filters(node: Node, *, excluded: bool = False) -> Iterator[Filter | Not]:
    """Every filter of `node` from left to right, excluding ones as what they exclude by."""
    match node:
        case Not(term):
            yield from filters(term, excluded=not excluded)
        case And(terms) | Or(terms):
            for term in terms:
                yield from filters(term, excluded=excluded)
        case Filter():
            yield Not(node) if excluded else node


def written(condition: Filter | Not) -> str:
    """One of `filters` as it can be typed: `iso:>=1600`, `-camera:sony`."""
    return f"-{condition.term}" if isinstance(condition, Not) else str(condition)


def are_all_met(node: Node) -> bool:
    """Whether what matches `node` meets every one of its `filters`: none is one of several alternatives."""
    parts = _conjuncts(node, negated=False)
    return all(isinstance(each, Filter) or next(filters(each), None) is None for each in parts)


def _conjuncts(node: Node, *, negated: bool) -> Iterator[Node]:
    match node:
        case Not(term):
            yield from _conjuncts(term, negated=not negated)
        case And(terms) if not negated:
            for term in terms:
                yield from _conjuncts(term, negated=False)
        case Or(terms) if negated:
            for term in terms:
                yield from _conjuncts(term, negated=True)
        case _:
            yield node


def _bounded(alternatives: list[_Conjunction]) -> list[_Conjunction]:
    _check(len(alternatives))
    return alternatives


def _check(count: int) -> None:
    if count > MOST_BRANCHES:
        raise QueryError(
            f"it has {count} alternatives; {MOST_BRANCHES} are allowed",
            column=1,
            hint="Use fewer `OR`, or ask in several searches.",
        )
