"""`imgctl wait`: returns when the daemon has nothing left to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from imgd.cli.failures import DONE, TIMED_OUT
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import console, printable, write_json

if TYPE_CHECKING:
    from imgd.control.client import ControlClient
    from imgd.control.protocol import WaitAnswer

_ROUND_S = 30.0
_ROUND_WITH_BAR_S = 0.5


@click.command
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), help="The most seconds to wait; else for ever."
)
@json_option
@pass_session
def wait(session: Session, timeout_s: float | None) -> int:
    """Wait until every photo is analyzed and the indexes are up to date.

    An analyzer that cannot run (its model is missing, say) is not waited for, and named at the end.

    Exit code 0 when all is done, 4 when the time is up.
    """
    import sys

    client = session.client()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    if sys.stderr.isatty() and not session.json:
        answer = _wait_with_bar(client, deadline)
    else:
        answer = _ask_until(client, deadline)
    if session.json:
        write_json(answer)
    for blocked in answer.blocked:
        click.echo(f"imgctl: not waited for: {printable(blocked)}", err=True)
    if answer.finished:
        return DONE
    for waiting in answer.progress.waiting:
        click.echo(f"imgctl: not finished: {printable(waiting)}", err=True)
    return TIMED_OUT


def _ask(client: ControlClient, deadline: float | None, round_s: float) -> tuple[WaitAnswer, bool]:
    """One round of waiting, and whether it was the last."""
    left_s = round_s if deadline is None else max(0.0, deadline - time.monotonic())
    answer = client.wait(min(left_s, round_s))
    return answer, answer.finished or (deadline is not None and time.monotonic() >= deadline)


def _ask_until(client: ControlClient, deadline: float | None) -> WaitAnswer:
    while True:
        answer, last = _ask(client, deadline, _ROUND_S)
        if last:
            return answer


def _wait_with_bar(client: ControlClient, deadline: float | None) -> WaitAnswer:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("analyzing", total=None)
        while True:
            answer, last = _ask(client, deadline, _ROUND_WITH_BAR_S)
            if last:
                return answer
            progress = answer.progress
            doing = "analyzing" if progress.owed else printable(next(iter(progress.waiting), "waiting"))
            total = progress.done + progress.failed + progress.owed
            bar.update(task, description=doing, total=total, completed=total - progress.owed)
