"""Work in a process of its own, of low priority: it takes nothing from searches but the time that they leave."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

import imgd.errors
from imgd.errors import ImgdError, StoreError

NICE = 10
"""Far behind searches (0) and behind the analysis of photos (5), which would else starve it: it gets a tenth."""

_LOOK_S = 0.1
_TOLD = 3  # the exit status of a process that has written its error to stdout
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def run_apart(module: str, arguments: Sequence[str], stopped: Callable[[], bool] = lambda: False) -> bool:
    """Run `python -m module` and wait for it; False when `stopped` said so and it was killed.

    It dies with the thread that waits for it.

    Raises:
        ImgdError: what `module` raised in `live_apart`.
        StoreError: when it ended without a word.
    """
    # -P: no module is taken from the folder in which the daemon happens to have been started.
    command = [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            while not stopped():
                try:
                    told, _ = process.communicate(timeout=_LOOK_S)
                except subprocess.TimeoutExpired:
                    continue
                break
            else:
                return False
        finally:
            process.kill()
    if process.returncode == _TOLD:
        raise _error(told)
    if process.returncode:
        raise StoreError(f"{module} ended with status {process.returncode}", hint="It is started again.")
    return True


def live_apart(name: str, work: Callable[[Sequence[str]], None]) -> None:
    """The whole life of such a process: `work` with its arguments; `name` is what `ps` shows."""
    parent, *arguments = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the line above
        sys.exit(1)
    libc.prctl(_PR_SET_NAME, name.encode()[:15])
    os.nice(NICE)
    try:
        work(arguments)
    except ImgdError as error:
        json.dump([type(error).__name__, error.detail, error.advice], sys.stdout)
        sys.stdout.flush()
        sys.exit(_TOLD)


def _error(told: str) -> ImgdError:
    name, detail, advice = json.loads(told)
    kind: type[ImgdError] = getattr(imgd.errors, name, StoreError)
    return kind(detail, hint=advice)
