"""The system's viewer of pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence

from imgd.errors import ImgdError

MOST_PHOTOS = 5
"""Opened at once: every one may get a window of its own."""

_PROGRAM = "xdg-open"
_PATIENCE_S = 3.0
"""A viewer that fails does so at once; one that is still there after this shows its picture."""

_REASONS = {2: "the file is not there", 3: "no viewer is installed", 4: "the viewer failed"}
"""Exit codes of xdg-open(1)."""


class ViewerError(ImgdError):
    """Photos cannot be shown."""

    hint = "Write them to a file with --contact-sheet OUT.jpg, and look at that elsewhere."


def check_viewer() -> str:
    """Where the program is that opens files.

    Raises:
        ViewerError: there is none, or no display.
    """
    if not (os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")):
        raise ViewerError("there is no display (neither WAYLAND_DISPLAY nor DISPLAY is set)")
    program = shutil.which(_PROGRAM)
    if program is None:
        raise ViewerError(f"there is no {_PROGRAM}", hint="Install it: it is in your system's package xdg-utils.")
    return program


def open_files(paths: Sequence[bytes]) -> None:
    """Open each file with the program that is set for its kind.

    Raises:
        ViewerError: there is none, or it failed.
    """
    program = check_viewer()
    silent = subprocess.DEVNULL
    begun = [
        subprocess.Popen([program, path], stdin=silent, stdout=silent, stderr=silent, start_new_session=True)
        for path in paths
    ]
    deadline = time.monotonic() + _PATIENCE_S
    for viewer, path in zip(begun, paths, strict=True):
        try:
            code = viewer.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
        if code:
            raise ViewerError(f"{os.fsdecode(path)}: {_REASONS.get(code, f'{_PROGRAM} ended with {code}')}")
