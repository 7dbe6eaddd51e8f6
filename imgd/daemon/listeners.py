"""Telling plugins of analyzed photos (`imgd_photo_analyzed`), in one thread, however slow they are."""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading

from imgd.errors import ImgdError
from imgd.plugins import PluginRegistry
from imgd.store.analyzers import read_analyzers
from imgd.store.database import Database
from imgd.store.findings import Committed, read_paths

log = logging.getLogger(__name__)

_MOST_BATCHES = 256
_STOP_TIMEOUT_S = 5.0


class Listeners:
    """The plugins that want to be told. Where they fall far behind, batches are left out, and the log says so."""

    def __init__(self, registry: PluginRegistry, database: Database) -> None:
        self._registry = registry
        self._database = database
        self._batches: queue.Queue[Committed | None] = queue.Queue(_MOST_BATCHES)
        self._thread: threading.Thread | None = None
        if registry.has_listeners():
            self._thread = threading.Thread(target=self._run, name="plugin listeners", daemon=True)
            self._thread.start()

    def tell(self, committed: Committed) -> None:
        """Pass a batch on; never waits."""
        if self._thread is None or not any(each.found for each in committed.counted):
            return
        try:
            self._batches.put_nowait(committed)
        except queue.Full:
            log.warning(
                "plugins that listen for analyzed photos are too slow: %d are left out", len(committed.counted)
            )

    def stop(self) -> None:
        """Stop after the batch in hand."""
        if self._thread is None:
            return
        while True:
            try:
                self._batches.put_nowait(None)
                break
            except queue.Full:
                self._batches.get_nowait()
        self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        while (committed := self._batches.get()) is not None:
            found = [each for each in committed.counted if each.found]
            try:
                with self._database.read() as connection:
                    names = {row.id: row.name for row in read_analyzers(connection)}
                    paths = read_paths(connection, [each.photo_id for each in found])
            except (ImgdError, sqlite3.Error) as error:
                log.warning("plugins were not told of %d findings: %s", len(found), error)
                continue
            for each in found:
                if each.photo_id in paths:  # else it was forgotten meanwhile
                    path = os.fsdecode(paths[each.photo_id])
                    self._registry.photo_analyzed(each.photo_id, path, names[each.analyzer_id])
