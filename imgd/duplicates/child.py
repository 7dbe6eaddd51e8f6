"""The process that computes content hashes: it reads files from end to end, at the lowest priority."""

from __future__ import annotations

import hashlib
import os
import socket

import msgspec

from imgd.domain import FileStat
from imgd.pipeline.channel import Channel, ChannelClosedError

_CHUNK_BYTES = 1 << 20
_LOWEST = 19


class FileToHash(msgspec.Struct, frozen=True, array_like=True):
    """A photo's file: its absolute path, and its state as registered."""

    photo_id: int
    path: bytes
    stat: FileStat


class HashRequest(msgspec.Struct, frozen=True, array_like=True):
    files: list[FileToHash]


class HashedFile(msgspec.Struct, frozen=True, array_like=True):
    """`digest`: SHA-256 of the whole file, or empty, and then `fault` says why."""

    photo_id: int
    digest: bytes = b""
    fault: str = ""


class HashAnswer(msgspec.Struct, frozen=True, array_like=True):
    files: list[HashedFile]


def run(connection: socket.socket, _fds: list[int], _setup: None) -> None:
    """Serve requests until the main process closes the connection."""
    # The kernel derives the priority of reads from it, too (ioprio_get(2)).
    os.setpriority(os.PRIO_PROCESS, 0, _LOWEST)
    channel: Channel[HashAnswer, HashRequest] = Channel(connection, HashRequest)
    try:
        while True:
            request = channel.receive()
            channel.send(HashAnswer([hash_file(each) for each in request.files]))
    except ChannelClosedError:
        pass


def hash_file(file: FileToHash) -> HashedFile:
    """The content hash of a file that is as registered, before the first read and after the last."""
    try:
        descriptor = _open(file.path)
    except OSError as error:
        return HashedFile(file.photo_id, fault=error.strerror or "cannot be opened")
    try:
        if FileStat.of(os.fstat(descriptor)) != file.stat:
            return HashedFile(file.photo_id, fault="is not as it was registered")
        digest = hashlib.sha256()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while part := os.read(descriptor, _CHUNK_BYTES):
            digest.update(part)
        # Nobody reads it again soon: what others have in the page cache should stay there.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if FileStat.of(os.fstat(descriptor)) != file.stat:
            return HashedFile(file.photo_id, fault="changed while it was read")
        return HashedFile(file.photo_id, digest.digest())
    except OSError as error:
        return HashedFile(file.photo_id, fault=error.strerror or "cannot be read")
    finally:
        os.close(descriptor)


def _open(path: bytes) -> int:
    # O_NONBLOCK: the open of a pipe would else wait for a writer, perhaps for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # only a file's owner may leave its access time alone
        return os.open(path, flags)
