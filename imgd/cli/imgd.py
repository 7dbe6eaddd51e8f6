"""`imgd`: sets up and runs the daemon."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from imgd.cli.failures import DONE, USAGE, run_command
from imgd.cli.lazy import LazyGroup
from imgd.cli.terminal import printable


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={"init": "imgd.cli.init:init", "service": "imgd.cli.service:service"},
)
@click.version_option(package_name="imgd", prog_name="imgd", message="%(prog)s %(version)s")
def imgd() -> None:
    """The photo-analysis daemon.

    \b
    First steps:
      imgd init ~/Pictures             write the configuration
      imgctl models pull default       fetch the models
      imgd run                         run in the foreground, or as a service:
      imgd service install && systemctl --user start imgd

    Then ask it: imgctl status, imgctl search "dog".
    """


_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="IMGD_CONFIG",
    help="Which imgd.toml (else $IMGD_CONFIG, else imgd/imgd.toml in the user's configuration directory).",
)


@imgd.command
@_config_option
def run(config: Path | None) -> int:
    """Run the daemon in the foreground, until SIGINT or SIGTERM. This is what systemd starts.

    Exit code 2: a person has to change something (the configuration, say); any other failure may pass.
    """
    from imgd.daemon import load_settings
    from imgd.daemon import run as run_daemon

    settings, registry = load_settings(_chosen(config))
    return run_daemon(settings, registry)


@imgd.command
@_config_option
def check(config: Path | None) -> int:
    """Check the configuration, analyzers' sections included, and name every error at once.

    It also tells which photos the next start has analyzed again. Exit code 2: something is wrong, if it is only a
    plugin that does not work, as it is or with these settings.
    """
    from imgd.daemon import load_settings
    from imgd.daemon.changes import changes_to_come

    path = _chosen(config)
    settings, registry = load_settings(path)
    changes = changes_to_come(settings, registry)
    broken = [status for status in registry.statuses.values() if status.error]
    for status in broken:
        click.echo(f"imgd: the plugin {printable(status.name)} does not work: {printable(status.error)}", err=True)
    if not broken:
        click.echo(f"{path} is good.")
    for change in changes:
        click.echo(f"With the next start, {printable(change)}.")
    if not settings.roots:
        click.echo("It names no `roots` yet: imgd has nothing to watch.")
    for root in settings.roots:
        if not root.is_dir():
            click.echo(f"{root} is not there now: it counts as offline until it is.")
    return USAGE if broken else DONE


def _chosen(config: Path | None) -> Path:
    from imgd.config import default_config_path

    return config.expanduser() if config is not None else default_config_path()


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    return run_command("imgd", imgd, arguments)


if __name__ == "__main__":
    sys.exit(main())
