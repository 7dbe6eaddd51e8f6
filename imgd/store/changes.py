"""The change sequence: the number by which indexes know what they have not covered yet."""

from __future__ import annotations

import sqlite3


def next_change_seq(connection: sqlite3.Connection) -> int:
    """Take the next number, for all changes of the transaction that `connection` is in."""
    row = connection.execute(
        "UPDATE counters SET value = value + 1 WHERE name = 'change_seq' RETURNING value"
    ).fetchone()
    return int(row[0])


def newest_change_seq(connection: sqlite3.Connection) -> int:
    """The number of the newest committed change; an index whose manifest covers it is clean."""
    return int(connection.execute("SELECT value FROM counters WHERE name = 'change_seq'").fetchone()[0])


def count_changed(connection: sqlite3.Connection, covered_seq: int, limit: int) -> int:
    """How many photos have changed since the change `covered_seq`; `limit`, where it is that many or more."""
    statement = "SELECT count(*) FROM (SELECT 1 FROM photos WHERE change_seq > ? LIMIT ?)"
    return int(connection.execute(statement, (covered_seq, limit)).fetchone()[0])


def library_identity(connection: sqlite3.Connection) -> int:
    """What no other library has, but a copy of this one: an index of another must not serve."""
    row = connection.execute("SELECT value FROM counters WHERE name = 'identity'").fetchone()
    return int(row[0]) if row is not None else 0
