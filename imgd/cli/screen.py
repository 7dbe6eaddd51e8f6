"""Whether this terminal can show pictures, how, and how large its cells are."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import struct
import termios
import time
import tty
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

_QUERY = (
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # kitty's protocol: may I? (its own documentation's query)
    b"\x1b[?1;1;0S"  # XTSMGRAPHICS: how many colours has a sixel picture
    b"\x1b[16t"  # XTWINOPS: how many pixels has a cell
    b"\x1b[c"  # DA1: what are you; every terminal answers this one, so it comes last
)
_KITTY_YES = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
_COLOURS = re.compile(rb"\x1b\[\?1;0;(\d{1,6})S")
_CELL = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL = b"4"
"""The attribute of DA1 that means sixels; DEC's VT330/VT340 Programmer Reference Manual, volume 1, chapter 4."""

_PATIENCE_S = 0.4
"""An answer comes from the other end of an ssh connection, maybe; nearly every terminal gives one."""

_ANSWER_BYTES = 4096
_CELL_PX = (10, 20)
_COLOURS_MOST = 256


class Protocol(StrEnum):
    """How pictures are sent to a terminal."""

    KITTY = "kitty"
    ITERM2 = "iTerm2"
    SIXEL = "sixel"


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal that shows pictures. `cell_px`: width and height of a character; `colours`: of a sixel picture's
    palette."""

    protocol: Protocol
    columns: int
    cell_px: tuple[int, int] = _CELL_PX
    colours: int = _COLOURS_MOST


def find_screen(environ: Mapping[str, str]) -> Screen | None:
    """The terminal that this process belongs to, where it can show pictures."""
    if environ.get("TERM", "dumb") in ("dumb", "linux"):
        return None
    answer, size_px = _ask_terminal()
    protocol = _protocol(answer, environ)
    if protocol is None:
        return None
    cell = _CELL.search(answer)
    colours = _COLOURS.search(answer)
    return Screen(
        protocol,
        shutil.get_terminal_size().columns,
        (int(cell[2]), int(cell[1])) if cell and int(cell[1]) and int(cell[2]) else size_px or _CELL_PX,
        min(_COLOURS_MOST, max(2, int(colours[1]))) if colours else _COLOURS_MOST,
    )


def _protocol(answer: bytes, environ: Mapping[str, str]) -> Protocol | None:
    """What the terminal says counts; variables stand for what cannot be asked.

    Inside tmux and screen they tell of the terminal outside, to which pictures do not get through.
    """
    attributes = _ATTRIBUTES.search(answer)
    if _KITTY_YES.search(answer):
        return Protocol.KITTY
    if not (environ.get("TMUX") or environ.get("STY")):
        if "iTerm" in environ.get("TERM_PROGRAM", "") or "iTerm" in environ.get("LC_TERMINAL", ""):
            return Protocol.ITERM2
        if attributes is None and environ["TERM"] in ("xterm-kitty", "xterm-ghostty"):
            return Protocol.KITTY
    return Protocol.SIXEL if attributes and _SIXEL in attributes[1].split(b";") else None


def _ask_terminal() -> tuple[bytes, tuple[int, int] | None]:
    """What the terminal answers to `_QUERY`, and the size of a cell by the kernel where that knows it.

    A process in the background must not ask, and what was typed ahead must not be taken for an answer.
    """
    with suppress(OSError, termios.error):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            size_px = _cell_size(terminal)
            if os.tcgetpgrp(terminal) != os.getpgrp() or select.select([terminal], [], [], 0)[0]:
                return b"", size_px
            return _exchange(terminal), size_px
        finally:
            os.close(terminal)
    return b"", None


def _exchange(terminal: int) -> bytes:
    before = termios.tcgetattr(terminal)
    answer = b""
    deadline = time.monotonic() + _PATIENCE_S
    try:
        tty.setcbreak(terminal, termios.TCSANOW)
        os.write(terminal, _QUERY)
        while not _ATTRIBUTES.search(answer) and len(answer) < _ANSWER_BYTES:
            if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            answer += os.read(terminal, _ANSWER_BYTES)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
    return answer


def _cell_size(terminal: int) -> tuple[int, int] | None:
    """From TIOCGWINSZ; ioctl_tty(2) calls the pixels unused, but terminals that show pictures set them."""
    rows, columns, width_px, height_px = struct.unpack("HHHH", fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))
    if not (rows and columns and width_px >= columns and height_px >= rows):
        return None
    return width_px // columns, height_px // rows
