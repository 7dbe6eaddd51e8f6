"""One model file on disk: written only whole and verified, owner-only, and checked by size and sha256."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imgd.errors import DiskFullError, ModelError, ModelPullError
from imgd.model import ModelFile

_CHUNK_BYTES = 1 << 20
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def file_sha256(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_object(path: Path) -> str:
    """The name under which git keeps a file's content: the sha1 of a header and the content, in hexadecimal."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_file(path: Path, file: ModelFile) -> bool:
    """Whether `path` holds exactly `file`, by size and then by sha256; never one whose sha256 nobody told."""
    try:
        return bool(file.sha256) and path.stat().st_size == file.size_bytes and file_sha256(path) == file.sha256
    except FileNotFoundError:
        return False


def write_verified(
    stream: IO[bytes], file: ModelFile, scratch: Path, target: Path, progress: Callable[[int], None]
) -> None:
    """Copy `stream` to `scratch`, and rename it to `target` once it is known to be `file`.

    Reading stops as soon as more arrives than the catalogue says, so that a compressed member cannot
    fill the disk. `progress` is told the bytes written so far. On any error nothing is left behind.

    Raises:
        ModelPullError: what arrived is not the file that the catalogue names.
        DiskFullError: there is no room for it.
    """
    digest, written = hashlib.sha256(), 0
    try:
        with disk_full_named(target), _private(scratch) as output:
            while chunk := stream.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > file.size_bytes:
                    raise ModelPullError(f"{file.name} is larger than the {file.size_bytes} bytes it should have")
                digest.update(chunk)
                output.write(chunk)
                progress(written)
            output.flush()
            os.fsync(output.fileno())
        if written != file.size_bytes:
            raise ModelPullError(f"{file.name} has {written} of {file.size_bytes} bytes")
        if digest.hexdigest() != file.sha256:
            raise ModelPullError(
                f"{file.name} has sha256 {digest.hexdigest()}, the catalogue names {file.sha256}",
                hint="Its source does not hold the file that the catalogue means; it was not kept.",
            )
        with disk_full_named(target):
            private_directory(target.parent)
            scratch.replace(target)
            sync_directory(target.parent)
    finally:
        scratch.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`, owner-only; a reader or a crash sees the old content or the new."""
    scratch = path.with_name(path.name + ".new")
    with disk_full_named(path):
        with _private(scratch) as output:
            output.write(text.encode())
            output.flush()
            os.fsync(output.fileno())
        scratch.replace(path)


def private_directory(path: Path) -> Path:
    """`path` as a directory that only its owner can enter; missing parents are made as usual."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def sync_directory(path: Path) -> None:
    """Make renames in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """Turn the operating system's `no space` errors into DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(f"no room for {path}") from error
        raise


@contextmanager
def system_errors_named(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ModelError or DiskFullError; `path` where they name no file."""
    try:
        with disk_full_named(path):
            yield
    except BrokenPipeError:
        raise  # nobody reads the progress any more: no fault of the store
    except OSError as error:
        raise ModelError(
            f"{error.filename or path}: {error.strerror or error}",
            hint="Check its permissions and its disk; `paths.models_dir` names where models are kept.",
        ) from error


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        yield output
