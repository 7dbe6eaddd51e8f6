"""On which line of a TOML file each key stands: tomllib does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def key_lines(text: str) -> dict[str, int]:
    """Line numbers of tables and keys, by dotted name; the files that imgd reads are simple."""
    lines: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            prefix = _plain(header.group(1))
            lines.setdefault(prefix, number)
        elif key := _KEY.match(line):
            lines.setdefault(join_key(prefix, _plain(key.group(1))), number)
    return lines


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


def join_key(prefix: str, key: str) -> str:
    return f"{prefix}.{key}" if prefix else key
