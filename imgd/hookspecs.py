"""Every hook of imgd. A plugin implements some of them with `@imgd.hookimpl` and is found by the
entry-point group `imgd`. Hooks are called in the main process: return classes and values, import nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from imgd.analyzer import Analyzer, ImageFormat, QueryEncoder
from imgd.model import Model

if TYPE_CHECKING:
    import click

    from imgd.config import Settings

PROJECT = "imgd"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The hooks, typed."""

    @hookspec
    def imgd_analyzers(self, settings: Settings) -> Sequence[type[Analyzer]]:  # type: ignore[empty-body, type-arg]
        """The analyzer classes that this plugin brings.

        `settings` are the validated settings of imgd itself; an analyzer's own section reaches its instances.
        """

    @hookspec
    def imgd_query_encoders(self, settings: Settings) -> Sequence[type[QueryEncoder]]:  # type: ignore[empty-body, type-arg]
        """The encoders that turn a query's words into vectors of a space."""

    @hookspec
    def imgd_decoders(self) -> Sequence[type[ImageFormat]]:  # type: ignore[empty-body]
        """Image formats that imgd should read besides, or instead of, its own (later ones are asked first)."""

    @hookspec
    def imgd_models(self) -> Sequence[Model]:  # type: ignore[empty-body]
        """Catalogue entries: the models this plugin's analyzers and encoders require."""

    @hookspec
    def imgd_commands(self) -> Sequence[click.Command]:  # type: ignore[empty-body]
        """Further subcommands of imgctl."""

    @hookspec
    def imgd_photo_analyzed(self, photo_id: int, path: str, analyzer: str) -> None:
        """Told, in a thread of the main process, after a finding was committed. Must return quickly."""
