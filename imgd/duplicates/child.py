"""The process that computes content hashes: it reads files from end to end, at the lowest priority."""

from __future__ import annotations

import os
import socket

import msgspec

from imgd.domain import FileStat
from imgd.pipeline import contents
from imgd.pipeline.channel import Channel, ChannelClosedError

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
    """The content hash of a file that is as registered."""
    return HashedFile(file.photo_id, *contents.hash_file(file.path, file.stat))
