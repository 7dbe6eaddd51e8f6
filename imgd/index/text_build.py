"""A text index of all photos, made from nothing, in a file that nobody else has open."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from imgd.index.apart import live_apart
from imgd.index.documents import ASSEMBLY, DocumentSource
from imgd.store.changes import library_identity, newest_change_seq
from imgd.store.database import named_errors
from imgd.store.migrate import migrate, migrations
from imgd.store.statements import load_statements

_CHUNK = 2_000
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -32768")
"""Until the file is whole and synced it is worth nothing, so nothing of it need survive a crash."""

_HASH_BYTES = 8 << 20
"""Words that FTS5 gathers in memory before it writes a segment; all segments become one at the end. Of 1 (FTS5's
default), 8, 16, 32 and 64 MiB this is the quickest: less makes more segments, more no longer fits the processor's
cache."""
_DEFAULT_HASH_BYTES = 1 << 20

_SYNC_BYTES = 4 << 20
"""The file is synced each time it has grown by so much: all at once it would hold up whoever else syncs."""


def build_text(library: Path, path: Path) -> None:
    """Make `path`, which must not be there, an index of every photo of `library`; it is durable on return.

    The photos are read in the order of their ids, a chunk at a time, each of one state of the library. What
    changes meanwhile is newer than the change number up to which the index then says it covers the library.

    Raises:
        StoreError: when the library cannot be read, or the disk is full.
    """
    sql = load_statements("imgd.index", "text")
    with (
        named_errors(path),
        open(path, "xb", opener=partial(os.open, mode=0o600)) as file,  # closed last: SQLite's locks go with it
        closing(sqlite3.connect(path, isolation_level=None)) as made,
    ):
        for pragma in _PRAGMAS:
            made.execute(f"PRAGMA {pragma}")
        migrate(made, migrations("imgd.index"))
        made.execute("BEGIN")
        made.execute(sql["hash_size"], {"bytes": _HASH_BYTES})
        with named_errors(library), closing(_reader(library)) as source:
            identity, target, synced = library_identity(source), newest_change_seq(source), 0
            for documents in _documents(source):
                made.executemany(sql["put"], documents)
                made.executemany(sql["enter_words"], documents)
                if (size := os.fstat(file.fileno()).st_size) - synced > _SYNC_BYTES:
                    os.fdatasync(file.fileno())
                    synced = size
        made.execute(sql["optimize_words"])
        made.execute(sql["hash_size"], {"bytes": _DEFAULT_HASH_BYTES})
        made.execute(sql["cover_all"], {"covered": target, "assembly": ASSEMBLY, "library": identity})
        made.execute("COMMIT")
        os.fsync(file.fileno())


def _reader(library: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(library, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _documents(library: sqlite3.Connection) -> Iterator[Sequence[tuple[object, ...]]]:
    source, after = DocumentSource(), 0
    while True:
        library.execute("BEGIN")
        photo_ids = source.following(library, after, _CHUNK)
        documents = source.assemble(library, photo_ids)
        library.execute("COMMIT")
        if not photo_ids:
            return
        yield documents
        after = photo_ids[-1]


def _work(arguments: Sequence[str]) -> None:
    library, path = map(Path, arguments)
    build_text(library, path)


if __name__ == "__main__":
    live_apart("imgd-text-build", _work)
