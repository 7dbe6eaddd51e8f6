"""What a person should know of a list of duplicates: what could not be compared, and how far it is."""

from __future__ import annotations

from imgd.duplicates.hashing import HashProgress
from imgd.duplicates.listing import Kind
from imgd.store.database import Database
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.duplicates", "duplicates")


def library_notes(database: Database, kind: Kind) -> list[str]:
    """Photos that this list leaves out, and why."""
    with database.read() as connection:
        out_of_reach, missing, unread, no_hash, no_time = (
            connection.execute(_SQL[name]).fetchone()[0]
            for name in ("out_of_reach", "missing", "unread", "without_phash", "without_time")
        )
    notes = []
    if out_of_reach:
        notes.append(f"left out: {_photos(out_of_reach)} of roots that are offline or removed")
    if missing:
        files = "file is" if missing == 1 else "files are"
        notes.append(f"left out: {_photos(missing)} whose {files} missing")
    if kind is Kind.IDENTICAL and unread > 0:
        notes.append(f"not compared: {_photos(unread)} not read yet")
    if kind is Kind.NEAR and no_hash > 0:
        notes.append(f"not compared: {_photos(no_hash)} without a perceptual hash (analyzer `technical`)")
    if kind is Kind.BURSTS and no_time > 0:
        notes.append(f"not compared: {_photos(no_time)} without a capture time")
    return notes


def hashing_notes(progress: HashProgress, *, busy: bool) -> list[str]:
    """How far hashing is, and what it could not read."""
    notes = []
    if busy:
        notes.append(
            f"files are still being compared: {progress.done_files:,} of {progress.files:,}"
            f" ({progress.done_bytes / 1e9:.1f} of {progress.size_bytes / 1e9:.1f} GB); ask again"
        )
    notes += [
        f"not compared: {count:,} {'file' if count == 1 else 'files'} ({reason})"
        for reason, count in progress.faults.most_common()
    ]
    return notes


def _photos(count: int) -> str:
    return f"{count:,} {'photo' if count == 1 else 'photos'}"
