"""The roots: which directory trees are watched, and whether their photos can be reached."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from imgd.domain import RootState
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

    A root that is no longer among them goes offline with its photos; they are purged only after the grace
    period, so that an edit of the configuration can be taken back.
    """
    wanted = list(dict.fromkeys(paths))
    connection.executemany(_SQL["configure"], [(path, path.decode("utf-8", "replace")) for path in wanted])
    stored = {root.path: root for root in read_roots(connection)}
    for path, root in stored.items():
        if path not in wanted:
            connection.execute(_SQL["remove"], (NO_LONGER_CONFIGURED, now, root.id))
    return [stored[path] for path in wanted]


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


def count_photos(connection: sqlite3.Connection, root_id: int) -> int:
    """All photos of a root, missing ones included. Reads an index entry a photo: call it seldom."""
    return int(connection.execute(_SQL["count_photos"], (root_id,)).fetchone()[0])


def hold_if_sudden(connection: sqlite3.Connection, root_id: int, now: float) -> bool:
    """Hold the purge when more than half of a root (and more than 20 photos) went missing within an hour.

    Returns whether so much is missing now. A hold is released by `confirm`, or by `release_if_back`.
    """
    missing = connection.execute(_SQL["count_missing_since"], (now - _SUDDEN_WITHIN_S, root_id)).fetchone()[0]
    sudden = bool(missing > _SUDDEN_PHOTOS and missing * 2 > count_photos(connection, root_id))
    if sudden:
        connection.execute(_SQL["hold_purge"], (1, root_id))
    return sudden


def release_if_back(connection: sqlite3.Connection, root_id: int) -> bool:
    """Release a hold once no more than half of the root's photos are missing; returns whether it is held."""
    missing = connection.execute(_SQL["count_missing_since"], (0.0, root_id)).fetchone()[0]
    held = bool(missing * 2 > count_photos(connection, root_id))
    if not held:
        confirm(connection, root_id)
    return held


def confirm(connection: sqlite3.Connection, root_id: int) -> None:
    """A person says that what is missing from the root is meant to be gone: purging goes on."""
    connection.execute(_SQL["hold_purge"], (0, root_id))
