"""`imgctl search`: photos that match a query, best first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgd.cli import hits
from imgd.cli.failures import DONE, NOTHING_FOUND
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import is_terminal, printable
from imgd.search.options import SORTS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imgd.cli.screen import Screen
    from imgd.control.client import ControlClient
    from imgd.control.protocol import Hit, SearchAnswer

_PAGE_OF_ALL = 1_000
_KEPT = 1_000
"""Hits for a contact sheet: that of a thousand has 9,776 x 7,988 px, and takes 300 MB while it is drawn."""

_EXCLUDED = re.compile(r"-(?![0h]*(?:n\d*)?\Z)[^-].")
"""What is meant as an excluded word of two letters or more: not `-n`, `-n5`, `-0`, `-0n5`."""

_THUMBNAILS = 40
"""The most that are shown without being asked for: more would push the table off the screen."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The command's options. `every`: all pages; `opened`: show it in a viewer."""

    limit: int | None
    every: bool
    sort: str | None
    min_score: float | None
    after: str | None
    explain: bool
    paths: bool
    null: bool
    sheet: Path | None
    force: bool
    opened: bool
    thumbnails: str


def _complete_query(context: click.Context, _parameter: object, half: str) -> list[CompletionItem[str]]:
    from imgd.cli.halfquery import complete_query

    return complete_query(context, half)


class _SearchCommand(click.Command):
    """Lets `-night` be a part of the query, which click would read as `-n ight`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = {name: each for each in self.params if isinstance(each, click.Option) for name in each.opts}
        for place in range(end):
            before = options.get(args[place - 1]) if place else None
            is_value = before is not None and not before.is_flag
            if _EXCLUDED.match(args[place]) and f"-{args[place]}" not in options and not is_value:
                args[place] = f" {args[place]}"  # no option begins with a blank
        return super().parse_args(ctx, args)


@click.command(cls=_SearchCommand)
@click.argument("query", nargs=-1, required=True, shell_complete=_complete_query)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), help="The most photos (else `search.limit`, 20).")
@click.option("--all", "every", is_flag=True, help="All pages, to the last photo that is ranked.")
@click.option("--sort", type=click.Choice(SORTS), help="The order: best first (else), newest first, or by path.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Leave out photos that score less.")
@click.option("--after", metavar="CURSOR", help="The page that follows; the page before names its CURSOR.")
@click.option("--explain", is_flag=True, help="Below each photo: which part of the query matched where.")
@click.option("--paths", is_flag=True, help="Bare paths, one a line.")
@click.option("-0", "--null", is_flag=True, help="Bare paths with a NUL after each, for xargs -0.")
@click.option(
    "--contact-sheet",
    "sheet",
    metavar="OUT.jpg",
    type=click.Path(path_type=Path),
    help="Draw the photos with their names into one JPEG.",
)
@click.option("--force", is_flag=True, help="Let the contact sheet replace a file that is none.")
@click.option("--open", "opened", is_flag=True, help="Show the contact sheet, or the first photos, in a viewer.")
@click.option(
    "--thumbnails",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="In a terminal that can show them (kitty, iTerm2, sixel).",
)
@json_option
@pass_session
def search(session: Session, /, query: tuple[str, ...], **options: Any) -> int:
    """Find photos.

    \b
    Examples:
      imgctl search dog
      imgctl search -n 5 --json "red car" | jq -r .path
      imgctl search -0 --all 'tag:receipt date:2023' | xargs -0 cp -t ~/taxes
      imgctl search --contact-sheet lisbon.jpg --open place:lisbon

    \b
    What can be asked (docs/query-language.md has it all):
      dog beach                both words, or what looks like them
      "birthday cake"          exactly these words, side by side
      dog -cat                 without the word
      dog OR wolf              either; with parentheses: (a OR b) -c
      camera:sony              also lens: place: person: tag: text: path: type: ...
      person:"Anna K"          a value with blanks stands in quotes
      date:2023-06..2023-08    a range; also date:2023, date:>=2020-05
      iso:>=1600 size:>20MB    comparisons; focal:35mm, shutter:<1/500
      has:gps is:blurry        what a photo has, and how it is
      like:photo.jpg           what looks like this file

    What has quotes, parentheses, < or > stands in quotes for the shell. An
    excluded word that is one letter or an option's name follows --.

    Piped, it prints path, score and reason with tabs between; with --json one
    object a line, and where there is more, the last one has `after`, the cursor of
    the next page. Exit code 1 when nothing matches.
    """
    wanted = _Wanted(**options)
    _refuse_contradictions(wanted, json=session.json)
    client = session.client()
    _prepare(client, wanted)
    first, count, answer = _write_all(client, " ".join(map(str.lstrip, query)), wanted, json=session.json)
    if not count:
        click.echo("imgctl: nothing matches", err=True)
        return NOTHING_FOUND
    if is_terminal() and not session.json:
        hits.write_summary(answer, count, all_pages=wanted.every)
    _draw_and_open(client, first, count, wanted)
    return DONE


def _refuse_contradictions(wanted: _Wanted, *, json: bool) -> None:
    if (wanted.paths or wanted.null) and (json or wanted.explain):
        raise click.UsageError("--paths and --null print nothing but paths: leave out --json and --explain.")
    if wanted.every and wanted.limit is not None:
        raise click.UsageError("--all has no --limit.")
    if wanted.force and wanted.sheet is None:
        raise click.UsageError("--force is for --contact-sheet.")


def _prepare(client: ControlClient, wanted: _Wanted) -> None:
    """What cannot be done with the photos is told before they are searched."""
    if wanted.sheet is not None:
        from imgd.cli.sheet import check_target

        check_target(wanted.sheet, [root.path for root in client.status().roots], force=wanted.force)
    if wanted.opened:
        from imgd.cli.viewer import check_viewer

        check_viewer()


def _write_all(
    client: ControlClient, query: str, wanted: _Wanted, *, json: bool
) -> tuple[list[Hit], int, SearchAnswer]:
    """Write each page as it comes; the first hits of all, how many there were, and the last answer."""
    screen = None
    first: list[Hit] = []
    said: set[str] = set()
    count = 0
    for answer in _pages(client, query, wanted):
        for note in answer.notes:
            if note not in said:
                click.echo(f"imgctl: {printable(note)}", err=True)
                said.add(note)
        if json:
            hits.write_objects(answer, paged=not wanted.every)
        elif wanted.paths or wanted.null:
            hits.write_paths(answer.hits, null=wanted.null)
        elif answer.hits:
            screen = screen if count else _find_screen(wanted)
            _write_page(client, answer, wanted, screen, count)
        count += len(answer.hits)
        first += answer.hits[: _KEPT - len(first)]
    return first, count, answer


def _pages(client: ControlClient, query: str, wanted: _Wanted) -> Iterator[SearchAnswer]:
    """One page, or with --all one after the other."""
    after = wanted.after or ""
    while True:
        answer = client.search(
            query,
            _PAGE_OF_ALL if wanted.every else wanted.limit,
            sort=wanted.sort or "",
            min_score=wanted.min_score,
            after=after,
            cwd=_working_directory(),
            explain=wanted.explain,
        )
        yield answer
        after = answer.after
        if not (wanted.every and after):
            return


def _working_directory() -> bytes:
    try:
        return os.fsencode(Path.cwd())
    except OSError:  # it was removed
        return b""


def _find_screen(wanted: _Wanted) -> Screen | None:
    """Where thumbnails go; None where they are not wanted, or cannot be shown and need not."""
    from imgd.cli.screen import find_screen

    always = wanted.thumbnails == "always"
    if wanted.thumbnails == "never" or not (always or is_terminal()):
        return None
    screen = find_screen(os.environ)
    if screen is None and always:
        raise click.UsageError(
            "This terminal shows no pictures: it knows neither kitty's, iTerm2's nor sixel's way."
        )
    return screen


def _write_page(
    client: ControlClient, answer: SearchAnswer, wanted: _Wanted, screen: Screen | None, before: int
) -> None:
    """The thumbnails, where there are some, and the hits; both with numbers then."""
    most = len(answer.hits) if wanted.thumbnails == "always" else max(0, _THUMBNAILS - before)
    numbered_from = None
    if screen is not None and most:
        from imgd.cli.thumbnails import write_thumbnails
        from imgd.cli.tiles import fetch_tiles

        tiles = fetch_tiles(client, answer.hits[:most])
        if any(tile.preview for tile in tiles):
            numbered_from = before + 1
            write_thumbnails(screen, tiles, numbered_from)
    write = hits.write_explained if wanted.explain else hits.write_hits
    write(answer.hits, numbered_from=numbered_from)


def _draw_and_open(client: ControlClient, first: list[Hit], count: int, wanted: _Wanted) -> None:
    """`first` of the `count` hits that there were."""
    if wanted.sheet is not None:
        from imgd.cli.sheet import write_sheet
        from imgd.cli.tiles import fetch_tiles

        tiles = fetch_tiles(client, first)
        write_sheet(wanted.sheet, tiles)
        bare = sum(tile.preview is None for tile in tiles)
        without = f", {bare:,} of them without a preview" if bare else ""
        of_all = "" if len(tiles) == count else f"the first {len(tiles):,} of "
        photos = f"{of_all}{count:,} photo{'s' * (count != 1)}"
        click.echo(f"wrote {printable(str(wanted.sheet))}: {photos}{without}", err=True)
    if wanted.opened:
        from imgd.cli.viewer import MOST_PHOTOS, open_files

        sheet = wanted.sheet
        open_files(
            [os.fsencode(sheet.absolute())] if sheet else [hits.hit_path(hit) for hit in first[:MOST_PHOTOS]]
        )
