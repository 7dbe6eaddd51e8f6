"""What a person asks of analyzers: `analyze`, `reanalyze`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgd.cli.failures import DONE, NOTHING_FOUND
from imgd.cli.photos import find_photo
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import human_duration, is_terminal, printable, write_json, write_row, write_table

if TYPE_CHECKING:
    from imgd.control.client import ControlClient
    from imgd.control.plans import ReanalysisAnswer, ReanalysisEntry


@click.command
@click.argument("analyzer")
@click.argument("photos", nargs=-1, metavar="[PHOTO|FOLDER|QUERY]...")
@click.option("--all", "everything", is_flag=True, help="All photos.")
@json_option
@pass_session
def analyze(session: Session, analyzer: str, photos: tuple[str, ...], everything: bool) -> int:
    """Have photos analyzed by ANALYZER that it has no finding of yet: for analyzers that run on request.

    Photos are named by id or path, by their folder, or by a query as in `imgctl search`. What the analyzer reads
    of others, and is not there yet, is made first. It also puts photos first that an analyzer would get to
    later.

    \b
    Examples:
      imgctl analyze caption IMG_0042.CR2
      imgctl analyze caption ~/Pictures/2024
      imgctl analyze caption "dog on a beach"
      imgctl analyze caption --all
    """
    from imgd.control.plans import AnalyzeRequest

    if not (photos or everything):
        raise click.UsageError("Name photos, a folder or a query, or --all.")
    if photos and everything:
        raise click.UsageError("--all and photos exclude each other.")
    client = session.client()
    ids, query = _named(client, photos)
    answer = client.analyze(AnalyzeRequest(analyzer, ids, query, everything))
    code = DONE if answer.photos or everything else NOTHING_FOUND
    if session.json:
        write_json(answer)
        return code
    for note in answer.notes:
        click.echo(f"imgctl: {printable(note)}", err=True)
    if code == NOTHING_FOUND:
        click.echo("imgctl: no photo is meant by that", err=True)
        return code
    found = "finding of another one comes" if answer.queued_first == 1 else "findings of others come"
    first = f"; {answer.queued_first:,} {found} first" if answer.queued_first else ""
    click.echo(f"{_photos(answer.queued)} of {answer.photos:,} in the queue of {analyzer}{first}.")
    return code


@click.command
@click.argument("analyzers", nargs=-1, metavar="[ANALYZER]...")
@click.option("--photos", metavar="PHOTO|FOLDER|QUERY", help="Only these photos.")
@click.option("--plan", is_flag=True, help="Show what would be done, and how long it takes; change nothing.")
@json_option
@pass_session
def reanalyze(session: Session, analyzers: tuple[str, ...], photos: str | None, plan: bool) -> None:
    """Analyze photos again, at low priority; what was found before serves until then.

    Without ANALYZER, what is not current: imgd does that by itself after an update or a change of settings, but
    for analyzers that run on request. With ANALYZER, all that it found is made anew.

    \b
    Examples:
      imgctl reanalyze --plan
      imgctl reanalyze faces
      imgctl reanalyze faces --photos ~/Pictures/2024 --plan
    """
    from imgd.control.plans import ReanalyzeRequest

    client = session.client()
    ids, query = _named(client, () if photos is None else (photos,))
    answer = client.reanalyze(ReanalyzeRequest(analyzers, ids, query, plan))
    if session.json:
        write_json(answer)
        return
    for note in answer.notes:
        click.echo(f"imgctl: {printable(note)}", err=True)
    if is_terminal():
        _show(answer)
        if not plan:
            click.echo(f"Put into the queue: {_photos(answer.put_in_queue)}.")
    else:
        _list(answer)


def _named(client: ControlClient, names: tuple[str, ...]) -> tuple[tuple[int, ...], str]:
    """The ids of the photos among `names`, and one query for the rest: folders, and words."""
    ids = [find_photo(client, name).photo_id for name in names if _is_photo(name)]
    words = " ".join(name for name in names if not _is_photo(name) and not Path(name).is_dir())
    folders = [_in_folder(name) for name in names if Path(name).is_dir()]
    return tuple(ids), " OR ".join(filter(None, [words, *folders]))


def _is_photo(name: str) -> bool:
    """Whether a file or an id is meant; what looks like a path is one, be there a file or not."""
    is_path = "/" in name and ":" not in name and " " not in name
    if Path(name).is_dir():
        return False
    return is_path or Path(name).is_file() or (name.isascii() and name.isdigit() and not os.path.lexists(name))


def _in_folder(name: str) -> str:
    """A query for all within the folder, by either way to it: the root may be known by a link."""
    ways = dict.fromkeys([os.path.abspath(name), os.path.realpath(name)])
    return " OR ".join(f'path:"{way.rstrip("/")}/"' for way in ways)


def _show(answer: ReanalysisAnswer) -> None:
    if not answer.entries:
        click.echo("Nothing is to be analyzed again.")
        return
    write_table(
        ("analyzer", "photos", "queued", "why", "pixels from", "takes"),
        [
            (
                entry.analyzer,
                _about(entry.photos, entry.estimated),
                f"{entry.queued:,}",
                _why(entry),
                _pixels(entry),
                _takes(entry),
            )
            for entry in answer.entries
        ],
        right=("photos", "queued"),
    )
    click.echo()
    click.echo(f"All of it: {_total(answer)}.")
    for entry in answer.entries:
        for remark in _remarks(entry):
            click.echo(f"{entry.analyzer}: {remark}.")


def _list(answer: ReanalysisAnswer) -> None:
    """Lines for programs: `analyzer` with its numbers, `why` for each reason, `total`."""
    for entry in answer.entries:
        alone = "" if entry.alone_s is None else round(entry.alone_s, 1)
        write_row(
            "analyzer",
            entry.analyzer,
            entry.state,
            entry.run,
            entry.photos,
            entry.queued,
            entry.from_previews,
            alone,
        )
        for reason, photos in entry.reasons.items():
            write_row("why", entry.analyzer, reason, photos)
    total = "" if answer.takes_s is None else round(answer.takes_s, 1)
    write_row("total", total, answer.put_in_queue, ",".join(answer.unmeasured))


def _why(entry: ReanalysisEntry) -> str:
    return ", ".join(
        f"{reason} {count:,}" if len(entry.reasons) > 1 else reason for reason, count in entry.reasons.items()
    )


def _pixels(entry: ReanalysisEntry) -> str:
    if not entry.edge_px:
        return "-"
    files = entry.photos - entry.out_of_reach - entry.from_previews
    parts = [f"{count:,} {kind}" for count, kind in ((entry.from_previews, "previews"), (files, "files")) if count]
    return ", ".join(parts) if len(parts) > 1 else parts[0].split()[-1] if parts else "-"


def _takes(entry: ReanalysisEntry) -> str:
    if entry.alone_s is None:
        return "not measured yet"
    return f"{human_duration(max(1.0, entry.alone_s))}{'*' if entry.outdated_cost else ''}"


def _total(answer: ReanalysisAnswer) -> str:
    """How long everything takes, with decoding and without previews."""
    if answer.takes_s is None:
        known = f", {human_duration(max(1.0, answer.measured_s))} for the rest" if answer.measured_s else ""
        return f"not measured yet for {', '.join(answer.unmeasured)}{known}"
    takes = human_duration(max(1.0, answer.takes_s))
    total = f"about {takes}, decoding included"
    if answer.takes_from_files_s is not None:
        from_files = human_duration(max(1.0, answer.takes_from_files_s))
        total += f"; {from_files} if no preview could be used" if from_files != takes else ""
    return total


def _remarks(entry: ReanalysisEntry) -> list[str]:
    remarks = []
    if entry.state != "ready":
        remarks.append(f"{entry.state}; `imgctl analyzers {entry.analyzer}` tells what to do")
    if entry.outdated_cost:
        remarks.append("* measured with its version or settings before")
    if entry.out_of_reach:
        remarks.append(f"{_photos(entry.out_of_reach)} in roots that are offline")
    if entry.failed:
        remarks.append(f"{_photos(entry.failed)} failed before and left out; see `imgctl failed`, `imgctl retry`")
    if entry.run == "idle":
        remarks.append("it waits until imgd is idle")
    return remarks


def _about(photos: int, estimated: bool) -> str:
    return f"about {photos:,}" if estimated else f"{photos:,}"


def _photos(count: int) -> str:
    return f"{count:,} {'photo' if count == 1 else 'photos'}"
