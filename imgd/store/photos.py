"""Photos as files: registering what was seen, moves, and what went missing."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from imgd.domain import PhotoState, Priority, SeenFile
from imgd.store.changes import next_change_seq
from imgd.store.folders import add_folders, find_folders
from imgd.store.roots import read_roots
from imgd.store.staging import BATCH_ROWS, Row, batches
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.store", "photos")


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration found. `back`: photos that were missing and are there again, as they were."""

    new: int = 0
    changed: int = 0
    back: int = 0
    unchanged: int = 0
    moved: int = 0

    @property
    def news(self) -> bool:
        """Whether anything was written that an index or a queue would care about."""
        return bool(self.new or self.changed or self.back or self.moved)


@dataclass(frozen=True, slots=True)
class Differing:
    """Those of some files whose rows do not say what was seen."""

    new: list[SeenFile]
    known: list[SeenFile]


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A photo that may have become the file `inode`: same device, inode, size and time.

    `is_configured` is False where its root has left the configuration, and the photo is there for the taking.
    """

    photo_id: int
    path: bytes
    inode: int
    is_configured: bool


def find_differing(
    connection: sqlite3.Connection, root_id: int, files: Sequence[SeenFile], *, whole: Collection[bytes] = ()
) -> Differing:
    """Compare `files` with what is stored. A reader does this, so that an unchanged folder costs no write.

    `whole`: folders of which `files` has all there is. Their rows are read as they lie, which costs half of what
    it costs to look each file up.
    """
    folders = find_folders(connection, root_id, {file.folder for file in files})
    files = _without_equal_rows(connection, files, [folders[path] for path in whole if path in folders])
    new = [file for file in files if file.folder not in folders]
    rows: list[Row] = [(folders[file.folder], *file[1:]) for file in files if file.folder in folders]
    different: dict[tuple[int, bytes], int | None] = {}
    for statement, parameters in batches(_SQL["differing"], rows, 6):
        different.update(
            ((folder_id, name), photo_id)
            for folder_id, name, photo_id in connection.execute(statement, parameters)
        )
    known: list[SeenFile] = []
    if different:
        for file in files:
            key = (folders.get(file.folder, 0), file.name)
            if key in different:
                (new if different[key] is None else known).append(file)
    return Differing(new, known)


def _without_equal_rows(
    connection: sqlite3.Connection, files: Sequence[SeenFile], folder_ids: Collection[int]
) -> Sequence[SeenFile]:
    """`files` without those that are in one of the folders just as they were seen."""
    if not folder_ids:
        return files
    rows = connection.execute(_SQL["seen_before"], (json.dumps(list(folder_ids)),))
    rest = set(files).difference(rows)
    return [file for file in files if file in rest] if rest else []


def find_look_alikes(connection: sqlite3.Connection, files: Sequence[SeenFile]) -> list[LookAlike]:
    """Photos that one of `files` (all new) may be: the caller looks whether their own path is gone."""
    inodes = json.dumps([file.inode for file in files])
    found = connection.execute(_SQL["of_inodes"], (inodes,)).fetchall() if files else []
    states = {file[2:] for file in files} if found else set()
    return [
        LookAlike(photo_id, os.path.join(root, folder, name), inode, not removed)
        for photo_id, root, folder, name, size, mtime_ns, device, inode, removed in found
        if (size, mtime_ns, device, inode) in states
    ]


def register(
    connection: sqlite3.Connection,
    root_id: int,
    files: Sequence[SeenFile],
    *,
    now: float,
    priority: Priority = Priority.SCAN,
    moved: Mapping[int, SeenFile] | None = None,
) -> Registered:
    """Store `files` as they were seen; new and changed photos owe a job to each active analyzer.

    New ones of the size of a missing photo are owed like what just changed, for they may be that one.
    `moved`: photo id -> the one of `files` that it has become. A file with another size or time is a new
    revision, and so is one that has become the file of another photo. Nothing is written for the unchanged.
    """
    change_seq = next_change_seq(connection)
    counts: Counter[str] = Counter()
    if moved:
        folders = add_folders(connection, root_id, {file.folder for file in moved.values()})
        for photo_id, file in moved.items():
            place = (folders[file.folder], file.name)
            counts["moved"] += _move(connection, photo_id, place, change_seq, priority)
    values = {"now": now, "change_seq": change_seq, "priority": int(priority), "event": int(Priority.EVENT)}
    for start in range(0, len(files), BATCH_ROWS):
        counts.update(_register_chunk(connection, root_id, files[start : start + BATCH_ROWS], values))
    return Registered(
        counts["new"], counts["changed"], counts["back"], counts["unchanged"] + counts["relinked"], counts["moved"]
    )


def _register_chunk(
    connection: sqlite3.Connection, root_id: int, files: Sequence[SeenFile], values: Mapping[str, float]
) -> dict[str, int]:
    folders = add_folders(connection, root_id, {file.folder for file in files})
    rows: list[Row] = [(folders[file.folder], *file[1:]) for file in files]
    before = {**values, "newest": connection.execute(_SQL["newest"]).fetchone()[0]}
    new = 0
    for statement, parameters in batches(_SQL["add_new"], rows, 6):
        added = connection.execute(statement, [values["now"], values["change_seq"], *parameters])
        new += added.rowcount
    if new:
        _show_odd_names(connection, files, folders)
        connection.execute(_SQL["owe_new"], before)
    return {"new": new, **({} if new == len(files) else _register_known(connection, rows, before))}


def _register_known(
    connection: sqlite3.Connection, rows: Sequence[Row], values: Mapping[str, float]
) -> dict[str, int]:
    """Bring photos up to date whose id is `values["newest"]` or lower; returns how many have each verdict."""
    connection.execute(_SQL["make_staging"])
    connection.execute(_SQL["clear_staging"])
    for statement, parameters in batches(_SQL["stage"], rows, 6):
        connection.execute(statement, parameters)
    connection.execute(_SQL["recognise"], values)
    verdicts: dict[str, int] = dict(connection.execute(_SQL["verdicts"]).fetchall())
    if verdicts.keys() & {"changed", "back", "relinked"}:
        connection.execute(_SQL["update_known"], values)
        connection.execute(_SQL["owe_changed"], values)
        (back,) = connection.execute(_SQL["back"]).fetchone()
        connection.execute(_SQL["owe_back"], {"photos": back, "priority": values["priority"]})
    return verdicts


def _show_odd_names(
    connection: sqlite3.Connection, files: Sequence[SeenFile], folders: Mapping[bytes, int]
) -> None:
    """SQLite took the names as UTF-8; those that are not get a form that can be shown."""
    for file in [file for file in files if not file.name.isascii()]:
        shown = file.name.decode("utf-8", "replace")
        if "\ufffd" in shown:
            connection.execute(_SQL["show_name"], (shown, folders[file.folder], file.name))


def _move(
    connection: sqlite3.Connection, photo_id: int, place: tuple[int, bytes], change_seq: int, priority: Priority
) -> int:
    """Give a photo another path (folder id and name); 0 where a present photo holds it already.

    The move then shows as a change.
    """
    folder_id, name = place
    taken = connection.execute(
        "SELECT id, state FROM photos WHERE folder_id = ? AND name = ?", (folder_id, name)
    ).fetchone()
    if taken is not None:
        if taken[0] == photo_id or taken[1] == PhotoState.PRESENT:
            return 0
        connection.execute(_SQL["remove"], (taken[0],))
    shown = name.decode("utf-8", "replace")
    before = connection.execute("SELECT state FROM photos WHERE id = ?", (photo_id,)).fetchone()
    moved = connection.execute(_SQL["move"], (folder_id, name, shown, change_seq, photo_id)).rowcount
    if moved and before[0] == PhotoState.MISSING:
        _owe_back(connection, [photo_id], priority)
    return moved


def _owe_back(connection: sqlite3.Connection, photo_ids: Sequence[int], priority: Priority) -> None:
    connection.execute(_SQL["owe_back"], {"photos": json.dumps(photo_ids), "priority": int(priority)})


def move_file(
    connection: sqlite3.Connection, root_id: int, source: tuple[bytes, bytes], target: tuple[bytes, bytes]
) -> bool:
    """A file was renamed within its root, from (folder, name) to (folder, name); returns whether a photo moved.

    Where `target` is a present photo, the file was replaced, as editors do when they save: that photo stays,
    and its next registration finds it changed.
    """
    row = connection.execute(_SQL["find"], (root_id, *source)).fetchone()
    if row is None:
        return False
    folder_id = add_folders(connection, root_id, [target[0]])[target[0]]
    place = (folder_id, target[1])
    return bool(_move(connection, row[0], place, next_change_seq(connection), Priority.EVENT))


def page_present(
    connection: sqlite3.Connection, folder_id: int, after: bytes, limit: int
) -> list[tuple[int, bytes, int]]:
    """(id, name, device) of up to `limit` present photos of a folder, by name, behind `after`."""
    return connection.execute(_SQL["page_of_folder"], (folder_id, after, limit)).fetchall()


def find_photo(connection: sqlite3.Connection, root_id: int, folder: bytes, name: bytes) -> int | None:
    """The id of the photo at a path, missing ones included."""
    row = connection.execute(_SQL["find"], (root_id, folder, name)).fetchone()
    return None if row is None else int(row[0])


def find_photo_at(connection: sqlite3.Connection, path: bytes) -> int | None:
    """The id of the photo at an absolute path, in whatever root; missing ones included."""
    directory, name = os.path.split(path)
    for root in read_roots(connection):
        if directory == root.path or directory.startswith(root.path.rstrip(b"/") + b"/"):
            photo_id = find_photo(connection, root.id, directory[len(root.path) :].lstrip(b"/"), name)
            if photo_id is not None:
                return photo_id
    return None


def mark_missing(connection: sqlite3.Connection, photo_ids: Sequence[int], now: float) -> int:
    """The files of these photos are gone; returns how many were present before."""
    parameters = {"photos": json.dumps(list(photo_ids)), "now": now, "change_seq": next_change_seq(connection)}
    return connection.execute(_SQL["mark_missing"], parameters).rowcount


def mark_folder_missing(connection: sqlite3.Connection, root_id: int, folder: bytes, now: float) -> int:
    """A folder is gone with all below it; returns how many photos were present there."""
    parameters = {"root_id": root_id, "folder": folder, "now": now, "change_seq": next_change_seq(connection)}
    return connection.execute(_SQL["mark_folders_missing"], parameters).rowcount


def adopt_missing(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> dict[int, int]:
    """New photos that are missing ones come back at another path: the old row takes over the path.

    Called when the fingerprints and capture times of `photo_ids` have been stored, as far as they have one. Only
    where exactly one missing and one new photo share fingerprint and size, and mtime or capture time agree. The
    new row goes, with all it owed and was found of it; the old one owes what it has no current finding of.
    Returns {new id: old id}.
    """
    twins = connection.execute(_SQL["lost_twins"], {"photos": json.dumps(list(photo_ids))}).fetchall()
    if not twins:
        return {}
    change_seq = next_change_seq(connection)
    adopted = {}
    for fresh_id, lost_id, *file in twins:
        connection.execute(_SQL["remove"], (fresh_id,))
        connection.execute(_SQL["take_over"], (*file, change_seq, lost_id))
        adopted[fresh_id] = lost_id
    _owe_back(connection, list(adopted.values()), Priority.EVENT)
    return adopted


def find_candidates(connection: sqlite3.Connection, since: float) -> list[int]:
    """Present photos that may be one of those that went missing `since` then."""
    return [photo_id for (photo_id,) in connection.execute(_SQL["candidates"], {"since": since})]


def hasten(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> int:
    """Those of these photos that no one has read yet come before what else a scan found; returns how many jobs."""
    parameters = {"photos": json.dumps(list(photo_ids)), "event": int(Priority.EVENT), "scan": int(Priority.SCAN)}
    return connection.execute(_SQL["hasten"], parameters).rowcount


def find_unreadable(connection: sqlite3.Connection, root_id: int, files: Sequence[SeenFile]) -> list[int]:
    """Ids of the photos among `files` with a job that failed because the file could not be read."""
    folders = find_folders(connection, root_id, {file.folder for file in files})
    rows: list[Row] = [(folders[file.folder], file.name) for file in files if file.folder in folders]
    return [
        photo_id
        for statement, parameters in batches(_SQL["unreadable"], rows, 2)
        for (photo_id,) in connection.execute(statement, parameters)
    ]


def owe_unreadable(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> int:
    """Owe again the jobs of these photos that failed because the file could not be read; returns how many."""
    parameters = {"photos": json.dumps(list(photo_ids)), "priority": int(Priority.EVENT)}
    return connection.execute(_SQL["owe_unreadable"], parameters).rowcount
