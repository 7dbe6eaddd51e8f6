"""The one open of a photo's file, and how it is read from there: whole, or by ranges where that is enough."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from types import TracebackType
from typing import Self, SupportsIndex, overload

import xxhash

from imgd.decode.ranges import RangedFile
from imgd.decode.raw_marks import EXTENSIONS as RAW_EXTENSIONS
from imgd.decode.tiff import is_tiff_like
from imgd.domain import ByteRange, FileStat
from imgd.errors import LimitError, UnsupportedFormatError

_EDGE_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_RANGED_FROM_BYTES = 1024 * 1024
"""A smaller file is read as fast whole as in parts."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Source:
    """A photo's file from its single open to `close`; nothing opens the path again.

    Large files whose directories say where everything lies (TIFF and the RAW formats made of it) are read by
    ranges, all others whole with the first use of `content`. `stat` is of the open file, before the first read.
    """

    def __init__(self, path: bytes, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.stat = FileStat.of(status)
        self._descriptor = descriptor
        self._before = _state(status)
        self._content: ByteRange | None = None
        self._fingerprint = b""
        self._content_hash = b""
        self._changed = False

    @classmethod
    def open(cls, path: bytes, max_bytes: int) -> Self:
        """Open the file at `path`, and read nothing yet.

        Raises:
            OSError: it cannot be opened.
            UnsupportedFormatError: it is not a regular file.
            LimitError: it is larger than `max_bytes`.
        """
        # O_NONBLOCK: the open of a pipe would else wait for a writer, perhaps for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            _check(status, max_bytes)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was read stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def fetch(self) -> None:
        """Have the kernel read ahead what will be needed, without waiting for it: of a large RAW the beginning,
        where the directories and most previews are, and the end; else all."""
        size = self.stat.size_bytes
        is_raw = os.path.splitext(self.name)[1].lower() in RAW_EXTENSIONS
        first = _RANGED_FROM_BYTES if is_raw else size
        with contextlib.suppress(OSError):  # a file system that cannot is as good without
            os.posix_fadvise(self._descriptor, 0, first, os.POSIX_FADV_WILLNEED)
            if first < size:
                os.posix_fadvise(self._descriptor, size - _EDGE_BYTES, _EDGE_BYTES, os.POSIX_FADV_WILLNEED)

    @property
    def name(self) -> str:
        """The file's name for people: bytes that are no UTF-8 are replaced."""
        return os.path.basename(self.path).decode("utf-8", "replace")

    @property
    def content(self) -> ByteRange:
        """The file's bytes: all of them, or those of a `RangedFile` that are asked for.

        Raises:
            OSError: they cannot be read.
        """
        if self._content is None:
            self._content = self._read()
        return self._content

    @property
    def data(self) -> bytes:
        """The whole file, read now where it was not.

        Raises:
            OSError: it cannot be read.
        """
        content = self.content
        return content if isinstance(content, bytes) else bytes(content[:])

    @property
    def fingerprint(self) -> bytes:
        """16 bytes: xxh3-128 of the size (8 bytes, little endian), the first 64 KiB and the last 64 KiB."""
        if not self._fingerprint:
            content = self.content
            digest = xxhash.xxh3_128(len(content).to_bytes(8, "little"))
            digest.update(content[:_EDGE_BYTES])
            digest.update(content[-_EDGE_BYTES:])
            self._fingerprint = digest.digest()
        return self._fingerprint

    @property
    def content_hash(self) -> bytes:
        """The SHA-256 of all bytes. What is read by ranges is read from end to end for it.

        Raises:
            OSError: they cannot be read.
        """
        if not self._content_hash:
            content = self.content
            digest = hashlib.sha256()
            for place in range(0, len(content), _CHUNK_BYTES):
                digest.update(content[place : place + _CHUNK_BYTES])
            self._content_hash = digest.digest()
        return self._content_hash

    @property
    def changed(self) -> bool:
        """Whether the file's size or modification time moved since it was opened: what was read may mix two
        states of it. Asked after the last read."""
        if self._descriptor >= 0 and not self._changed:
            self._changed = _state(os.fstat(self._descriptor)) != self._before
        return self._changed

    @property
    def fault(self) -> OSError | None:
        """What the disk said when a range could not be read, whatever a decoder made of it."""
        return self._content.fault if isinstance(self._content, RangedFile) else None

    def _read(self) -> ByteRange:
        size = self.stat.size_bytes
        if size >= _RANGED_FROM_BYTES:
            ranged = RangedFile(self._descriptor, size)
            if is_tiff_like(ranged):
                return ranged
        data = _read_whole(self._descriptor, size)
        self._changed = len(data) != size or self.changed
        self.close()
        return data


class LateFile:
    """The file at a path as a ByteRange that is opened only when a byte of it is asked for.

    Raises, with its first use, what `Source.open` raises.
    """

    def __init__(self, path: bytes, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._source: Source | None = None

    @property
    def _content(self) -> ByteRange:
        if self._source is None:
            self._source = Source.open(self._path, self._max_bytes)
        return self._source.content

    def __len__(self) -> int:
        return len(self._content)

    @overload
    def __getitem__(self, part: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, part: slice) -> bytes: ...

    def __getitem__(self, part: SupportsIndex | slice) -> int | bytes:
        return self._content[part]

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0) -> bool:
        """As of `bytes`."""
        return self._content.startswith(prefix, start)

    def close(self) -> None:
        """Close the file where it was opened."""
        if self._source is not None:
            self._source.close()


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


def _read_whole(descriptor: int, size: int) -> bytes:
    """The whole file, in one read call where the kernel gives it at once (Linux stops at 2 GiB)."""
    data = os.pread(descriptor, size, 0)
    if len(data) in (0, size):
        return data
    parts = [data]
    place = len(data)
    while place < size and (part := os.pread(descriptor, size - place, place)):
        parts.append(part)
        place += len(part)
    return b"".join(parts)
