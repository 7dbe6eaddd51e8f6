"""Forgetting, after the grace period, photos whose files stayed away."""

from __future__ import annotations

import json
import sqlite3

from imgd.store.changes import next_change_seq
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "purge")


def purge(connection: sqlite3.Connection, now: float, grace_s: float, limit: int = 500) -> int:
    """Remove up to `limit` photos that are missing, or whose root left the configuration, since `grace_s` ago.

    None of a root that is offline, whose purge is held, or that was not scanned since. Returns how many were
    removed: call it again, in a transaction of its own, until that is 0.
    """
    parameters = {"before": now - grace_s, "limit": limit}
    photos = [photo_id for (photo_id,) in connection.execute(_SQL["pick_missing"], parameters)]
    photos += [photo_id for (photo_id,) in connection.execute(_SQL["pick_of_removed_roots"], parameters)]
    if photos:
        next_change_seq(connection)
        connection.execute(_SQL["remove"], (json.dumps(photos),))
    else:
        connection.execute(_SQL["remove_roots"], parameters)
    return len(photos)
