"""RAW+JPEG pairs: a RAW file, and the JPEG, HEIC or JPEG XL of the same shot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from imgd.duplicates.listing import Listing, Stopped, make_listing
from imgd.index.matches import Ids
from imgd.store.database import Database
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.duplicates", "duplicates")
_PAGE = 4096


def list_pairs(database: Database, stopped: Callable[[], bool]) -> Listing:
    """Files of the same folder and stem, or of the same stem, camera and capture time, of which one is a RAW."""
    found: list[Ids] = []
    after = 0
    while not stopped():
        with database.read() as connection:
            last = connection.execute(_SQL["last_raw"], {"after": after, "limit": _PAGE}).fetchone()[0]
            if last is None:
                break
            for statement in ("pairs_in_a_folder", "pairs_of_a_time"):
                rows = connection.execute(_SQL[statement], {"after": after, "last": last}).fetchall()
                found.append(np.array(rows, np.int64).reshape(-1, 2))
        after = last
    if stopped():
        raise Stopped
    return _connected(np.concatenate(found) if found else np.empty((0, 2), np.int64))


def _connected(edges: Ids) -> Listing:
    """The groups that `edges` (n, 2) hold together."""
    photo_ids, ends = np.unique(edges, return_inverse=True)
    left, right = ends.reshape(-1, 2).T
    labels = np.arange(len(photo_ids))
    while True:
        least = np.minimum(labels[left], labels[right])
        nearer = labels.copy()
        np.minimum.at(nearer, left, least)
        np.minimum.at(nearer, right, least)
        if (nearer == labels).all():
            break
        labels = nearer
    order = np.argsort(labels, kind="stable")
    _, sizes = np.unique(labels, return_counts=True)
    return make_listing(photo_ids[order], sizes.astype(np.int64), np.zeros(len(sizes), np.int64))
