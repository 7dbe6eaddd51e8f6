"""Housekeeping of the cache: previews of photos that are forgotten go, and so do leftovers of killed workers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from imgd.store.database import Database
from imgd.store.statements import load_statements

_YOUNG_S = 3600.0
"""Files younger than this are left alone: their photos' findings may not be committed yet."""

_SQL = load_statements("imgd.daemon", "upkeep")


def sweep_previews(previews: Path, database: Database) -> int:
    """Delete old files below `previews` that belong to no photo; returns how many. One folder at a time."""
    swept = 0
    for folder in _leaf_folders(previews):
        old = _old_files(folder)
        ids = [int(name[:-4]) for name in old if name.endswith(".jpg") and name[:-4].isdecimal()]
        with database.read() as connection:
            known = {f"{row[0]}.jpg" for row in connection.execute(_SQL["known"], (json.dumps(ids),))}
        for name in old:
            if name not in known:
                (folder / name).unlink(missing_ok=True)
                swept += 1
    return swept


def _leaf_folders(previews: Path) -> Iterator[Path]:
    for shard in _folders(previews):
        yield from _folders(shard)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _old_files(folder: Path) -> list[str]:
    before = time.time() - _YOUNG_S
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file() and entry.stat().st_mtime < before]
