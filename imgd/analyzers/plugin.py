"""The built-in analyzers, brought by the same hook as any plugin's."""

from __future__ import annotations

from typing import Any

from imgd.analyzer import Analyzer
from imgd.hookspecs import hookimpl


@hookimpl
def imgd_analyzers() -> list[type[Analyzer[Any]]]:
    from imgd.analyzers.metadata import Metadata
    from imgd.analyzers.preview import Preview
    from imgd.analyzers.technical import Technical

    return [Metadata, Preview, Technical]
