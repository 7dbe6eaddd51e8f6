"""A click group that imports a command when it is used: `imgctl status` pays for nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """`lazy` maps a command's name to `MODULE:ATTRIBUTE`. `more` brings further commands (of plugins); it is asked
    only for a name that is not built in, and for the list in `--help`."""

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str],
        more: Callable[[], Iterable[click.Command]] = tuple,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)
        self._more = more

    def list_commands(self, ctx: click.Context) -> list[str]:
        built_in = [*self._lazy, *super().list_commands(ctx)]
        return [*built_in, *sorted(self._further().keys() - set(built_in))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = self._lazy.get(cmd_name)
        if home is not None:
            module, _, attribute = home.partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name) or self._further().get(cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """As click does, but plugins are loaded only where no built-in command fits: that takes a second."""
        from click.shell_completion import CompletionItem

        built_in = [*self._lazy, *super().list_commands(ctx)]
        names = [name for name in built_in if name.startswith(incomplete)]
        if not names and not incomplete.startswith("-"):
            names = [name for name in self._further() if name.startswith(incomplete)]
        commands = ((name, self.get_command(ctx, name)) for name in names)
        found = [
            CompletionItem(name, help=command.get_short_help_str())
            for name, command in commands
            if command is not None and not command.hidden
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def _further(self) -> dict[str, click.Command]:
        return {
            command.name: command
            for command in self._more()
            if isinstance(command, click.Command) and command.name
        }
