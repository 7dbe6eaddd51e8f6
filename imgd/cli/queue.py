"""What concerns the queue: `failed`, `retry`, `rescan`, `confirm`, `pause`, `resume`."""

from __future__ import annotations

import os

import click

from imgd.cli.photos import find_photo
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import is_terminal, write_json, write_row, write_table


@click.command
@json_option
@pass_session
def failed(session: Session) -> None:
    """What could not be analyzed, and why.

    Piped, it prints path, analyzer, reason and attempts with tabs between; with --json one object a line.
    """
    jobs = session.client().failed()
    if session.json:
        for job in jobs:
            write_json(job)
    elif is_terminal():
        rows = [(job.path, job.analyzer, job.reason, job.attempts) for job in jobs]
        if rows:
            write_table(("path", "analyzer", "reason", "attempts"), rows, right=("attempts",))
        else:
            click.echo("Nothing failed.")
    else:
        for job in jobs:
            write_row(job.path, job.analyzer, job.reason, job.attempts)


@click.command
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@click.option("--analyzer", metavar="NAME", help="Only this analyzer's failed jobs.")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@json_option
@pass_session
def retry(session: Session, photos: tuple[str, ...], analyzer: str | None, everything: bool) -> None:
    """Try failed jobs again, postponed ones at once: those of PHOTO (an id or a path), of one analyzer, or all.

    \b
    Examples:
      imgctl retry IMG_0042.CR2
      imgctl retry --analyzer technical
      imgctl retry --all
    """
    from imgd.control.protocol import CountAnswer, RetryRequest

    if not (photos or analyzer or everything):
        raise click.UsageError("Name photos, --analyzer NAME, or --all.")
    if photos and everything:
        raise click.UsageError("--all and photos exclude each other.")
    client = session.client()
    ids = tuple(find_photo(client, photo).photo_id for photo in photos)
    count = client.retry(RetryRequest(ids, analyzer))
    if session.json:
        write_json(CountAnswer(count))
    else:
        click.echo(f"{count:,} failed {'job is' if count == 1 else 'jobs are'} tried again.")


@click.command
@click.argument("root", required=False)
@json_option
@pass_session
def rescan(session: Session, root: str | None) -> None:
    """Walk ROOT again, or all roots, and register what changed unseen."""
    from imgd.control.protocol import CountAnswer

    count = session.client().rescan(None if root is None else os.path.abspath(root))
    if session.json:
        write_json(CountAnswer(count))
    else:
        click.echo(
            f"Scanning {count} {'root' if count == 1 else 'roots'}; `imgctl wait` returns when all is done."
        )


@click.command
@click.argument("root")
@json_option
@pass_session
def confirm(session: Session, root: str) -> None:
    """Say that photos missing from ROOT are meant to be gone.

    When more than half of a root goes missing at once, imgd takes it for a fault and forgets nothing until the
    photos are back or this command says otherwise.
    """
    from imgd.control.protocol import CountAnswer

    count = session.client().confirm(os.path.abspath(root))
    if session.json:
        write_json(CountAnswer(count))
    else:
        click.echo("Confirmed; what is missing is forgotten after the grace period (`watch.grace_days`).")


@click.command
@json_option
@pass_session
def pause(session: Session) -> None:
    """Start no further analysis; searches go on, and changes are still noticed."""
    _write_state(session, session.client().pause())


@click.command
@json_option
@pass_session
def resume(session: Session) -> None:
    """Go on after a pause."""
    _write_state(session, session.client().resume())


def _write_state(session: Session, state: str) -> None:
    from imgd.control.protocol import StateAnswer

    if session.json:
        write_json(StateAnswer(state))
    else:
        click.echo(state)
