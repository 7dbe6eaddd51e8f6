"""Whole files, compared by their content hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from imgd.decode import Source
from imgd.domain import FileStat
from imgd.pipeline.messages import TwinFile

_CHUNK_BYTES = 1 << 20


def find_twin(twins: Sequence[TwinFile], source: Source) -> TwinFile | None:
    """Which of `twins` the open file is a copy of. Nothing is hashed where no fingerprint agrees.

    Raises:
        OSError: the open file cannot be read.
    """
    alike = [each for each in twins if each.fingerprint == source.fingerprint]
    if not alike:
        return None
    digest = source.content_hash
    return next(
        (each for each in alike if (each.content_hash or hash_file(each.path, each.stat)[0]) == digest), None
    )


def hash_file(path: bytes, stat: FileStat) -> tuple[bytes, str]:
    """The SHA-256 of a file that is as registered, before the first read and after the last; empty where there is
    none, and then why."""
    try:
        descriptor = _open(path)
    except OSError as error:
        return b"", error.strerror or "cannot be opened"
    try:
        if FileStat.of(os.fstat(descriptor)) != stat:
            return b"", "is not as it was registered"
        digest = hashlib.sha256()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while part := os.read(descriptor, _CHUNK_BYTES):
            digest.update(part)
        # Nobody reads it again soon: what others have in the page cache should stay there.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if FileStat.of(os.fstat(descriptor)) != stat:
            return b"", "changed while it was read"
        return digest.digest(), ""
    except OSError as error:
        return b"", error.strerror or "cannot be read"
    finally:
        os.close(descriptor)


def _open(path: bytes) -> int:
    # O_NONBLOCK: the open of a pipe would else wait for a writer, perhaps for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # only a file's owner may leave its access time alone
        return os.open(path, flags)
