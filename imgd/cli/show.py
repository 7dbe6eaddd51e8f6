"""`imgctl show`: everything known of one photo, with who said it and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from imgd.cli.photos import find_photo
from imgd.cli.session import Session, json_option, pass_session
from imgd.cli.terminal import console, human_size, is_terminal, printable, write_json, write_row

if TYPE_CHECKING:
    from imgd.control.protocol import FindingAnswer, PhotoAnswer


@click.command
@click.argument("photo", type=click.Path())
@json_option
@pass_session
def show(session: Session, photo: str) -> None:
    """Everything known of PHOTO, an id or a path: file, metadata, findings and open jobs, each with its origin.

    Piped, every line is a name and a value with a tab between; with --json it is one object.
    """
    answer = find_photo(session.client(), photo)
    if session.json:
        write_json(answer)
        return
    terminal = is_terminal()
    for section, entries in _sections(answer):
        if not entries:
            continue
        if terminal:
            _print_section(section, entries)
        else:
            for name, value in entries:
                write_row(f"{section}.{name}" if section else name, _told(value))


def _print_section(section: str, entries: list[tuple[str, object]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    previous = ""
    for name, value in entries:
        lines = "\n".join(printable(line) for line in _told(value).splitlines())
        table.add_row(Text("" if name == previous else printable(name), "dim"), Text(lines))
        previous = name
    out = console()
    if section:
        out.print()
        out.print(Text(printable(section), "bold underline"))
    out.print(table)


def _sections(photo: PhotoAnswer) -> Iterator[tuple[str, list[tuple[str, object]]]]:
    yield "", _file_entries(photo)
    yield "metadata", list(photo.metadata.items())
    for finding in photo.findings:
        yield finding.analyzer, list(_finding_entries(finding))
    jobs = [(job.analyzer, f"{job.state}: {job.reason}" if job.reason else job.state) for job in photo.jobs]
    yield "jobs", [(analyzer, text) for analyzer, text in jobs]


def _file_entries(photo: PhotoAnswer) -> list[tuple[str, object]]:
    entries: list[tuple[str, object]] = [
        ("path", photo.path),
        ("id", photo.photo_id),
        ("root", photo.root),
        ("state", photo.state),
        ("size", human_size(photo.size_bytes)),
        ("modified", _time(photo.modified_at)),
        ("added", _time(photo.added_at)),
        ("revision", photo.revision),
    ]
    if photo.width and photo.height:
        entries.append(("pixels", f"{photo.width} x {photo.height}"))
    optional = (
        ("format", photo.format),
        ("decoded by", photo.route),
        ("damage", photo.damage),
        ("fingerprint", photo.fingerprint),
        ("content hash", photo.content_hash),
        ("missing since", None if photo.missing_since is None else _time(photo.missing_since)),
    )
    entries += [(name, value) for name, value in optional if value]
    entries += [("sidecar", sidecar.name) for sidecar in photo.sidecars]
    return entries


def _finding_entries(finding: FindingAnswer) -> Iterator[tuple[str, object]]:
    version = f"version {finding.version}" if finding.version else "an earlier version or other settings"
    route = f", {finding.route}" if finding.route else ""
    stale = ", stale" if finding.stale else ""
    yield "said by", f"{version}, {_time(finding.analyzed_at)}, revision {finding.revision}{route}{stale}"
    yield from finding.facts.items()
    if finding.tags:
        yield "tags", ", ".join(f"{tag.label} {tag.score:.2f}" for tag in finding.tags)
    for text in finding.texts:
        yield text.kind, text.text
    for region in finding.regions:
        box = ", ".join(f"{edge:.3f}" for edge in region.box)
        said = f"{region.label} {region.score:.2f}".strip()
        quality = "" if region.quality is None else f", quality {region.quality:.2f}"
        yield f"region {region.kind}", f"{said} at {box}{quality}"
    for vector in finding.vectors:
        where = "" if vector.region is None else f" of region {vector.region}"
        yield "vector", f"{vector.space}, {vector.dimensions} dimensions{where}"


def _told(value: object) -> str:
    """A fact for people: `yes` and `no` as in queries, and what a list or a family has side by side."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in ({}, []):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
