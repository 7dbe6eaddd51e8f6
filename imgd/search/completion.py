"""Ways to go on with a half-typed query, for shells and other clients."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from imgd.facts import find_member
from imgd.index.spelling import fold

_LAST_TERM = re.compile(r'(?P<lead>[-(]*)(?P<term>(?:[^\s"]|"[^"]*(?:"|$))*)$')
_KEYED = re.compile(r'(?P<key>[^\W\d_][\w.-]*):(?P<value>"?[^"]*)', re.DOTALL)
_NEEDS_QUOTES = re.compile(r"[\s()]|^[<>=]|\*$|\.\.")


def complete(query: str, keys: Sequence[str], values: Callable[[str], Sequence[str]], limit: int) -> list[str]:
    """The last term of `query`, completed in at most `limit` ways, with what stands before it (`-`, `(`).

    `keys`: those to complete, with the colon; one that ends in a dot stands for all that begin so, until it is
    typed. `values`: what a key may have as its value. What begins as it was typed comes before what has a word
    that begins so.
    """
    found = _LAST_TERM.search(query)
    if found is None:
        return []
    lead, term = found["lead"], found["term"]
    keyed = _KEYED.fullmatch(term)
    if keyed is None:
        return [f"{lead}{key}" for key in _keys_begun(term, keys)][:limit]
    wanted = fold(keyed["value"].lstrip('"'))
    known = [(fold(value), value) for value in values(keyed["key"]) if '"' not in value]
    begun = [value for folded, value in known if folded.startswith(wanted)]
    inside = [value for folded, value in known if f" {wanted}" in folded and not folded.startswith(wanted)]
    return [f"{lead}{keyed['key']}:{_quoted(value)}" for value in (*begun, *inside)][:limit]


def _keys_begun(term: str, keys: Sequence[str]) -> Iterator[str]:
    families = [key for key in keys if key.endswith(".")]
    typed = (find_member(term, [f"{family}*" for family in families]) or term).lower()
    closed = tuple(family for family in families if not typed.startswith(family))
    for key in keys:
        if not key.lower().startswith(typed) or (key in families and key not in closed):
            continue
        if key in families or not key.startswith(closed):
            yield key


def _quoted(value: str) -> str:
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value
