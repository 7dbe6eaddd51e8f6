"""Libraries of thousands of photos straight in the store, as if each photo had been analyzed.

    python bench/synthetic.py [DIR] [--count 50000] [--seed 0]

DIR (a temporary one where none is named) becomes a state directory: `library.db` alone, from which a daemon
makes its indexes. There are no photo files: the library's one root is a path where nothing is, which imgd takes
for a disk that is unplugged. Such photos stay searchable, are not looked for, and owe nothing. The daemon must
have that root (it is printed) in its `roots`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
import world
from events import Event, make_events
from looks import DIMENSIONS, SPACE
from rows import LOOKS, PEOPLE, WORDS, PhotoWriter

from imgd.analyzers.metadata import Metadata
from imgd.analyzers.preview import Preview
from imgd.analyzers.technical import Technical
from imgd.config import settings_digest
from imgd.store.database import Database
from imgd.store.migrate import migrations

ROOT = Path("/nonexistent/imgd-bench")
"""The root of every made library. Debian keeps /nonexistent for what must never be there."""
BUILT_IN = (Metadata, Preview, Technical)
_BLOCK = 5_000


def make_library(folder: Path, count: int, seed: int = 0) -> Path:
    """Make `folder` a state directory with a library of `count` photos; returns it.

    The schema comes from imgd's own migrations. The rows then go in without a journal and before the indexes that
    are no constraints: what is lost by a power cut is made again, and a sorted index is built in a fraction of the
    time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "library.db"
    Database(path, migrations()).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "foreign_keys = OFF",
                       "temp_store = FILE", "locking_mode = EXCLUSIVE"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> ''"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        _fill(connection, count, seed)
        for _, statement in indexes:
            connection.execute(statement)
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("PRAGMA journal_mode = WAL")
    return folder


def _fill(connection: sqlite3.Connection, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    events = list(make_events(random, count))
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO roots (id, path, display_path, state) VALUES (1, ?, ?, 'offline')",
        (str(ROOT).encode(), str(ROOT)),
    )
    connection.executemany(
        "INSERT INTO folders (id, root_id, path, display_path) VALUES (?, 1, ?, ?)",
        [(number, event.folder.encode(), event.folder) for number, event in enumerate(events, 1)],
    )
    analyzers = _declare(connection)
    uniques = [world.unique_tag(number) for number in range(world.unique_count(count))]
    connection.executemany(
        "INSERT INTO labels (label) VALUES (?)", [(label,) for label in (*world.labels(), *uniques)]
    )
    connection.execute("INSERT INTO spaces VALUES (1, ?, ?)", (SPACE, DIMENSIONS))
    connection.execute("INSERT INTO space_sources VALUES (1, ?, 1)", (analyzers[LOOKS],))
    connection.execute("COMMIT")
    writer = PhotoWriter(connection, analyzers, random, count)
    block: list[tuple[int, Event]] = []
    waiting = 0
    for number, event in enumerate(events, 1):
        block.append((number, event))
        waiting += event.count
        if waiting >= _BLOCK or number == len(events):
            writer.put(block)
            block, waiting = [], 0
    connection.execute(
        "UPDATE counters SET value = (SELECT max(change_seq) FROM photos) WHERE name = 'change_seq'"
    )


def _declare(connection: sqlite3.Connection) -> dict[str, int]:
    """The analyzers as a daemon with its defaults declares them, so that none owes anything; ids by name."""
    rows = []
    for kind in BUILT_IN:
        settings = kind.settings_type() if kind.settings_type is not None else None
        rows.append((kind.name, kind.version, settings_digest(settings, kind.code_settings)))
    rows += [(name, "1", settings_digest(None)) for name in (LOOKS, WORDS, PEOPLE)]
    connection.executemany("INSERT INTO analyzers (name, version, digest) VALUES (?, ?, ?)", rows)
    return dict(connection.execute("SELECT name, id FROM analyzers").fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgd-bench-")))
        if (folder / "library.db").exists():
            parser.error(f"{folder} has a library already")
        began = time.perf_counter()
        make_library(folder, options.count, options.seed)
        took_s = time.perf_counter() - began
        size = (folder / "library.db").stat().st_size
    print(f"{options.count} photos in {took_s:.0f} s, {size / 1e6:.0f} MB; their root is {ROOT}")
    print(json.dumps({"bench": "synthetic", "photos": options.count, "s": round(took_s, 1), "bytes": size}))


if __name__ == "__main__":
    main()
