"""Named SQL: every statement lives in a `.sql` file under `-- name: NAME`, and Python calls it by that name."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load_statements(package: str, file: str) -> Mapping[str, str]:
    """The statements of `sql/FILE.sql` in `package`, by name. Each file is read once: every search asks for some.

    Raises:
        ValueError: when a name is given twice.
    """
    text = (importlib.resources.files(package) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    _preamble, *parts = _NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/sql/{file}.sql names a statement twice")
    return MappingProxyType({name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)})
