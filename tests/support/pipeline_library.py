"""A small library on disk, and a real pipeline over it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from imgd.config import LaneSettings, PathSettings, PipelineSettings, Settings
from imgd.domain import Priority
from imgd.pipeline.idleness import Idleness
from imgd.pipeline.plan import ActiveAnalyzer, make_spec
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.findings import Committed
from imgd.store.migrate import migrations


def write_photo(path: Path, size: tuple[int, int] = (640, 480)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 30)).save(path)
    return path


@dataclass
class Library:
    """A database whose one root is `root`."""

    database: Database
    root: Path
    settings: Settings
    analyzers: list[Any] = field(default_factory=list)

    def register(self, *paths: Path) -> None:
        """Make photos of `paths`, owing every analyzer."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO roots (id, path, display_path) VALUES (1, ?, ?)",
                (os.fsencode(self.root), str(self.root)),
            )
            connection.execute(
                "INSERT OR IGNORE INTO folders (id, root_id, path, display_path) VALUES (1, 1, x'', '')"
            )
            for path in paths:
                status = path.stat()
                row = (os.fsencode(path.name), path.name, status.st_size, status.st_mtime_ns, status.st_dev)
                connection.execute(
                    "INSERT INTO photos"
                    " (folder_id, name, display_name, size, mtime_ns, device, inode, added_at, change_seq)"
                    " VALUES (1, ?, ?, ?, ?, ?, ?, 0, 0)"
                    " ON CONFLICT DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
                    " revision = revision + 1, file_revision = revision + 1",
                    (*row, status.st_ino),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO jobs (photo_id, analyzer_id, priority)"
                    " SELECT photos.id, analyzers.id, ? FROM photos, analyzers WHERE photos.name = ? AND active",
                    (int(Priority.SCAN), os.fsencode(path.name)),
                )

        self.database.write(work).result()

    def activate(self, *classes: Any) -> list[ActiveAnalyzer]:
        rows = self.database.write(
            lambda connection: synchronise(
                connection, [AnalyzerDeclaration(each.name, each.version, "") for each in classes]
            )
        ).result()
        return [ActiveAnalyzer(rows[each.name].id, each, make_spec(each, None, {}, None)) for each in classes]

    def rows(self, query: str, *parameters: object) -> list[Any]:
        with self.database.read() as connection:
            return connection.execute(query, parameters).fetchall()

    def findings(self, analyzer: str) -> dict[str, dict[str, Any]]:
        """Photo name -> facts."""
        return {
            name: json.loads(facts)
            for name, facts in self.rows(
                "SELECT display_name, facts FROM findings JOIN photos ON photos.id = photo_id"
                " JOIN analyzers ON analyzers.id = analyzer_id WHERE analyzers.name = ?",
                analyzer,
            )
        }

    def failures(self) -> dict[tuple[str, str], str]:
        """(photo name, analyzer) -> reason."""
        return {
            (name, analyzer): reason
            for name, analyzer, reason in self.rows(
                "SELECT display_name, analyzers.name, reason FROM jobs JOIN photos ON photos.id = photo_id"
                " JOIN analyzers ON analyzers.id = analyzer_id WHERE jobs.state = 'failed'"
            )
        }

    def owed(self) -> int:
        return int(self.rows("SELECT COUNT(*) FROM jobs WHERE state = 'owed'")[0][0])


def activate(library: Library, *classes: Any) -> list[ActiveAnalyzer]:
    """As the library itself does it, with a preview cache."""
    rows = library.database.write(
        lambda c: synchronise(c, [AnalyzerDeclaration(each.name, each.version, "") for each in classes])
    ).result()
    cache = library.settings.previews
    return [
        ActiveAnalyzer(
            rows[each.name].id,
            each,
            make_spec(each, each.settings_type() if each.settings_type else None, {}, cache),
        )
        for each in classes
    ]


@contextmanager
def open_library(tmp_path: Path) -> Iterator[Library]:
    root = tmp_path / "photos"
    root.mkdir()
    settings = Settings(
        roots=(root,),
        paths=PathSettings(tmp_path / "state", tmp_path / "cache", tmp_path / "models", tmp_path / "sock"),
        pipeline=PipelineSettings(commit_interval_s=0.05, nice=0),
        lanes=LaneSettings(devices=("cpu",), batch_wait_s=0.1),
    )
    database = Database(tmp_path / "library.db", migrations())
    try:
        yield Library(database, root, settings)
    finally:
        database.close()


class AheadClock:
    """In the place of the module `time`: as late as one says."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass
class Heard:
    """What the pipeline told its listener."""

    pipeline: Pipeline | None = None
    changed: list[bytes] = field(default_factory=list)
    broke: dict[str, str] = field(default_factory=dict)
    commits: list[Committed] = field(default_factory=list)
    on_commit: Callable[[Committed], None] | None = None

    def findings_committed(self, committed: Committed) -> None:
        self.commits.append(committed)
        if self.on_commit:
            self.on_commit(committed)

    def file_changed(self, path: bytes) -> None:
        self.changed.append(path)

    def part_failed(self, name: str, error: BaseException) -> None:
        raise AssertionError(name) from error

    def analyzer_broke(self, name: str, reason: str) -> None:
        self.broke[name] = reason


async def analyze_all(
    library: Library,
    active: list[ActiveAnalyzer],
    *,
    workers: int = 2,
    during: Callable[[Pipeline, ChildStarter], Any] | None = None,
    until: Callable[[], bool] | None = None,
    timeout_s: float = 120.0,
    idleness: Idleness | None = None,
    on_commit: Callable[[Committed], None] | None = None,
) -> Heard:
    """Run a pipeline until it has nothing in flight and the queue is read to its end."""
    starter = ChildStarter()
    heard = Heard(on_commit=on_commit)
    pipeline = Pipeline(
        library.database,
        starter,
        library.settings,
        active,
        formats=(),
        listener=heard,
        workers=workers,
        idleness=idleness,
    )
    heard.pipeline = pipeline
    pipeline.start()
    try:
        if during is not None:
            await during(pipeline, starter)
        deadline = time.monotonic() + timeout_s
        while pipeline.busy or (until is not None and not until()):
            assert time.monotonic() < deadline, "the pipeline did not finish"
            await asyncio.sleep(0.02)
    finally:
        await pipeline.stop()
        await starter.stop()
    return heard


def with_pipeline(settings: Settings, **changes: Any) -> Settings:
    return dataclasses.replace(settings, pipeline=dataclasses.replace(settings.pipeline, **changes))


def make_photos(library: Library, names: list[str]) -> list[Path]:
    paths = [write_photo(library.root / name, (600 + 10 * number, 400)) for number, name in enumerate(names)]
    library.register(*paths)
    return paths
