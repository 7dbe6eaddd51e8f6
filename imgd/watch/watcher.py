"""The public face of watching: all roots, each in a thread of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from imgd.config import Settings
from imgd.errors import RootError
from imgd.store.database import Database
from imgd.store.roots import configure
from imgd.watch.filters import Filter, FilterRules
from imgd.watch.ignores import check_patterns
from imgd.watch.inotify import Inotify
from imgd.watch.root import RootWatch
from imgd.watch.status import RootStatus


class Watcher:
    """Keeps the store's photos equal to the files of `settings.roots`.

    `extensions`: of photos, lower case with the dot. `sidecar_analyzers`: ids of the active analyzers that read
    sidecars, asked when a sidecar changed. `on_change` is called from the watcher's threads after each commit
    that changed photos or owes jobs.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        extensions: frozenset[str],
        on_change: Callable[[], None],
        sidecar_analyzers: Callable[[], Sequence[int]] = tuple,
    ) -> None:
        self._database = database
        self._settings = settings
        self._extensions = extensions
        self._on_change = on_change
        self._sidecar_analyzers = sidecar_analyzers
        self._inotify: Inotify | None = None
        self._roots: dict[bytes, RootWatch] = {}

    def start(self) -> None:
        """Start watching and scanning. A root that is not there now is waited for.

        Raises:
            RootError: when a pattern of `watch.ignore` is none.
        """
        rules = FilterRules(
            self._extensions,
            ignore=self._settings.watch.ignore,
            hidden=self._settings.watch.hidden,
            own_folders=tuple(
                os.fsencode(path)
                for path in (
                    self._settings.paths.state_dir,
                    self._settings.paths.cache_dir,
                    self._settings.paths.models_dir,
                    self._settings.paths.socket.parent,
                )
            ),
        )
        paths = [os.fsencode(path) for path in self._settings.roots]
        if problem := check_patterns(rules.ignore):
            raise RootError(f"watch.ignore: {problem}", hint="Write it as in a .gitignore file.")
        filters = {path: Filter(path, rules) for path in paths}
        roots = self._database.write(lambda connection: configure(connection, paths, time.time())).result()
        try:
            self._inotify = Inotify()
            self._inotify.start()
        except OSError:
            self._inotify = None
        for root in roots:
            watch = RootWatch(
                root,
                self._database,
                filters[root.path],
                self._settings.watch,
                self._inotify,
                sidecar_analyzers=self._sidecar_analyzers,
                on_change=self._on_change,
            )
            self._roots[root.path] = watch
            watch.start()

    def stop(self) -> None:
        """Stop all threads. What was not registered yet is found by the scan of the next start."""
        for watch in self._roots.values():
            watch.stop()
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join()

    def rescan(self, root: bytes | None = None) -> None:
        """Scan `root`, or all, soon.

        Raises:
            RootError: when `root` is not a configured one.
        """
        for watch in self._chosen(root):
            watch.rescan()

    def look_at(self, path: bytes) -> None:
        """The file at the absolute `path` was found not to be as registered: see what it is now."""
        for root, watch in self._roots.items():
            if path.startswith(root.rstrip(b"/") + b"/"):
                watch.look_at(path[len(root.rstrip(b"/")) + 1 :])

    def confirm(self, root: bytes) -> None:
        """What is missing from `root` is meant to be gone: it is purged after the grace period after all.

        Raises:
            RootError: when `root` is not a configured one.
        """
        (watch,) = self._chosen(root)
        watch.confirm()

    def roots(self) -> list[RootStatus]:
        """Every configured root as it is now; asks no disk and no database."""
        return [watch.status for watch in self._roots.values()]

    @property
    def busy(self) -> bool:
        """False once every event received so far, and every planned scan, is registered."""
        return (self._inotify is not None and self._inotify.busy) or any(
            watch.busy for watch in self._roots.values()
        )

    def _chosen(self, root: bytes | None) -> list[RootWatch]:
        if root is None:
            return list(self._roots.values())
        if root not in self._roots:
            raise RootError(f"{os.fsdecode(root)} is not a root", hint="`imgctl status` lists the roots.")
        return [self._roots[root]]
