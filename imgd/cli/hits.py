"""Hits as people and scripts want them: a table, lines, bare paths, JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from imgd.cli.terminal import is_terminal, printable, write_json, write_row, write_table

if TYPE_CHECKING:
    from imgd.control.protocol import Hit, SearchAnswer


def hit_path(hit: Hit) -> bytes:
    """The exact path."""
    from imgd.control.paths import path_bytes

    return path_bytes(hit.path, hit.path_base64)


def write_objects(answer: SearchAnswer, *, paged: bool) -> None:
    """One object a line. Where there are more hits, and they are not fetched anyway, the last one has `after`, the
    cursor of the next page."""
    import msgspec

    named = 1 if answer.after and paged else 0
    for hit in answer.hits[: len(answer.hits) - named]:
        write_json(hit)
    for hit in answer.hits[len(answer.hits) - named :]:
        write_json(msgspec.to_builtins(hit) | {"after": answer.after})


def write_paths(hits: Sequence[Hit], *, null: bool) -> None:
    """Bare paths with a line feed (or NUL) after each; bytes for bytes, but in a terminal."""
    if is_terminal():
        for hit in hits:
            click.echo(printable(hit.path), nl=not null)
        return
    end = b"\0" if null else b"\n"
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(hit_path(hit) + end for hit in hits))


def write_hits(hits: Sequence[Hit], *, numbered_from: int | None = None) -> None:
    """A table, with numbers where its rows belong to thumbnails; in a pipe path, score and reason."""
    columns: tuple[str, ...] = ("path", "score", "why")
    rows: list[tuple[object, ...]] = [(hit.path, f"{hit.score:.3f}", hit.why) for hit in hits]
    if numbered_from is not None:
        columns = ("#", *columns)
        rows = [(number, *row) for number, row in enumerate(rows, start=numbered_from)]
    write_table(columns, rows, right=("#", "score"))


def write_explained(hits: Sequence[Hit], *, numbered_from: int | None = None) -> None:
    """Every hit with its reasons below it, one a line; in a pipe a reason's line begins with a tab."""
    if not is_terminal():
        for hit in hits:
            write_row(hit.path, f"{hit.score:.3f}", hit.why)
            for reason in hit.reasons:
                write_row("", reason)
        return
    for position, hit in enumerate(hits):
        number = "" if numbered_from is None else f"{numbered_from + position}  "
        click.echo(number + click.style(printable(hit.path), bold=True) + f"  {hit.score:.3f}")
        for reason in hit.reasons:
            click.echo(f"    {printable(reason)}")


def write_summary(answer: SearchAnswer, shown: int, *, all_pages: bool) -> None:
    """For a person: how many of how many, how long it took, and how to go on."""
    at_least = "" if answer.found_exact else "at least "
    of_all = "" if shown >= answer.found else f" of {at_least}{answer.found:,}"
    photos = "photo" if shown == 1 and not of_all else "photos"
    took = "" if all_pages else f", {answer.took_ms:.0f} ms"
    click.echo(f"{shown:,}{of_all} {photos}{took}", err=True)
    if answer.after and not all_pages:
        import shlex

        click.echo(f"more: --after {shlex.quote(answer.after)}", err=True)
