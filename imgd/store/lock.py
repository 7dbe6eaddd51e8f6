"""One daemon a state directory: an advisory lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from imgd.errors import StateLockedError, StoreError


class StateLock:
    """Held from construction to `release`, or to the end of the process.

    Raises:
        StateLockedError: when another process holds it.
        StoreError: when the state directory cannot be made or written.
    """

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / "imgd.lock"
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            state_dir.chmod(0o700)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}",
                hint="Check the permissions of `paths.state_dir`, or set another directory.",
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise StateLockedError(f"process {holder or 'unknown'} holds {path}") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)
