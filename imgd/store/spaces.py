"""Spaces side by side: an old generation serves until the new one is complete, then it goes; and the spaces of
chosen analyzers take the place of all others once these have looked at every photo."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from imgd.store.changes import next_change_seq
from imgd.store.jobs import any_owed
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "spaces")


@dataclass(frozen=True, slots=True)
class Superseded:
    """A space whose analyzer fills the spaces `successors` now. They are `complete` once no photo that can be
    reached owes that analyzer a finding; of one that runs on request, or no more, once none has only an earlier
    one."""

    space_id: int
    name: str
    analyzer_id: int
    successors: tuple[str, ...]
    complete: bool


def read_filled(connection: sqlite3.Connection) -> list[str]:
    """Names of the spaces that an analyzer fills or has filled."""
    return [name for (name,) in connection.execute(_SQL["filled"])]


def read_superseded(connection: sqlite3.Connection) -> list[Superseded]:
    """Spaces that others have taken the place of and that still have vectors; the oldest first."""
    return [
        Superseded(
            space_id,
            name,
            analyzer_id,
            tuple(row[0] for row in connection.execute(_SQL["successors"], {"analyzer": analyzer_id})),
            not (any_owed(connection, [analyzer_id]) or _any_unasked(connection, analyzer_id)),
        )
        for space_id, name, analyzer_id in connection.execute(_SQL["superseded"]).fetchall()
    ]


def _any_unasked(connection: sqlite3.Connection, analyzer_id: int) -> bool:
    """Whether a photo has an earlier finding of an analyzer that runs on request, or no more, and so owes it no
    newer one."""
    return bool(connection.execute(_SQL["any_unasked"], {"analyzer": analyzer_id}).fetchone()[0])


def remove_superseded(connection: sqlite3.Connection, space: Superseded, limit: int) -> bool:
    """Remove up to `limit` of the vectors of a space that is not needed any more; whether some may be left.

    Call it again, in a transaction of its own, until that is False. The space's row stays.
    """
    place = {"space": space.space_id, "analyzer": space.analyzer_id, "limit": limit}
    next_change_seq(connection)
    if connection.execute(_SQL["remove_vectors"], place).rowcount == limit:
        return True
    connection.execute(_SQL["remove_source"], place)
    return False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What `[search] meaning` means for the library: the `spaces` that the analyzers which it names have filled,
    of whatever generation, and whether these answer alone from now on (`settled`)."""

    spaces: frozenset[str]
    settled: bool


def read_chosen(connection: sqlite3.Connection, analyzers: Collection[str]) -> Chosen:
    """The spaces of `analyzers`, which are names."""
    rows = connection.execute(_SQL["filled_by"], {"analyzers": json.dumps(sorted(analyzers))})
    settled = connection.execute(_SQL["is_settled"], (_settled_name(analyzers),)).fetchone()[0]
    return Chosen(frozenset(row[0] for row in rows), bool(settled))


def have_looked(connection: sqlite3.Connection, analyzers: Collection[str]) -> bool:
    """Whether all of `analyzers` run, and have looked at every photo that can be reached; those that they failed
    with do not count. Reads a row of every photo where they have."""
    ids = _active(connection, analyzers)
    if len(ids) < len(set(analyzers)) or any_owed(connection, ids):
        return False
    return not connection.execute(_SQL["any_not_looked_at"], {"ids": json.dumps(ids)}).fetchone()[0]


def is_owed(connection: sqlite3.Connection, analyzers: Collection[str]) -> bool:
    """Whether a photo that can be reached owes one of `analyzers` a finding."""
    return any_owed(connection, _active(connection, analyzers))


def settle(connection: sqlite3.Connection, analyzers: Collection[str]) -> None:
    """Remember, until others are chosen or one of them is switched off, that the spaces of `analyzers` answer
    alone: photos that come later change nothing about that, as these look at them, too."""
    connection.execute(_SQL["unsettle"])
    connection.execute(_SQL["settle"], (_settled_name(analyzers),))


def unsettle_choices_of(connection: sqlite3.Connection, analyzer: str) -> None:
    """`analyzer` runs no more: it does not look at photos that come, which the others have to find."""
    connection.execute(_SQL["unsettle_choices_of"], (analyzer,))


def _active(connection: sqlite3.Connection, analyzers: Collection[str]) -> list[int]:
    """The ids of those of `analyzers` that run."""
    rows = connection.execute(_SQL["active"], {"analyzers": json.dumps(sorted(analyzers))})
    return [row[0] for row in rows]


def _settled_name(analyzers: Collection[str]) -> str:
    return f"meaning:{','.join(sorted(analyzers))}"
