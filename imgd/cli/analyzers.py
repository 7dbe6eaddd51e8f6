"""`imgctl analyzers`: what analyzes photos here, and in which state it is."""

from __future__ import annotations

import click

from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import is_terminal, write_json, write_row, write_table


@click.command
@json_option
@pass_session
def analyzers(session: Session) -> None:
    """Analyzers and plugins, with their state.

    With --json one object a line: an analyzer, or a plugin that is broken.
    """
    answer = session.client().analyzers()
    broken = [plugin for plugin in answer.plugins if plugin.error]
    if session.json:
        for entry in (*answer.analyzers, *broken):
            write_json(entry)
        return
    rows = [
        (each.name, each.version, each.state, each.device, each.edge_px or "-", each.plugin, each.advice)
        for each in answer.analyzers
    ]
    write_table(("analyzer", "version", "state", "runs on", "pixels", "plugin", ""), rows, right=("pixels",))
    if broken and is_terminal():
        rows_broken = [(each.name, each.distribution, each.error) for each in broken]
        write_table(("plugin", "distribution", "error"), rows_broken, title="Broken plugins")
    elif broken:
        for plugin in broken:
            write_row(plugin.name, plugin.version, "broken", "", "", plugin.distribution, plugin.error)
