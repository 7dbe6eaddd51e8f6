"""One root's files into the store: what is new, moved, changed or gone, in few statements."""

from __future__ import annotations

import os
import sqlite3
import stat as stats
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from imgd.domain import Priority, SeenFile
from imgd.store.database import Database
from imgd.store.folders import count_present, count_rows, find_folders, move_folder, page_folders
from imgd.store.photos import (
    LookAlike,
    Registered,
    adopt_missing,
    find_candidates,
    find_differing,
    find_look_alikes,
    find_photo,
    find_unreadable,
    hasten,
    mark_folder_missing,
    mark_missing,
    move_file,
    owe_unreadable,
    page_present,
    register,
)
from imgd.store.sidecars import SidecarChanges, commit_sidecars, compare_sidecars, folders_with_sidecars
from imgd.watch.availability import Filesystem
from imgd.watch.filters import FileKind, Filter
from imgd.watch.losses import Losses
from imgd.watch.scan import Fault, see_file
from imgd.watch.settle import FilePath, unsettled_since_ns

_PAGE: Final = 1000
_NOT_MOUNTED: Final = "its photos were on a filesystem of its own, which is not mounted"


class Registrar:
    """Compares what was seen with the store, and writes the difference. One thread uses it.

    `on_change` is called after each commit that changed something.
    """

    def __init__(
        self,
        database: Database,
        root_id: int,
        filter_: Filter,
        *,
        follow_symlinks: bool,
        sidecar_analyzers: Callable[[], Sequence[int]],
        on_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._root_id = root_id
        self._filter = filter_
        self._follow = follow_symlinks
        self._sidecar_analyzers = sidecar_analyzers
        self._on_change = on_change
        self.recorded: Filesystem | None = None
        """Where the root lay at its last full scan."""
        self.losses = Losses(database, root_id)
        """What `miss` and the checks find gone is noted here."""

    def see(self, folder: bytes, name: bytes) -> SeenFile | None:
        """The file as it is now; None where it is gone."""
        return see_file(self._filter.root, folder, name, follow_symlinks=self._follow)

    def list_sidecars(self, folder: bytes) -> list[SeenFile]:
        """The sidecars in `folder` as they are now; none where the folder is gone."""
        try:
            with os.scandir(os.path.join(self._filter.root, folder)) as entries:
                names = [each.name for each in entries if self._filter.kind(folder, each.name) is FileKind.SIDECAR]
        except (FileNotFoundError, NotADirectoryError):
            return []
        seen = (self.see(folder, name) for name in names)
        return [file for file in seen if file is not None]

    def register(
        self,
        files: Sequence[SeenFile],
        priority: Priority,
        settle_s: float | None,
        sidecars: Mapping[bytes, Sequence[SeenFile]],
        *,
        whole: Collection[bytes] = (),
    ) -> Collection[SeenFile]:
        """Store `files`. Those that differ and were written to within `settle_s` are left out, and returned.

        `whole`: folders all of whose photos are among `files`.
        `sidecars`: those of their folders, as far as they were seen. They come in the same transaction: a new
        photo is not analyzed without its sidecar, and then once more with it.
        """
        if not files:
            return ()
        with self._database.read() as connection:
            differing = find_differing(connection, self._root_id, files, whole=whole)
            new, known, unsettled = differing.new, differing.known, set[SeenFile]()
            if settle_s is not None:
                since_ns = unsettled_since_ns(settle_s)
                unsettled = {file for file in (*new, *known) if file.mtime_ns > since_ns}
            if unsettled:
                new = [file for file in new if file not in unsettled]
                known = [file for file in known if file not in unsettled]
            look_alikes = find_look_alikes(connection, new)
        if new or known:
            moved = _choose(look_alikes, new)
            folders = {file.folder for file in (*new, *known)}
            beside = {folder: seen for folder in folders if (seen := sidecars.get(folder))}

            def work(connection: sqlite3.Connection) -> Registered:
                registered = register(
                    connection, self._root_id, [*new, *known], now=time.time(), priority=priority, moved=moved
                )
                self._put_sidecars(connection, beside, priority)
                return registered

            if self._database.write(work).result().news:
                self._on_change()
        return unsettled

    def retry_unreadable(self, files: Sequence[SeenFile]) -> None:
        """Owe again what failed because one of `files` could not be read: its permissions may be others now."""
        with self._database.read() as connection:
            photo_ids = find_unreadable(connection, self._root_id, files)
        if photo_ids and self._database.write(lambda c: owe_unreadable(c, photo_ids)).result():
            self._on_change()

    def move(self, moves: Sequence[tuple[FilePath, FilePath]]) -> list[FilePath]:
        """Follow renames of files within the root; returns sources that moved nothing."""
        moved = self._database.write(
            lambda connection: [move_file(connection, self._root_id, *move) for move in moves]
        ).result()
        if any(moved):
            self._on_change()
        return [source for (source, _), done in zip(moves, moved, strict=True) if not done]

    def move_folder(self, source: bytes, target: bytes) -> None:
        """Follow the rename of a folder within the root."""
        self._database.write(lambda connection: move_folder(connection, self._root_id, source, target)).result()
        self._on_change()

    def miss(self, paths: Iterable[FilePath]) -> None:
        """There is no file at these paths."""
        with self._database.read() as connection:
            found = [find_photo(connection, self._root_id, *path) for path in paths]
        self._miss_photos([photo_id for photo_id in found if photo_id is not None])

    def miss_folder(self, folder: bytes) -> None:
        """A folder is gone with all below it."""
        self._miss(lambda connection, now: mark_folder_missing(connection, self._root_id, folder, now))

    def check_folders(self, expected: dict[bytes, int]) -> list[Fault]:
        """Find photos that are gone from folders; `expected` is how many stored ones each was seen to have.

        A folder with more rows than that is compared with the disk, row by row. Returns what seems not mounted.
        """
        with self._database.read() as connection:
            ids = find_folders(connection, self._root_id, expected)
            rows = count_rows(connection, list(ids.values()))
            fuller = {folder: number for folder, number in ids.items() if rows.get(number, 0) > expected[folder]}
            present = count_present(connection, list(fuller.values()))
        faults = []
        for folder, folder_id in fuller.items():
            if present.get(folder_id, 0) > expected[folder] and not self._miss_gone_rows(folder, folder_id):
                faults.append(Fault(folder, _NOT_MOUNTED))
        return faults

    def check_tree(self, start: bytes) -> list[Fault]:
        """Find folders, at and below `start`, that are gone or no longer count. Returns what seems not mounted."""
        faults = []
        after = b""
        while True:
            with self._database.read() as connection:
                page = page_folders(connection, self._root_id, start, after, _PAGE)
                gone = {folder_id: path for folder_id, path in page if self._is_folder_gone(path)}
                devices = {
                    folder_id: page_present(connection, folder_id, b"", 1)[0][2]
                    for folder_id in count_present(connection, list(gone))
                }
            for folder_id, device in devices.items():
                if self._is_unmounted(gone[folder_id], device):
                    faults.append(Fault(gone[folder_id], _NOT_MOUNTED))
                else:
                    self.miss_folder(gone[folder_id])
            if len(page) < _PAGE:
                return faults
            after = page[-1][1]

    def reunite(self, since: float) -> None:
        """Find what went missing `since` then among the new photos: those that may be it and are not read yet come
        first. A scan registers what is new before it knows what is gone, and the new may be analyzed by then.
        """
        with self._database.read() as connection:
            photo_ids = find_candidates(connection, since)

        def work(connection: sqlite3.Connection, page: Sequence[int]) -> bool:
            adopted = adopt_missing(connection, page)
            return bool(hasten(connection, page) or adopted)

        # A page at a time, so that others get to write while a whole library has moved.
        for start in range(0, len(photo_ids), _PAGE):
            if self._database.write(partial(work, page=photo_ids[start : start + _PAGE])).result():
                self._on_change()

    def _put_sidecars(
        self, connection: sqlite3.Connection, sidecars: Mapping[bytes, Sequence[SeenFile]], priority: Priority
    ) -> None:
        """Store `sidecars`, by folder; that others are gone is not for here to say."""
        if not sidecars:
            return
        analyzers = self._sidecar_analyzers()
        for folder, folder_id in find_folders(connection, self._root_id, sidecars).items():
            changes = SidecarChanges(compare_sidecars(connection, folder_id, sidecars[folder]).put, [])
            if changes:
                commit_sidecars(connection, changes, analyzers, priority)

    def sync_sidecars(self, folders: Mapping[bytes, Sequence[SeenFile]], priority: Priority) -> None:
        """Store the sidecars of `folders`, each with all that it has."""
        with self._database.read() as connection:
            ids = find_folders(connection, self._root_id, folders)
            stored = folders_with_sidecars(connection, list(ids.values()))
            changes = [
                compare_sidecars(connection, folder_id, folders[folder])
                for folder, folder_id in ids.items()
                if folders[folder] or folder_id in stored
            ]
        changes = [change for change in changes if change]
        if changes:
            analyzers = self._sidecar_analyzers()

            def work(connection: sqlite3.Connection) -> None:
                for change in changes:
                    commit_sidecars(connection, change, analyzers, priority)

            self._database.write(work).result()
            self._on_change()

    def _miss_gone_rows(self, folder: bytes, folder_id: int) -> bool:
        """False where rows are gone because a filesystem is not mounted; those are left as they are."""
        after = b""
        while True:
            with self._database.read() as connection:
                page = page_present(connection, folder_id, after, _PAGE)
            gone = [(photo_id, device) for photo_id, name, device in page if self._is_gone(folder, name)]
            if gone and self._is_unmounted(folder, gone[0][1]):
                return False
            self._miss_photos([photo_id for photo_id, _ in gone])
            if len(page) < _PAGE:
                return True
            after = page[-1][1]

    def _miss_photos(self, photo_ids: Sequence[int]) -> None:
        if photo_ids:
            self._miss(lambda connection, now: mark_missing(connection, photo_ids, now))

    def _miss(self, mark: Callable[[sqlite3.Connection, float], int]) -> None:
        if self._database.write(lambda connection: mark(connection, time.time())).result():
            self.losses.note()
            self._on_change()

    def _is_gone(self, folder: bytes, name: bytes) -> bool:
        return self._filter.kind(folder, name) is None or self.see(folder, name) is None

    def _is_folder_gone(self, folder: bytes) -> bool:
        if not self._filter.reaches(folder):
            return True
        try:
            stat = os.stat(os.path.join(self._filter.root, folder), follow_symlinks=self._follow)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return not stats.S_ISDIR(stat.st_mode)

    def _is_unmounted(self, folder: bytes, device: int) -> bool:
        """Whether photos of `folder` lay on a filesystem (`device`) of their own that is not mounted now.

        So it is when they were not on the root's device, and what is left of their path now is. Device numbers
        change from boot to boot; the root's own, as recorded when the photos' were, tells which was which.
        """
        if self.recorded is None or device == self.recorded.device or not self._filter.reaches(folder):
            return False
        while True:
            try:
                here = os.stat(os.path.join(self._filter.root, folder)).st_dev
                return bool(here == os.stat(self._filter.root).st_dev)
            except (FileNotFoundError, NotADirectoryError):
                if not folder:
                    return True
                folder = folder.rpartition(b"/")[0]


def _choose(look_alikes: Sequence[LookAlike], new: Sequence[SeenFile]) -> dict[int, SeenFile]:
    """Which photos have become which of the new files: those whose own path is gone, each one once."""
    waiting: dict[int, list[SeenFile]] = defaultdict(list)
    if look_alikes:
        for file in new:
            waiting[file.inode].append(file)
    chosen: dict[int, SeenFile] = {}
    for each in look_alikes:
        if each.photo_id not in chosen and waiting[each.inode] and not (each.is_configured and _exists(each.path)):
            chosen[each.photo_id] = waiting[each.inode].pop()
    return chosen


def _exists(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
