"""imgctl in a terminal: what it prints there, and what the terminal answers when it is asked."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

_DA1 = b"\x1b[c"


@dataclass(frozen=True)
class Session:
    """What a command printed (stderr, too) and its exit code. `typed`: what is still to be read from the keyboard;
    `modes_kept`: whether the terminal is as it was."""

    code: int
    out: bytes
    typed: bytes
    modes_kept: bool

    @property
    def text(self) -> str:
        return self.out.decode()


def run_in_terminal(
    home: Path, socket: Path, *arguments: str, reply: bytes = b"", ahead: bytes = b"", **extra: str
) -> Session:
    """imgctl in a terminal of 100 columns that is its own.

    `reply`: what the terminal answers once it is asked what it is (DA1); `ahead`: what is typed before that.
    """
    ours, theirs = pty.openpty()
    environment = dict(os.environ) | {"IMGD_SOCKET": str(socket), "COLUMNS": "100", "TERM": "xterm"} | extra
    command = ["setsid", "--ctty", sys.executable, "-m", "imgd.cli.imgctl", *arguments]
    before = termios.tcgetattr(theirs)
    os.write(ours, ahead)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=home)
    output = bytearray()
    os.set_blocking(theirs, False)
    with open(os.pidfd_open(process.pid), "rb", closefd=True) as ended:
        _follow(ours, ended.fileno(), output, reply)
    typed = b""
    with contextlib.suppress(BlockingIOError):
        typed = os.read(theirs, 4096)
    kept = termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)
    return Session(process.wait(30), bytes(output), typed, kept)


def _follow(terminal: int, ended: int, output: bytearray, reply: bytes) -> None:
    """Collect what is printed until the command has ended and all was read."""
    answered = not reply
    while True:
        ready, _, _ = select.select([terminal, ended], [], [], 60)
        assert ready, f"it hangs after {bytes(output)!r}"
        if terminal in ready:
            output += os.read(terminal, 65536)
            if not answered and _DA1 in output:
                os.write(terminal, reply)
                answered = True
        elif ended in ready:
            return
