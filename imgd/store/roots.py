"""The roots: which directory trees are watched, and whether their photos can be reached."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from imgd.domain import RootState
from imgd.store.changes import next_change_seq
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "roots")

NO_LONGER_CONFIGURED = "no longer configured"

_SUDDEN_PHOTOS = 20
_SUDDEN_WITHIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class Root:
    """A stored root. `filesystem_id`: what the last full scan saw there. `removed_at`: when it left the
    configuration. `purge_held`: so much went missing at once that nothing is purged until `confirm`."""

    id: int
    path: bytes
    state: RootState
    reason: str
    scanned_at: float | None
    filesystem_id: str
    removed_at: float | None
    purge_held: bool


def configure(connection: sqlite3.Connection, paths: Sequence[bytes], now: float) -> list[Root]:
    """Make `paths` (absolute) the configured roots; returns them, in the order given.

    A root that is no longer among them goes offline, and its photos are missing: searches find them no more.
    They are purged only after the grace period, so that an edit of the configuration can be taken back: the
    next scan of the root finds them again, as they were.
    """
    wanted = list(dict.fromkeys(paths))
    connection.executemany(_SQL["configure"], [(path, path.decode("utf-8", "replace")) for path in wanted])
    stored = {root.path: root for root in read_roots(connection)}
    for path, root in stored.items():
        if path not in wanted:
            _remove(connection, root.id, now)
    return [stored[path] for path in wanted]


def _remove(connection: sqlite3.Connection, root_id: int, now: float) -> None:
    if connection.execute(_SQL["remove"], (NO_LONGER_CONFIGURED, now, root_id)).rowcount:
        parameters = {"root_id": root_id, "now": now, "change_seq": next_change_seq(connection)}
        connection.execute(_SQL["miss_photos"], parameters)


def read_roots(connection: sqlite3.Connection) -> list[Root]:
    """All roots, those no longer configured included."""
    return [
        Root(id_, path, RootState(state), reason, scanned_at, filesystem_id, removed_at, bool(held))
        for id_, path, state, reason, scanned_at, filesystem_id, removed_at, held in connection.execute(
            _SQL["all"]
        )
    ]


def set_state(connection: sqlite3.Connection, root_id: int, state: RootState, reason: str = "") -> bool:
    """Record whether the root can be reached, and why not; returns whether that is news."""
    return connection.execute(_SQL["set_state"], (str(state), reason, root_id)).rowcount > 0


def set_scanned(connection: sqlite3.Connection, root_id: int, now: float, filesystem_id: str) -> None:
    """Record that a full scan ended."""
    connection.execute(_SQL["set_scanned"], (now, filesystem_id, root_id))


def hold_if_sudden(connection: sqlite3.Connection, root_id: int, now: float) -> bool:
    """Hold the purge when more than half of a root (and more than 20 photos) went missing within an hour.

    What was confirmed counts neither as missing nor as part of the root. Returns whether the purge is held. Costs
    an index entry for each missing photo, and for each photo of the root up to twice as many: call it seldom.
    """
    if _is_mostly_gone(connection, root_id, since=now - _SUDDEN_WITHIN_S, more_than=_SUDDEN_PHOTOS):
        connection.execute(_SQL["hold_purge"], (1, root_id))
    return _is_held(connection, root_id)


def release_if_back(connection: sqlite3.Connection, root_id: int) -> bool:
    """Release a hold once no more than half of the root's photos are missing; returns whether it is held."""
    held = _is_held(connection, root_id)
    if held and not _is_mostly_gone(connection, root_id, since=0.0):
        connection.execute(_SQL["hold_purge"], (0, root_id))
        return False
    return held


def confirm(connection: sqlite3.Connection, root_id: int, now: float) -> None:
    """A person says that what is missing from the root by `now` is meant to be gone: purging goes on."""
    connection.execute(_SQL["confirm"], (now, root_id))


def _is_held(connection: sqlite3.Connection, root_id: int) -> bool:
    return bool(connection.execute(_SQL["is_held"], (root_id,)).fetchone()[0])


def _is_mostly_gone(connection: sqlite3.Connection, root_id: int, *, since: float, more_than: int = 0) -> bool:
    """Whether more than half of the photos that were not confirmed to be gone went missing after `since`."""
    parameters = {"root_id": root_id, "since": since}
    gone, confirmed = connection.execute(_SQL["count_missing"], parameters).fetchone()
    if gone <= more_than:
        return False
    as_many_as_is_half = {"root_id": root_id, "count": 2 * gone + confirmed}
    return not connection.execute(_SQL["has_photos"], as_many_as_is_half).fetchone()[0]
