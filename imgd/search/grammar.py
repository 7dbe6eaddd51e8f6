"""The query language: words, "phrases", -without, OR, ( ), key:value. Text in, a tree out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from imgd.errors import QueryError
from imgd.facts import find_member
from imgd.search.keys import KEYS, find_key, key_within, nearest_key
from imgd.search.query import And, Filter, Like, Node, Not, Or, Phrase, Word

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedToken

    Parsed: TypeAlias = "Tree[Token] | Token"

MOST_CHARACTERS = 1000
MOST_TERMS = 50
MOST_DEPTH = 20
"""How deep parentheses may stand within each other."""

GRAMMAR = r"""
?start: either?
either: both (OR both)*
both: one+
?one: negated | group | PHRASE | MEMBER | KEYED | WORD | UNCLOSED
negated: (MINUS | NOT) one
group: LPAR either? RPAR

OR.3: /OR(?![^\s()])/
NOT.3: /NOT(?=\s+[^\s)]|\()/
MINUS.3: /-(?=-*[^\s)-])/
LPAR.3: "("
RPAR.3: ")"
PHRASE.2: /"[^"]*"\*?/
UNCLOSED.1: /"[^"]*/
MEMBER.2: /[^\W\d_][\w.-]*\."[^"]*":(?:(?:[<>]=?|=)?"[^"]*"|[^\s()"]+)/
KEYED.2: /[^\W\d_][\w.-]*:(?:[<>]=?|=)?"[^"]*"/
WORD: /[^\s()"][^\s()]*(?:\([^\s()]*\)[^\s()]*)*/
%ignore /\s+/
"""
"""OR binds loosest. Words hold balanced parentheses (`IMG_1(2).jpg`) and quotes (`5"x`); none begins so."""

_KEYED = re.compile(r"(?P<key>[^\W\d_][\w.-]*(?:\.\"[^\"]*\")?):(?P<comparison>[<>]=?|=|)(?P<value>.*)", re.DOTALL)
_QUOTES = str.maketrans("“”„«»", '"""""')
_COMPARISONS = {"≤": "<=", "≥": ">="}


def parse(query: str, facts: Collection[str] = (), likely: Callable[[], Collection[str]] | None = None) -> And:
    """The terms of `query`, all of which a photo must match.

    `facts`: the keys of facts that can be filtered by, as far as they are no keys of the language anyhow. `likely`
    gives those that may be meant by a misspelt one, if that is not all.

    Raises:
        QueryError: with the column (from 1) where the query stops making sense.
    """
    if len(query) > MOST_CHARACTERS:
        raise QueryError(
            f"it has {len(query)} characters; {MOST_CHARACTERS} are allowed", column=MOST_CHARACTERS + 1
        )
    # Control characters and halves of surrogate pairs are no part of any word.
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in query)
    found = _Reader(facts, likely or (lambda: facts)).read(_parsed(plain.translate(_QUOTES)))
    if found is None:
        raise QueryError("there is no word in it", column=1, hint="Type what a photo shows, such as `dog`.")
    return found if isinstance(found, And) else And((found,))


def has_words(text: str) -> bool:
    """Whether the text index could see a word in `text`: letters, digits, and nothing else, make words there."""
    return any(unicodedata.category(each)[0] in "LN" or unicodedata.category(each) == "Co" for each in text)


@cache
def _parser() -> Lark:
    from lark import Lark  # 70 ms, which only a search has to spend

    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _parsed(text: str) -> Parsed:
    from lark.exceptions import UnexpectedToken

    try:
        return cast("Parsed", _parser().parse(text))
    except UnexpectedToken as error:
        raise _misplaced(error) from None


def _misplaced(error: UnexpectedToken) -> QueryError:
    """What is wrong where the grammar does not go on."""
    token = error.token
    read = [each for each in _value_stack(error) if hasattr(each, "type")]
    opened = [each for each in read if each.type == "LPAR"]
    last = read[-1] if read else None
    if last is not None and last.type == "OR":
        column = _column(last)
        return QueryError(
            f"nothing stands behind the `OR` at column {column}",
            column=column,
            hint='Write a term on each side of it; the word itself is `"or"`.',
        )
    if token.type == "$END" and opened:
        column = _column(opened[-1])
        return QueryError(
            f"the parenthesis at column {column} is not closed", column=column, hint="Add the closing `)`."
        )
    column = _column(token) if token.type != "$END" else _column(last) if last is not None else 1
    return QueryError(
        f"the parenthesis at column {column} closes none",
        column=column,
        hint="Remove it, or put what is meant as text into quotes.",
    )


def _value_stack(error: UnexpectedToken) -> list[Any]:
    return list(error.interactive_parser.parser_state.value_stack) if error.interactive_parser else []


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


class _Reader:
    """Makes the tree of a query out of the parser's; None where a part has no word that could be searched for."""

    def __init__(self, facts: Collection[str], likely: Callable[[], Collection[str]]) -> None:
        self._facts = facts
        self._likely = likely
        self._terms = 0

    def read(self, parsed: Parsed, depth: int = 0) -> Node | None:
        kind = getattr(parsed, "data", None)
        if kind is None:
            return self._term(cast("Token", parsed))
        children = cast("Tree[Token]", parsed).children
        if kind == "either":
            parts = [self.read(each, depth) for each in children if getattr(each, "type", "") != "OR"]
            return _joined(Or, parts)
        if kind == "both":
            return self._both(children, depth)
        if kind == "negated":
            return self._negated(children, depth)
        if kind == "group":
            if depth == MOST_DEPTH:
                column = _column(cast("Token", children[0]))
                raise QueryError(f"more than {MOST_DEPTH} parentheses stand within each other", column=column)
            return self.read(children[1], depth + 1) if len(children) == 3 else None
        return None  # `start` of an empty query

    def _both(self, children: list[Parsed], depth: int) -> Node | None:
        """Terms side by side. `AND` between two of them says the same, as everybody who types it expects."""
        kept = [
            each
            for place, each in enumerate(children)
            if not (0 < place < len(children) - 1 and getattr(each, "type", "") == "WORD" and each == "AND")
        ]
        return _joined(And, [self.read(each, depth) for each in kept])

    def _negated(self, children: list[Parsed], depth: int) -> Node | None:
        negative = True
        inner = children[1]
        while getattr(inner, "data", None) == "negated":
            negative = not negative
            inner = cast("Tree[Token]", inner).children[1]
        term = self.read(inner, depth)
        return Not(term) if term is not None and negative else term

    def _term(self, token: Token) -> Node | None:
        node = self._node(token)
        if node is not None:
            self._terms += 1
            if self._terms > MOST_TERMS:
                raise QueryError(f"it has more than {MOST_TERMS} words", column=_column(token))
        return node

    def _node(self, token: Token) -> Node | None:
        column, text = _column(token), str(token)
        if token.type == "UNCLOSED":
            raise _unclosed(column)
        if token.type == "PHRASE":
            words = text.strip('"*' if text.endswith("*") else '"').strip()
            return Phrase(words, column, prefix=text.endswith("*")) if has_words(words) else None
        keyed = _KEYED.fullmatch(text)
        key = find_key(keyed["key"], self._facts) if keyed else None
        if keyed and key is not None:
            return _filter(key, keyed, column)
        if keyed:
            self._refuse_misspelt(keyed, column)
            member = find_member(keyed["key"], self._facts)
            if member is not None:
                return _filter(member, keyed, column)
        if keyed and token.type == "MEMBER":
            raise QueryError(
                f"there is no key `{keyed['key']}:` (column {column})",
                column=column,
                hint="What is meant as words stands in quotes, with blanks around them.",
            )
        if token.type == "KEYED" and keyed:
            # No key, so two terms that happen to touch.
            parts = (_word(keyed["key"], column), _phrase(keyed["value"], column + keyed.start("value")))
            return _joined(And, parts)
        return _word(text, column)

    def _refuse_misspelt(self, keyed: re.Match[str], column: int) -> None:
        member = find_member(keyed["key"], self._facts)
        likely = self._likely()
        meant = nearest_key(member or keyed["key"], likely)
        if meant is None and member is None:
            meant = key_within(keyed["key"], likely)
        if meant is not None and not keyed["value"].startswith("//"):
            raise QueryError(
                f"there is no key `{keyed['key']}:` (column {column})",
                column=column,
                hint=f"Did you mean `{meant}:`? What is meant as words stands in quotes.",
            )


def _filter(key: str, keyed: re.Match[str], column: int) -> Node:
    value, comparison = keyed["value"], keyed["comparison"]
    value_column = column + keyed.start("value")
    if not comparison and value[:1] in _COMPARISONS:
        comparison, value, value_column = _COMPARISONS[value[0]], value[1:], value_column + 1
    quoted = value.startswith('"')
    if quoted:
        if len(value) < 2 or not value.endswith('"'):
            raise _unclosed(value_column)
        value = value[1:-1].strip()
    if not value:
        example = KEYS[key].example if key in KEYS else f"{key}:1"
        raise QueryError(
            f"nothing stands behind `{keyed['key']}:` (column {column})",
            column=value_column,
            hint=f"Write the value right behind the colon, such as `{example}`.",
        )
    if key == "like":
        return Like(value, column)
    return Filter(key, value, column, "" if comparison == "=" else comparison, quoted, value_column)


def _word(text: str, column: int) -> Word | None:
    if not has_words(text):
        return None
    bare = text.rstrip("*")
    prefix = bare != text and has_words(bare[-1])
    return Word(bare if prefix else text, column, prefix)


def _phrase(quoted: str, column: int) -> Phrase | None:
    words = quoted.strip('"').strip()
    return Phrase(words, column) if has_words(words) else None


def _unclosed(column: int) -> QueryError:
    return QueryError(f"the quote at column {column} is not closed", column=column, hint='Add the closing `"`.')


def _joined(kind: type[And | Or], parts: Iterable[Node | None]) -> Node | None:
    """`parts` as one node, those of the same kind taken apart."""
    terms: list[Node] = []
    for part in parts:
        if isinstance(part, kind):
            terms += part.terms
        elif part is not None:
            terms.append(part)
    return kind(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None
