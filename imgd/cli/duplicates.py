"""`imgctl duplicates`: files that are there twice, photos that look the same, bursts, and RAW+JPEG pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from imgd.cli.failures import DONE, NOTHING_FOUND
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import human_size, is_terminal, printable, write_json, write_row, write_table

if TYPE_CHECKING:
    from imgd.control.protocol import DuplicateFile, DuplicateGroup, DuplicatesAnswer

_NOTHING = {
    "identical": "no file is there twice",
    "near": "no photos look the same",
    "bursts": "there are no bursts",
    "pairs": "there are no RAW+JPEG pairs",
}


@click.command
@click.option("--near", "kind", flag_value="near", help="Photos that look the same, but are not the same file.")
@click.option("--bursts", "kind", flag_value="bursts", help="Shots of one camera in quick succession.")
@click.option("--pairs", "kind", flag_value="pairs", help="RAW files and the JPEG or HEIC of the same shot.")
@json_option
@pass_session
def duplicates(session: Session, kind: str | None) -> int:
    """Find files with the same content, those that take most space first.

    \b
    Examples:
      imgctl duplicates                     the same file at several places
      imgctl duplicates --near              smaller copies, other formats, light edits
      imgctl duplicates | awk -F'\\t' '$2 > 1 { print $5 }'

    The file to keep comes first in its group. Bursts and RAW+JPEG pairs have lists of their own and count as no
    duplicates. Nothing is ever deleted.

    Piped, it prints a line a file: group, position in it, bytes, picture size and path, with tabs between; with
    --json one group a line. Exit code 1 when there is none.
    """
    kind = kind or "identical"
    groups = saved_bytes = 0
    pending = False
    for page in _pages(session, kind):
        for group in page.groups:
            groups += 1
            saved_bytes += group.saved_bytes
            _write(session, groups, group)
        pending = pending or page.pending
    if not groups:
        click.echo(f"imgctl: {_NOTHING[kind]}{' so far' if pending else ''}", err=True)
        return NOTHING_FOUND
    if is_terminal() and not session.json:
        end = f", {human_size(saved_bytes)} could be saved" if saved_bytes else ""
        click.echo(f"\n{groups:,} {'group' if groups == 1 else 'groups'}{end}.")
    return DONE


def _pages(session: Session, kind: str) -> Iterator[DuplicatesAnswer]:
    """The pages of a list. One that is still being made is waited for; files that are still being read are not."""
    client = session.client()
    noted: set[str] = set()
    while True:
        pages = client.duplicates(kind)
        first = next(pages)
        for note in first.notes:
            if note not in noted:
                click.echo(f"imgctl: {printable(note)}", err=True)
        noted |= set(first.notes)
        if not first.pending or kind == "identical":
            yield first
            yield from pages
            return


def _write(session: Session, number: int, group: DuplicateGroup) -> None:
    if session.json:
        write_json(group)
    elif is_terminal():
        end = f", {human_size(group.saved_bytes)} could be saved" if group.saved_bytes else ""
        left_out = f", the first {len(group.files):,} are shown" if group.count > len(group.files) else ""
        write_table(
            ("size", "picture", "path"),
            [(human_size(file.size_bytes), _picture(file), file.path) for file in group.files],
            right=("size", "picture"),
            title=f"{number}: {group.count:,} files, {human_size(group.size_bytes)}{end}{left_out}",
        )
    else:
        for position, file in enumerate(group.files, start=1):
            write_row(number, position, file.size_bytes, _picture(file), file.path)


def _picture(file: DuplicateFile) -> str:
    return f"{file.width}x{file.height}" if file.width and file.height else "-"
