"""A real watcher on a real folder: real inotify, a real library."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imgd.config import PathSettings, Settings, WatchSettings
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.migrate import migrations
from imgd.watch.status import RootStatus
from imgd.watch.watcher import Watcher

_PATIENCE_S = 120.0
_PHOTOS = """
    SELECT CASE folders.path WHEN x'' THEN photos.name
                ELSE CAST(folders.path || '/' || photos.name AS BLOB) END,
           photos.id, photos.revision, photos.state, photos.size
    FROM photos JOIN folders ON folders.id = photos.folder_id JOIN roots ON roots.id = folders.root_id
    ORDER BY 1
"""


class Watched:
    """A watcher, its library, and what the tests ask them."""

    def __init__(self, folder: Path, *roots: Path, **watch: object) -> None:
        self.folder = folder
        self.roots = roots
        self.database = Database(folder / "state" / "library.db", migrations())
        self.database.write(
            lambda c: synchronise(
                c, [AnalyzerDeclaration("metadata", "1", ""), AnalyzerDeclaration("technical", "1", "")]
            )
        ).result()
        self._changed = threading.Event()
        self.watch = WatchSettings(**{"settle_s": 0.3, **watch})  # type: ignore[arg-type]
        self.watcher = self._start()

    def _start(self) -> Watcher:
        state = self.folder / "state"
        watcher = Watcher(
            self.database,
            Settings(
                roots=self.roots,
                watch=self.watch,
                paths=PathSettings(state, state / "cache", state / "models", state / "imgd.sock"),
            ),
            frozenset({".jpg", ".cr2"}),
            self._changed.set,
            sidecar_analyzers=lambda: [1],
        )
        watcher.start()
        return watcher

    def restart(self, between: Callable[[], None]) -> None:
        """Stop watching, do `between`, watch again."""
        self.watcher.stop()
        between()
        self.watcher = self._start()
        self.rest()

    def rest(self) -> None:
        """Until all that happened is registered."""
        self.until(lambda: not self.watcher.busy)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain; {self.watcher.roots()}"
            self._changed.wait(0.02)
            self._changed.clear()

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return connection.execute(statement, parameters).fetchall()

    def present(self) -> list[str]:
        """The paths of all present photos."""
        self.rest()
        return [os.fsdecode(path) for path, _, _, state, _ in self.rows(_PHOTOS) if state == "present"]  # type: ignore[arg-type]

    def photos(self) -> dict[str, tuple[int, int, str]]:
        """path -> (id, revision, state)."""
        self.rest()
        return {os.fsdecode(row[0]): row[1:4] for row in self.rows(_PHOTOS)}  # type: ignore[arg-type, misc]

    def status(self, root: int = 0) -> RootStatus:
        return self.watcher.roots()[root]

    def close(self) -> None:
        self.watcher.stop()
        self.database.close()


def write(path: Path, data: bytes = b"photo", *, age_s: float = 100.0) -> Path:
    """A file that was last written to `age_s` ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The root's folder, with two photos in it."""
    root = tmp_path / "photos"
    write(root / "a" / "1.jpg", b"one")
    write(root / "a" / "2.jpg", b"two!")
    return root


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Starts watchers, which end with the test."""
    started: list[Watched] = []

    def make(*roots: Path, **watch: object) -> Watched:
        watched = Watched(tmp_path, *roots, **watch)
        started.append(watched)
        watched.rest()
        return watched

    yield make
    for watched in started:
        watched.close()


@pytest.fixture
def watched(start: Callable[..., Watched], photos: Path) -> Watched:
    """A watcher that has scanned `photos`."""
    return start(photos)


@pytest.fixture(name="write")
def _write() -> Callable[..., Path]:
    return write
