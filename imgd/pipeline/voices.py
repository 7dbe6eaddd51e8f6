"""What children print, passed on by the nursery: as it comes, but no more a minute than anybody reads."""

from __future__ import annotations

import contextlib
import os
import time

MOST_BYTES = 256 << 10
"""What all children of one name (`imgd-worker0`, and whoever takes its place) may print in `WINDOW_S`."""
WINDOW_S = 60.0


class Voices:
    """The pipes that stand for stdout and stderr of children. A library that prints without end fills no disk."""

    def __init__(self, target: int = 2) -> None:
        """`target`: the descriptor that everything goes to."""
        self._target = target
        self._names: dict[int, str] = {}
        self._said: dict[str, tuple[float, int]] = {}  # since when, and how much

    def open(self, name: str) -> tuple[int, int]:
        """The ends of a pipe for a child `name`: to read from here, and to write to there."""
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        self._names[ours] = name
        return ours, theirs

    def pass_on(self, fd: int) -> bool:
        """Pass on what has come; whether more may come. Where none does, `fd` is the caller's to close."""
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return True
        if not data:
            del self._names[fd]
            return False
        self._say(self._names[fd], data)
        return True

    def drain(self) -> None:
        """Pass on all that has come yet."""
        for fd in tuple(self._names):
            with contextlib.suppress(OSError):
                while data := os.read(fd, 1 << 16):
                    self._say(self._names[fd], data)

    def _say(self, name: str, data: bytes) -> None:
        now = time.monotonic()
        since, said = self._said.get(name, (now, 0))
        if now - since >= WINDOW_S:
            since, said = now, 0
        self._said[name] = since, said + len(data)
        if said < MOST_BYTES:
            self._write(data[: MOST_BYTES - said])
            if said + len(data) >= MOST_BYTES:
                self._write(b"\n%s prints too much: the rest of this minute is left out\n" % name.encode())

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # whoever listened is gone
            while data:
                data = data[os.write(self._target, data) :]
