"""`imgctl plugins`: which plugins there are, and installing and removing them. Needs no daemon."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
import msgspec

from imgd.cli.failures import DONE, FAILED
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import printable, write_json, write_table
from imgd.errors import ImgdError, PluginInstallError

if TYPE_CHECKING:
    from imgd.cli.inspected import Inspected
    from imgd.cli.installing import Change


class ListedPlugin(msgspec.Struct, frozen=True):
    """A line of `imgctl plugins list --json`. `state`: `on`, `broken`, `left out` by IMGD_PLUGINS, or `missing`
    though IMGD_PLUGINS names it."""

    name: str
    distribution: str
    version: str
    state: str
    analyzers: list[str]
    error: str = ""


class InstalledPlugin(msgspec.Struct, frozen=True):
    """The answer of `imgctl plugins install --json`. `advice`: what is to be done so that it serves."""

    source: str
    changes: list[Change]
    installed: bool
    plugin: Inspected | None = None
    advice: list[str] = []


class UninstalledPlugin(msgspec.Struct, frozen=True):
    """The answer of `imgctl plugins uninstall --json`."""

    distribution: str
    version: str
    advice: str


@click.group
def plugins() -> None:
    """List, install and remove plugins, in imgd's own Python environment. Works without a daemon."""


@plugins.command("list")
@json_option
@pass_session
def list_plugins(session: Session) -> None:
    """Every plugin that is installed, with the analyzers that it brings."""
    import importlib.metadata

    from imgd.cli.inspected import default_settings
    from imgd.config import Settings
    from imgd.daemon import build_registry
    from imgd.hookspecs import PROJECT

    registry = build_registry()
    declared = registry.analyzers(Settings())
    settings = default_settings(declared)
    registry.configured(declared, settings.get)
    registry.query_encoders(Settings(), settings.get)
    registry.models()
    listed = [
        ListedPlugin(
            name,
            status.distribution,
            status.version,
            "on" if not status.error else "broken" if status.distribution else "missing",
            [analyzer for analyzer, owner in registry.owners.items() if owner == name],
            status.error,
        )
        for name, status in registry.statuses.items()
    ]
    listed += [
        ListedPlugin(entry.name, entry.dist.name, entry.dist.version, "left out", [])
        for entry in importlib.metadata.entry_points(group=PROJECT)
        if entry.name in registry.left_out and entry.dist is not None
    ]
    if session.json:
        for each in listed:
            write_json(each)
        return
    rows = [
        (each.name, each.distribution, each.version, each.state, " ".join(each.analyzers), each.error)
        for each in listed
    ]
    write_table(("plugin", "distribution", "version", "state", "analyzers", ""), rows)


@plugins.command
@click.argument("name", metavar="NAME|DIR")
@click.option("--dry-run", is_flag=True, help="Only say what would be installed.")
@click.option("--editable", is_flag=True, help="Use DIR where it lies, to work on it.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave out NAME, for which another one serves.")
@json_option
@pass_session
def install(session: Session, name: str, dry_run: bool, editable: bool, without: tuple[str, ...]) -> int:
    """Install a plugin: by its short name, by the name of its distribution, or from its folder.

    What imgd and the other plugins need stays as they need it, and nothing is installed whose files would
    overwrite those of something else. The index, proxies and certificates are those that pip is configured with.

    \b
    Examples:
      imgctl plugins install faces         the plugin imgd-faces
      imgctl plugins install faces[dlib]   with what its extra brings, also where imgd-faces is there
      imgctl plugins install ./my-plugin   from a folder
    """
    from imgd.cli import installing
    from imgd.cli.inspected import inspect_plugin

    source = installing.source_of(name)
    editable = editable or installing.lies_beside(source)
    left_out = {installing.canonical(each) for each in without}
    changes = [each for each in installing.plan(source, editable=editable) if each.name not in left_out]
    installing.refuse_harm(changes, left_out)
    requested = installing.plugin_to_install(source, changes)
    if not session.json:
        _tell_changes(changes, dry_run=dry_run)
    if dry_run:
        if session.json:
            write_json(InstalledPlugin(source, changes, installed=False))
        return DONE
    installing.carry_out(source, changes, editable=editable)
    found = inspect_plugin(requested, session.settings().paths.models_dir)
    if not found.entries:
        installing.run_pip("uninstall", "--yes", "--quiet", requested, finishes=True)
        raise PluginInstallError(
            f"{requested} names no entry point of the group `imgd`: it is no plugin, and was removed again",
            hint="docs/writing-plugins.md shows what makes a plugin.",
        )
    advice = _advice(session, found)
    if session.json:
        write_json(InstalledPlugin(source, changes, installed=True, plugin=found, advice=advice))
    else:
        _tell_plugin(found, advice)
    return FAILED if found.error else DONE


@plugins.command
@click.argument("name")
@json_option
@pass_session
def uninstall(session: Session, name: str) -> None:
    """Remove a plugin. What its analyzers have found stays in the library, and so does what it required."""
    from imgd.cli import installing

    installing.refuse_managed()
    found = installing.plugin_named(name)
    distribution, version = found.name, found.version
    installing.run_pip("uninstall", "--yes", "--quiet", distribution, finishes=True)
    advice = _restart(session) or "It is gone from the next start of imgd on."
    if session.json:
        write_json(UninstalledPlugin(distribution, version, advice))
        return
    click.echo(f"{printable(distribution)} {printable(version)}: removed")
    click.echo("What it found in photos stays in the library, and serves again should it come back.")
    click.echo(advice)


def _tell_changes(changes: list[Change], *, dry_run: bool) -> None:
    if not changes:
        click.echo("Nothing is to be installed: it is all there.")
    for each in changes:
        old = f" in place of {printable(each.old)}" if each.old else ""
        verb = "would install" if dry_run else "installs"
        click.echo(f"{verb} {printable(each.name)} {printable(each.new)}{old}")


def _tell_plugin(found: Inspected, advice: list[str]) -> None:
    click.echo(f"{printable(found.distribution)} {printable(found.version)}: installed")
    if found.error:
        click.echo(f"It does not work: {printable(found.error)}", err=True)
    if found.analyzers:
        click.echo(f"analyzers: {printable(', '.join(found.analyzers))}")
    if found.models:
        click.echo(f"models: {printable(', '.join(found.models))}")
    for line in advice:
        click.echo(printable(line))


def _advice(session: Session, found: Inspected) -> list[str]:
    """What is to be done so that the plugin serves, a sentence each."""
    from imgd.plugins import plugin_selection

    advice = []
    if found.error:
        return [f"`imgctl plugins uninstall {found.distribution}` removes it."]
    selection = plugin_selection()
    if selection is not None and selection.isdisjoint(found.entries):
        advice.append(f"IMGD_PLUGINS leaves it out here: add {','.join(found.entries)} to it, or unset it.")
    if found.missing:
        missing = " ".join(found.missing)
        advice.append(f"Its models are not there yet: `imgctl models pull {missing}`.")
    advice.append(_restart(session) or "It serves from the next start of imgd on.")
    return advice


def _restart(session: Session) -> str:
    """How to make a daemon that runs look at its plugins again; "" where none runs."""
    from imgd.cli.installing import service_runs

    if service_runs():
        return "imgd loads plugins when it starts: `systemctl --user restart imgd`."
    with contextlib.suppress(ImgdError, OSError), session.client() as client:
        client.status()
        return "imgd loads plugins when it starts: restart it."
    return ""
