"""The one open and the one read of a photo's file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Self

import xxhash

from imgd.domain import FileStat
from imgd.errors import LimitError, UnsupportedFormatError

_EDGE_BYTES = 64 * 1024
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A photo's whole file in memory, read from a single open; nothing opens the path again.

    `stat` is of the open file, before the read. `fingerprint`: see `fingerprint_of`. `changed_while_read`: the
    file's size or modification time moved during the read, so that `data` may mix two states of it.
    """

    path: bytes
    data: bytes
    stat: FileStat
    fingerprint: bytes
    changed_while_read: bool = False

    @classmethod
    def open(cls, path: bytes, max_bytes: int) -> Self:
        """Open and read the file at `path`.

        Raises:
            OSError: it cannot be opened or read.
            UnsupportedFormatError: it is not a regular file.
            LimitError: it is larger than `max_bytes`.
        """
        # O_NONBLOCK: the open of a pipe would else wait for a writer, perhaps for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            before = os.fstat(fd)
            _check(before, max_bytes)
            data = _read(fd, before.st_size)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        changed = len(data) != before.st_size or _state(before) != _state(after)
        return cls(path, data, FileStat.of(before), fingerprint_of(data), changed)

    @property
    def name(self) -> str:
        """The file's name for people: bytes that are no UTF-8 are replaced."""
        return os.path.basename(self.path).decode("utf-8", "replace")


def fingerprint_of(data: bytes) -> bytes:
    """16 bytes: xxh3-128 of the size (8 bytes, little endian), the first 64 KiB and the last 64 KiB."""
    digest = xxhash.xxh3_128(len(data).to_bytes(8, "little"))
    digest.update(data[:_EDGE_BYTES])
    digest.update(data[-_EDGE_BYTES:])
    return digest.digest()


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _check(status: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "no regular file")
        raise UnsupportedFormatError(f"this is {kind}")
    if status.st_size > max_bytes:
        raise LimitError(
            f"the file has {status.st_size / 1e6:.0f} MB,"
            f" more than `decode.max_file_mb` ({max_bytes / 1e6:.0f}) allows"
        )


def _read(fd: int, size: int) -> bytes:
    """The whole file, in one read call where the kernel gives it at once (Linux stops at 2 GiB)."""
    data = os.read(fd, size)
    if len(data) in (0, size):
        return data
    parts = [data]
    missing = size - len(data)
    while missing and (part := os.read(fd, missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
