"""Writing for people (rich tables, in a terminal) and for programs (tabs, or JSON)."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """`text` with everything escaped that would move the cursor, colour the terminal or turn the reading order."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_terminal() -> bool:
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def write_json(value: object) -> None:
    """One line of JSON."""
    import msgspec

    click.echo(msgspec.json.encode(value).decode())


def write_row(*cells: object) -> None:
    """One line for programs: cells with tabs between."""
    click.echo("\t".join(printable(str(cell)) for cell in cells))


def write_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), title: str = ""
) -> None:
    """A table in a terminal; else the bare rows. `right`: the columns to align on the right."""
    if not is_terminal():
        for row in rows:
            write_row(*row)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
    if title:
        click.echo()
        console().print(Text(title, "bold underline"))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell)), _style(str(cell))) for cell in row))
    console().print(table)


_STYLES = {
    "online": "green",
    "ready": "green",
    "running": "green",
    "clean": "green",
    "present": "green",
    "offline": "yellow",
    "paused": "yellow",
    "waiting for model": "yellow",
    "waiting for package": "yellow",
    "missing": "yellow",
    "broken": "red",
    "corrupt": "red",
}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")


def human_size(size_bytes: float) -> str:
    """`2.3 MB`, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def human_duration(seconds: float | None) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; a dash where it is not known."""
    if seconds is None:
        return "-"
    total = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for position, (unit, length) in enumerate(units):
        if total >= length or unit == "s":
            whole, rest = divmod(total, length)
            if unit == "s" or not (smaller := rest // units[position + 1][1]):
                return f"{whole} {unit}"
            return f"{whole} {unit} {smaller} {units[position + 1][0]}"
    return "0 s"
