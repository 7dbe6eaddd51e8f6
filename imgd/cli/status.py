"""`imgctl status`: how far the daemon is, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import console, human_duration, human_size, is_terminal, write_json, write_row, write_table

if TYPE_CHECKING:
    from imgd.control.protocol import IndexStatus, QueueStatus, StatusAnswer


@click.command
@json_option
@pass_session
def status(session: Session) -> None:
    """Roots, queue, indexes and faults.

    Piped, every line begins with the kind of thing it tells: daemon, root, queue, index, process or fault.
    """
    answer = session.client().status()
    if session.json:
        write_json(answer)
    elif is_terminal():
        _show(answer)
    else:
        _list(answer)


def _show(answer: StatusAnswer) -> None:
    from rich.text import Text

    memory = sum(process.pss_bytes for process in answer.processes)
    line = Text.assemble(
        (f"imgd {answer.version} ", "bold"),
        (answer.state, "green" if answer.state == "running" else "yellow"),
        f" for {human_duration(answer.uptime_s)} (process {answer.pid})",
        f", {human_size(memory)} of memory" if memory else "",
        f", {answer.photos:,} photos",
        f", {answer.missing:,} of them missing" if answer.missing else "",
    )
    console().print(line)
    write_table(
        ("root", "state", "photos", "missing", ""),
        [
            (
                root.path,
                root.state,
                f"{root.photos:,}",
                f"{root.missing:,}",
                root.reason or _scanning(root.scanning),
            )
            for root in answer.roots
        ],
        right=("photos", "missing"),
        title="Roots",
    )
    _show_queue(answer.queue)
    write_table(("index", "state"), [(index.name, _freshness(index)) for index in answer.indexes], title="Indexes")
    if answer.faults:
        write_table(("fault", "what to do"), [(each.message, each.hint) for each in answer.faults], title="Faults")


def _show_queue(queues: Sequence[QueueStatus]) -> None:
    write_table(
        ("analyzer", "state", "done", "owed", "failed", "photos/s", "time left"),
        [
            (
                queue.analyzer,
                stated(queue.state, queue.run),
                "-" if queue.done is None else f"{queue.done:,}",
                f"{queue.owed:,}",
                f"{queue.failed:,}",
                f"{queue.rate_per_s:.1f}" if queue.owed else "",
                _time_left(queue),
            )
            for queue in queues
        ],
        right=("done", "owed", "failed", "photos/s", "time left"),
        title="Queue",
    )
    remarks = [(queue.analyzer, remark) for queue in queues for remark in _remarks(queue)]
    if remarks:
        write_table(("analyzer", "note"), remarks, title="Analyzers")


def _list(answer: StatusAnswer) -> None:
    write_row(
        "daemon", answer.state, answer.version, answer.pid, round(answer.uptime_s), answer.photos, answer.missing
    )
    for root in answer.roots:
        write_row(
            "root", root.path, root.state, root.photos, root.missing, root.reason or _scanning(root.scanning)
        )
    for queue in answer.queue:
        eta = "" if queue.eta_s is None else round(queue.eta_s)
        done = "" if queue.done is None else queue.done
        counts = (done, queue.owed, queue.failed, f"{queue.rate_per_s:.2f}", eta)
        write_row("queue", queue.analyzer, queue.state, *counts, queue.advice, queue.run, queue.reanalyzed)
    for index in answer.indexes:
        write_row("index", index.name, "clean" if index.clean else "dirty", index.dirty, round(index.staleness_s))
    for process in answer.processes:
        write_row("process", process.name, process.pid, process.pss_bytes, process.rss_bytes)
    for fault in answer.faults:
        write_row("fault", fault.message, fault.hint)


def stated(state: str, run: str) -> str:
    """An analyzer's state, and when it runs where that is not always."""
    return state if run in ("always", "off") else f"{state}, {RUNS[run]}"


RUNS = {"idle": "on idle", "request": "on request"}


def _remarks(queue: QueueStatus) -> Iterator[str]:
    """What a person should know or do of an analyzer."""
    if queue.advice and queue.state != "off":
        yield f"{queue.state}: {queue.advice}"
    if queue.failed:
        photos = "photo" if queue.failed == 1 else "photos"
        yield f"{queue.failed:,} {photos} failed; `imgctl failed` tells why"
    if queue.reanalyzed:
        photos = "photo is" if queue.reanalyzed == 1 else "photos are"
        yield f"{queue.reanalyzed:,} {photos} analyzed again; `imgctl reanalyze --plan` tells why, and how long"


def _scanning(scanning: bool) -> str:
    return "scanning" if scanning else ""


def _time_left(queue: QueueStatus) -> str:
    return human_duration(queue.eta_s) if queue.owed else ""


def _freshness(index: IndexStatus) -> str:
    if index.clean:
        return "clean"
    return f"{index.dirty:,} changes behind, since {human_duration(index.staleness_s)}"
