"""Every way that a command can end, as a message and an exit code."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from imgd.cli.failures import FAILED, USAGE, run_command
from imgd.errors import CursorError, IndexBuildingError, RootError, StoreBusyError


def run(work: Callable[[], object]) -> int:
    return run_command("imgctl", click.Command("toy", callback=work), [])


def raising(error: BaseException) -> Callable[[], object]:
    def work() -> object:
        raise error

    return work


@pytest.mark.parametrize(("code", "status"), [(3, 3), (0, 0), (None, 0), ("it is no good", 1)])
def test_the_code_that_a_command_exits_with_is_passed_on(capsys, code, status):
    assert run(raising(SystemExit(code))) == status
    assert capsys.readouterr().err == ("it is no good\n" if isinstance(code, str) else "")


def test_a_locked_library_may_pass_so_a_service_manager_tries_again(capsys):
    assert run(raising(StoreBusyError("library.db: database is locked"))) == FAILED
    assert "hint: End that program" in capsys.readouterr().err


def test_a_cursor_that_is_none_is_as_wrong_as_a_query(capsys):
    assert run(raising(CursorError("`after` is no cursor"))) == USAGE
    message = "imgctl: the page cannot be given: `after` is no cursor\nhint: Use `after` of the page before.\n"
    assert capsys.readouterr().err == message


def test_an_index_that_is_being_built_is_no_fault_of_the_query(capsys):
    assert run(raising(IndexBuildingError("the text index is being built"))) == FAILED
    message = "imgctl: words cannot be searched yet: the text index is being built\nhint: Try again in a moment.\n"
    assert capsys.readouterr().err == message


def test_a_root_that_cannot_be_watched_is_for_a_person_to_mend(capsys):
    assert run(raising(RootError("/photos"))) == USAGE
    assert "hint: Mount or create the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/models/a\x1b[31m"), "/models/a\\e[31m: Permission denied"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("nobody knows"), "nobody knows"),
    ],
)
def test_an_error_of_the_system_is_one_line(capsys, error, message):
    assert run(raising(error)) == FAILED
    assert capsys.readouterr().err == f"imgctl: {message}\n"
