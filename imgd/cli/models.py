"""`imgctl models`: the model store. Needs no daemon; a running one is told of what changed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from imgd.cli.failures import DONE, FAILED
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import console, human_size, printable, write_json, write_table
from imgd.errors import ImgdError

if TYPE_CHECKING:
    from imgd.config import Settings
    from imgd.model import Model
    from imgd.weights.store import ModelStore


class ListedModel(msgspec.Struct, frozen=True):
    """A line of `imgctl models list --json`."""

    name: str
    title: str
    licence: str
    must_accept: bool
    default: bool
    size_bytes: int
    state: str


class VerifiedFile(msgspec.Struct, frozen=True):
    """A line of `imgctl models verify --json`; `problem` is empty where the file is as it should be."""

    model: str
    file: str
    problem: str


@click.group
def models() -> None:
    """Fetch, check and remove the models that analyzers need. Works without a daemon."""


@models.command("list")
@json_option
@pass_session
def list_models(session: Session) -> None:
    """Every model that a plugin names: its licence, size and state."""
    settings, store = _open_store(session)
    listed = [_listed(store, model) for model in store.catalogue]
    left = {each.name for each in listed if each.must_accept and each.state == "absent"}
    left.difference_update(settings.models.accept_licences)
    if session.json:
        for entry in listed:
            write_json(entry)
        return
    rows = [
        (
            entry.name,
            entry.state,
            human_size(entry.size_bytes),
            entry.licence + (" (has to be accepted)" if entry.name in left else ""),
            "yes" if entry.default else "",
            entry.title,
        )
        for entry in listed
    ]
    write_table(("model", "state", "size", "licence", "default", "what it is"), rows, right=("size",))


@models.command
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--accept-licence", "accepted", multiple=True, metavar="NAME", help="I have read this model's licence."
)
@json_option
@pass_session
def pull(session: Session, names: tuple[str, ...], accepted: tuple[str, ...]) -> None:
    """Fetch models, verified; an interrupted pull goes on where it stopped.

    \b
    Examples:
      imgctl models pull default       all that the default analyzers need
      imgctl models pull NAME --accept-licence NAME
    """
    from imgd.weights.pull import pull as pull_model

    settings, store = _open_store(session)
    model_settings = dataclasses.replace(
        settings.models, accept_licences=(*settings.models.accept_licences, *accepted)
    )
    fetched = []
    try:
        for model in store.catalogue.named(names):
            with _progress(model, quiet=session.json) as progress:
                new = pull_model(store, model, model_settings, progress)
            if new:
                fetched.append(model.name)
            if session.json:
                write_json(_listed(store, model))
            else:
                size = human_size(model.size_bytes)
                what = "fetched and verified" if new else "is there already"
                click.echo(f"{printable(model.name)}: {what} ({size}, {printable(model.licence)})")
    finally:
        if fetched:
            _tell_daemon(session)


@models.command
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@pass_session
def verify(session: Session, names: tuple[str, ...]) -> int:
    """Check the content of models against the catalogue: those named, or all that are there.

    Exit code 5 when a file is missing or wrong.
    """
    from imgd.weights.store import ModelStatus

    _settings, store = _open_store(session)
    if names:
        chosen = store.catalogue.named(names)
    else:
        chosen = [model for model in store.catalogue if store.status(model.name) is not ModelStatus.ABSENT]
    wrong = 0
    for model in chosen:
        checks = store.verify(model.name)
        problems = [check for check in checks if check.problem]
        wrong += len(problems)
        if session.json:
            for check in checks:
                write_json(VerifiedFile(model.name, check.file.name, check.problem))
        elif problems:
            for check in problems:
                click.echo(f"{printable(model.name)}: {printable(check.file.name)} {printable(check.problem)}")
        else:
            click.echo(f"{printable(model.name)}: good ({len(checks)} {'file' if len(checks) == 1 else 'files'})")
    if wrong:
        click.echo("hint: `imgctl models pull NAME` fetches what is missing or wrong.", err=True)
    return FAILED if wrong else DONE


@models.command
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", help="Only this model; it is an error when it is not whole there.")
@click.option("--as", "own_name", metavar="NAME", help="Take the folder as it is, as a model of your own.")
@json_option
@pass_session
def add(session: Session, directory: Path, name: str | None, own_name: str | None) -> None:
    """Take models from DIRECTORY, fetched elsewhere; files are recognised by their content.

    \b
    Examples:
      imgctl models add ~/downloads
      imgctl models add ~/ViT-L-14 --as ViT-L-14__laion2b_s32b_b82k      one that no plugin names
    """
    if name and own_name:
        raise click.UsageError("--name is for models that a plugin names, --as for others")
    _settings, store = _open_store(session)
    if own_name:
        store.add_as(directory, own_name)
    for added in [own_name] if own_name else store.add(directory, name):
        if session.json:
            write_json(_listed(store, store.catalogue.model(added)))
        else:
            click.echo(f"{printable(added)}: added")
    _tell_daemon(session)


@models.command
@click.argument("name")
@json_option
@pass_session
def remove(session: Session, name: str) -> None:
    """Delete a model's files; its analyzers wait for it afterwards."""
    _settings, store = _open_store(session)
    removed = store.remove(name)
    if session.json:
        write_json(_listed(store, store.catalogue.model(name)))
    else:
        click.echo(f"{printable(name)}: {'removed' if removed else 'was not there'}")
    if removed:
        _tell_daemon(session)


def _open_store(session: Session) -> tuple[Settings, ModelStore]:
    from imgd.daemon import build_registry
    from imgd.weights.catalogue import Catalogue
    from imgd.weights.store import ModelStore

    settings = session.settings()
    return settings, ModelStore(settings.paths.models_dir, Catalogue(build_registry().models()))


def _listed(store: ModelStore, model: Model) -> ListedModel:
    return ListedModel(
        name=model.name,
        title=model.title,
        licence=model.licence,
        must_accept=model.must_accept,
        default=model.default,
        size_bytes=model.size_bytes,
        state=str(store.status(model.name)),
    )


@contextlib.contextmanager
def _progress(model: Model, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal, else one line when the first byte is on its way."""
    import sys

    if quiet or not sys.stderr.isatty():
        announced: list[bool] = []

        def announce(_done: int, _total: int) -> None:
            if not announced and not quiet:
                click.echo(f"{printable(model.name)}: fetching {human_size(model.size_bytes)}", err=True)
            announced.append(True)

        yield announce
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(model.name), total=model.size_bytes)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell_daemon(session: Session) -> None:
    with contextlib.suppress(ImgdError):  # no daemon runs, or it is stopping: it will look when it starts
        session.client().refresh_models()
