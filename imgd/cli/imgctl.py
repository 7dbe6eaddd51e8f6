"""`imgctl`: asks the daemon, and answers people and scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from imgd.cli.failures import run_command
from imgd.cli.lazy import LazyGroup
from imgd.cli.session import Session


def _plugin_commands() -> Iterable[click.Command]:
    from imgd.daemon import build_registry

    return build_registry().commands()


@click.group(
    cls=LazyGroup,
    more=_plugin_commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "status": "imgd.cli.status:status",
        "search": "imgd.cli.search:search",
        "show": "imgd.cli.show:show",
        "wait": "imgd.cli.wait:wait",
        "duplicates": "imgd.cli.duplicates:duplicates",
        "failed": "imgd.cli.queue:failed",
        "retry": "imgd.cli.queue:retry",
        "analyze": "imgd.cli.reanalysis:analyze",
        "reanalyze": "imgd.cli.reanalysis:reanalyze",
        "confirm": "imgd.cli.queue:confirm",
        "rescan": "imgd.cli.queue:rescan",
        "pause": "imgd.cli.queue:pause",
        "resume": "imgd.cli.queue:resume",
        "analyzers": "imgd.cli.analyzers:analyzers",
        "models": "imgd.cli.models:models",
        "plugins": "imgd.cli.plugins:plugins",
        "completion": "imgd.cli.completion:completion",
    },
)
@click.option("--socket", type=click.Path(path_type=Path), help="The daemon's socket (else $IMGD_SOCKET).")
@click.option("--config", type=click.Path(path_type=Path), help="The daemon's imgd.toml (else $IMGD_CONFIG).")
@click.option("--json", is_flag=True, help="Answer in JSON, for programs.")
@click.version_option(package_name="imgd", prog_name="imgctl", message="%(prog)s %(version)s")
@click.pass_context
def imgctl(context: click.Context, socket: Path | None, config: Path | None, json: bool) -> None:
    """Ask the photo daemon imgd.

    \b
    Examples:
      imgctl status                    how far it is, and whether all is well
      imgctl search "dog on a beach"   find photos
      imgctl show IMG_0042.CR2         everything known of one photo
      imgctl failed                    what could not be analyzed, and why

    \b
    Exit codes: 0 found or done, 1 nothing found, 2 usage, query or configuration
    is wrong, 3 no daemon answers, 4 the time is up, 5 it failed.
    """
    context.obj = Session(socket, config, json)


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    if "_IMGCTL_COMPLETE" in os.environ:  # a shell asks; click answers it in `run_command`
        from imgd.cli.shells import register_shells

        register_shells()
    return run_command("imgctl", imgctl, arguments)


if __name__ == "__main__":
    sys.exit(main())
