"""`imgctl search`: photos that match a query, best first."""

from __future__ import annotations

import click

from imgd.cli.failures import DONE, NOTHING_FOUND
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import printable, write_json, write_table


@click.command
@click.argument("query", nargs=-1, required=True)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), help="The most photos (else `search.limit`, 20).")
@json_option
@pass_session
def search(session: Session, query: tuple[str, ...], limit: int | None) -> int:
    """Find photos.

    \b
    Examples:
      imgctl search dog
      imgctl search '"exact words" -cat'
      imgctl search -n 5 --json "red car" | jq -r .path

    Piped, it prints path, score and reason with tabs between; with --json one object a line.
    Exit code 1 when nothing matches.
    """
    answer = session.client().search(" ".join(query), limit)
    for note in answer.notes:
        click.echo(f"imgctl: {printable(note)}", err=True)
    if session.json:
        for hit in answer.hits:
            write_json(hit)
    elif answer.hits:
        write_table(
            ("path", "score", "why"),
            [(hit.path, f"{hit.score:.3f}", hit.why) for hit in answer.hits],
            right=("score",),
        )
    if not answer.hits:
        click.echo("imgctl: nothing matches", err=True)
    return DONE if answer.hits else NOTHING_FOUND
