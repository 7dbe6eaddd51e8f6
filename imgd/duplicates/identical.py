"""Bit-identical files: those of one content hash."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np

from imgd.duplicates.listing import Listing, Stopped, make_listing
from imgd.store.database import Database
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.duplicates", "duplicates")
_PAGE = 4096


def list_identical(database: Database, stopped: Callable[[], bool]) -> Listing:
    """Groups of files with one content hash, as far as files were hashed.

    Saved is what all but one take. Hard links to one file take nothing.
    """
    members, sizes, saved = array("q"), array("q"), array("q")
    after = b""
    while not stopped():
        with database.read() as connection:
            last = connection.execute(_SQL["last_hashed"], {"after": after, "limit": _PAGE}).fetchone()[0]
            if last is None:
                return make_listing(
                    np.array(members, np.int64), np.array(sizes, np.int64), np.array(saved, np.int64)
                )
            rows = connection.execute(_SQL["hashed"], {"after": after, "last": last}).fetchall()
        first = 0
        for place in range(1, len(rows) + 1):
            if place == len(rows) or rows[place][0] != rows[first][0]:
                group = rows[first:place]
                if len(group) > 1:
                    files = {(device, inode) for *_, device, inode in group}
                    members.extend(row[1] for row in group)
                    sizes.append(len(group))
                    saved.append(group[0][2] * (len(files) - 1))
                first = place
        after = last
    raise Stopped
