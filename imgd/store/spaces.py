"""Two generations of a space side by side: the old one serves until the new one is complete, then it goes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from imgd.store.changes import next_change_seq
from imgd.store.jobs import any_owed
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "spaces")


@dataclass(frozen=True, slots=True)
class Superseded:
    """A space whose analyzer fills the spaces `successors` now. They are `complete` once no photo that can be
    reached owes that analyzer a finding."""

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
            not any_owed(connection, [analyzer_id]),
        )
        for space_id, name, analyzer_id in connection.execute(_SQL["superseded"]).fetchall()
    ]


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
