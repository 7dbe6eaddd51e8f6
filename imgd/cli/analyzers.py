"""`imgctl analyzers`: what analyzes photos here, how it gets on, and everything about one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.status import RUNS, stated
from imgd.cli.terminal import console, human_size, is_terminal, printable, write_json, write_row, write_table

if TYPE_CHECKING:
    from imgd.control.protocol import AnalyzerAnswer, AnalyzersAnswer, PluginAnswer

_WIDE, _WIDEST = 92, 130
"""Columns from which on a table has versions, too, and from which on also models and plugins."""


@click.command
@click.argument("names", nargs=-1, metavar="[ANALYZER]...")
@json_option
@pass_session
def analyzers(session: Session, names: tuple[str, ...]) -> None:
    """Analyzers and plugins: state, device, photos done and owed, rate and failures.

    With ANALYZER, everything about it. With --json one object a line: an analyzer, or a plugin that is broken.
    """
    answer = session.client().analyzers()
    chosen = _chosen(answer, names)
    broken = [] if names else [plugin for plugin in answer.plugins if plugin.error]
    if session.json:
        for entry in (*chosen, *broken):
            write_json(entry)
    elif names:
        for number, each in enumerate(chosen):
            if number:
                click.echo()
            _show(each)
    elif is_terminal():
        _show_all(chosen, broken)
    else:
        for each in chosen:
            write_row(*_row(each))
        for plugin in broken:
            write_row(plugin.name, plugin.version, "broken", "", "", plugin.distribution, plugin.error)


def _chosen(answer: AnalyzersAnswer, names: tuple[str, ...]) -> list[AnalyzerAnswer]:
    """Raises a usage error where a name is unknown."""
    known = {each.name: each for each in answer.analyzers}
    broken = {plugin.name: plugin.error for plugin in answer.plugins if plugin.error}
    for name in names:
        if name not in known and name in broken:
            raise click.UsageError(f"The plugin {printable(name)} does not work: {printable(broken[name])}")
        if name not in known:
            raise click.UsageError(f"No analyzer is called {name}. There are {', '.join(sorted(known))}.")
    return [known[name] for name in names] if names else list(answer.analyzers)


def _row(each: AnalyzerAnswer) -> tuple[object, ...]:
    """For programs."""
    return (
        each.name,
        each.version,
        each.state,
        each.device,
        each.edge_px or "-",
        each.plugin,
        each.advice,
        each.run,
        ",".join(each.runs_on),
        "" if each.done is None else each.done,
        each.owed,
        each.failed,
        "" if each.most_per_s is None else each.most_per_s,
        each.distribution,
        each.distribution_version,
        ",".join(each.requires),
    )


def _show_all(chosen: list[AnalyzerAnswer], broken: list[PluginAnswer]) -> None:
    columns = ["analyzer", "state", "runs on", "done", "owed", "failed", "photos/s"]
    rows: list[list[str]] = [
        [
            each.name,
            stated(each.state, each.run),
            ", ".join(each.runs_on) or "-",
            "-" if each.done is None else f"{each.done:,}",
            f"{each.owed:,}",
            f"{each.failed:,}",
            _rate(each),
        ]
        for each in chosen
    ]
    width = console().width
    for row, each in zip(rows, chosen, strict=True):
        if width >= _WIDE:
            row.append(each.version)
        if width >= _WIDEST:
            row.extend([", ".join(each.requires) or "-", _plugin(each)])
    columns += ["version"] if width >= _WIDE else []
    columns += ["model", "plugin"] if width >= _WIDEST else []
    write_table(columns, rows, right=("done", "owed", "failed", "photos/s"))
    advised = [(each.name, each.advice) for each in chosen if each.advice and each.state != "off"]
    if advised:
        write_table(("analyzer", "what to do"), advised, title="Not ready")
    if broken:
        rows_broken = [(each.name, each.distribution, each.error) for each in broken]
        write_table(("plugin", "distribution", "error"), rows_broken, title="Broken plugins")
    click.echo("\n`imgctl analyzers NAME` tells everything about one.")


def _rate(each: AnalyzerAnswer) -> str:
    """Now, while it has something to do; else as it was measured."""
    if each.owed and each.rate_per_s:
        return f"{each.rate_per_s:.1f}"
    return "-" if each.most_per_s is None else f"{each.most_per_s:.1f}"


def _plugin(each: AnalyzerAnswer) -> str:
    return f"{each.distribution} {each.distribution_version}".strip() or each.plugin


def _show(each: AnalyzerAnswer) -> None:
    """Everything about one: a line a fact."""
    facts = [(label, told) for label, told in _facts(each) if told]
    width = max(len(label) for label, _ in facts)
    click.echo(click.style(each.name, bold=True) if is_terminal() else each.name)
    previous = ""
    for label, told in facts:
        shown = "" if label == previous else label
        click.echo(f"  {shown.ljust(width)}  {printable(told)}")
        previous = label


def _facts(each: AnalyzerAnswer) -> Iterator[tuple[str, str]]:
    yield "version", each.version
    yield "state", each.state
    yield "what to do", each.advice
    yield "runs", RUNS.get(each.run, each.run)
    place = ", ".join(each.runs_on) or ("a lane" if each.device == "model" else "the workers")
    yield "runs on", f"{place} ({', '.join(each.runtimes)})" if each.runtimes else place
    yield "plugin", f"{each.plugin} ({_plugin(each)})"
    yield "photos", _photos(each)
    yield "rate", _measured(each)
    yield "pixels", f"{each.edge_px} px, longest edge" if each.edge_px else "none"
    yield "batch", f"up to {each.batch_size} photos" if each.device == "model" else ""
    yield "memory", f"{each.memory_mb:,.0f} MB" if each.memory_mb else ""
    for model in each.models:
        accept = ", to be accepted" if model.must_accept and model.state == "absent" else ""
        told = (
            f"{human_size(model.size_bytes)}, {model.licence}{accept}" if model.licence else "no plugin names it"
        )
        yield "requires", f"{model.name}: {model.state}, {told}"
    yield "reads", ", ".join(each.after)
    for key, kind in each.facts.items():
        yield "filters", f"{key}: ({kind})"
    yield "spaces", ", ".join(each.spaces)
    for key, value in each.settings.items():
        yield "settings", f"{key} = {_written(value)}"
    for reason, photos in each.failures.items():
        yield "failures", f"{photos:,}: {reason}"


def _photos(each: AnalyzerAnswer) -> str:
    done = "" if each.done is None else f"{each.done:,} done, "
    return f"{done}{each.owed:,} owed, {each.failed:,} failed"


def _measured(each: AnalyzerAnswer) -> str:
    if each.per_photo_s is None or each.most_per_s is None:
        return "not measured yet"
    before = "; with its version or settings before" if each.outdated_cost else ""
    now = f"; {each.rate_per_s:.1f} now" if each.rate_per_s else ""
    return f"{each.most_per_s:.1f} photos/s at most, {each.per_photo_s * 1000:.1f} ms a photo{before}{now}"


def _written(value: object) -> str:
    """As in imgd.toml, about."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
