"""Keys of facts that searches filter by, and families of them: `objects.*` stands for `objects.person`, and so on.

A family is a dict-valued fact whose members are filtered by, each by a key of its own. A family of `int` counts
things: a member that is not in the dict is counted 0, and the family's own key is the sum of all (`objects:>=10`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

KINDS = (float, int, str, bool)
"""What a filterable fact may be."""

MOST_MEMBERS = 1_000
"""Members that one finding may have in a family. Each is a row of the library, and more is a mistake."""

_SIGN = ".*"
_NAME = re.compile(r"[^\W\d_]\w*\Z")
_GAP = re.compile(r"[\W_]+")


def is_family(key: str) -> bool:
    """Whether a declared key is that of a family."""
    return key.endswith(_SIGN)


def family_name(family: str) -> str:
    """`objects.*` -> `objects`: the key of the dict among the facts of a finding."""
    return family.removesuffix(_SIGN)


def member_key(name: str, member: str) -> str:
    """The key that filters by `member` of the family called `name`: `dining table` of `objects` is
    `objects.dining_table`. Case, and what is neither letter nor digit, make no difference.

    Raises:
        ValueError: no letter or digit is in it.
    """
    plain = _GAP.sub("_", member.casefold()).strip("_")
    if not plain:
        raise ValueError(f"{member!r} is no name of a member of {name}")
    return f"{name}.{plain}"


def find_member(typed: str, facts: Iterable[str]) -> str | None:
    """The key that is meant by `typed` as a member of one of the families among `facts`, whether there is such a
    member or not; None where it begins like none of them.

    A member's name may stand in quotes there: `objects."dining table"`.
    """
    for family in facts:
        name = family_name(family)
        if is_family(family) and typed[: len(name) + 1].lower() == f"{name}.".lower():
            try:
                return member_key(name, typed[len(name) + 1 :])
            except ValueError:
                return None
    return None


def family_of(key: str, facts: Mapping[str, type]) -> str | None:
    """The name of the family among the declared `facts` that `key` is a member of; None where it is of none."""
    name, dot, _ = key.rpartition(".")
    return name if dot and f"{name}{_SIGN}" in facts and not is_family(key) else None


def kind_of(key: str, facts: Mapping[str, type]) -> type | None:
    """What the fact `key` is by the declared `facts`; None where they do not tell."""
    if f"{key}{_SIGN}" in facts:
        return int if facts[f"{key}{_SIGN}"] is int else None
    family = family_of(key, facts)
    return facts[f"{family}{_SIGN}"] if family is not None else facts.get(key)


def count_family(key: str, facts: Mapping[str, type]) -> str | None:
    """The name of the family of counts among the declared `facts` that `key` is of, as the sum or as a member."""
    name = family_of(key, facts) or key
    return name if facts.get(f"{name}{_SIGN}") is int else None


def filterable_keys(facts: Mapping[str, type]) -> set[str]:
    """The declared keys, families as they stand, and those of the sums of families that count."""
    return {*facts, *(family_name(key) for key, kind in facts.items() if is_family(key) and kind is int)}


def facts_problem(facts: object) -> str:
    """Why `facts` is no valid declaration of facts, or ""."""
    if not (
        isinstance(facts, Mapping) and all(isinstance(key, str) and kind in KINDS for key, kind in facts.items())
    ):
        return "`facts` must map keys to float, int, str or bool"
    return next(filter(None, (_key_problem(key, facts) for key in facts)), "")


def _key_problem(key: str, facts: Mapping[str, type]) -> str:
    name, family = family_name(key), family_of(key, facts)
    if is_family(key):
        if not _NAME.match(name):
            return f"`facts` has `{key}`; a family is called by letters, digits and `_`, such as `objects.*`"
        return f"`facts` has `{name}` and `{key}`: the first is the family's own" if name in facts else ""
    if "*" in key:
        return f"`facts` has `{key}`; a star stands behind a dot at the end, for a family"
    if family is None:
        return ""
    if facts[f"{family}{_SIGN}"] is not facts[key]:
        return f"`facts` has `{key}` as another type than its family"
    is_plain = key == member_key(family, key.removeprefix(f"{family}."))
    return "" if is_plain else f"`facts` has `{key}`; members of a family have small letters, digits and `_`"
