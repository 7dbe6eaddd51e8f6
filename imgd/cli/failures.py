"""From an error to a message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from imgd.cli.terminal import printable
from imgd.errors import (
    AnalyzerUnknownError,
    ConfigError,
    CursorError,
    DaemonUnreachableError,
    ImgdError,
    IndexBuildingError,
    IndexDamagedError,
    PhotoUnknownError,
    QueryError,
    RootError,
    SocketPathError,
    StateLockedError,
    StoreBusyError,
    StoreError,
)

DONE: Final = 0
NOTHING_FOUND: Final = 1
USAGE: Final = 2
NO_DAEMON: Final = 3
TIMED_OUT: Final = 4
FAILED: Final = 5
_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it
_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE

_CODES: tuple[tuple[type[ImgdError], int], ...] = (
    (DaemonUnreachableError, NO_DAEMON),
    (PhotoUnknownError, NOTHING_FOUND),
    (QueryError, USAGE),
    (CursorError, USAGE),
    (AnalyzerUnknownError, USAGE),
    (ConfigError, USAGE),
    # A service manager need not try these again: a person has to do something first.
    (RootError, USAGE),
    (SocketPathError, USAGE),
    (StateLockedError, USAGE),
    (StoreBusyError, FAILED),  # this passes
    (IndexBuildingError, FAILED),  # and so do these
    (IndexDamagedError, FAILED),
    (StoreError, USAGE),
)


def run_command(program: str, command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a click command; whatever goes wrong becomes a message and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    stdout = sys.stdout
    try:
        code = command.main(arguments, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        return _fall_silent()
    except SystemExit as error:
        # On a broken pipe click puts a silent stream in stdout's place, and exits.
        return _exit_code(error) if sys.stdout is stdout else _fall_silent()
    except (ImgdError, OSError) as error:
        return _fail(program, error)


def _fall_silent() -> int:
    """There is nothing more to say to a closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE


def _exit_code(error: SystemExit) -> int:
    """The code that a command (a plugin's, say) exits with; as Python does, a text is a message and means 1."""
    if error.code is None or isinstance(error.code, int):
        return error.code or DONE
    click.echo(printable(str(error.code)), err=True)
    return 1


def _fail(program: str, error: ImgdError | OSError) -> int:
    if isinstance(error, ImgdError):
        report(program, error)
        return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    click.echo(printable(f"{program}: {where}{error.strerror or error}"), err=True)
    return FAILED


def report(program: str, error: ImgdError) -> None:
    """`program: message: detail`, and what to do about it on a line of its own."""
    message = str(error)
    message = message[:1].lower() + message[1:]
    lines = [f"{program}: {message}"]
    if error.advice:
        lines.append(f"hint: {error.advice}")
    for line in "\n".join(lines).splitlines():
        click.echo(printable(line), err=True)
