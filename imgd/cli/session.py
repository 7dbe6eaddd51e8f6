"""What every imgctl command is given: which daemon to ask, and how to answer."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from imgd.config import Settings
    from imgd.control.client import ControlClient

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The options of `imgctl` itself. `json`: answers as JSON."""

    socket: Path | None = None
    config: Path | None = None
    json: bool = False

    def client(self) -> ControlClient:
        from imgd.control.client import ControlClient

        return ControlClient(self.socket_path())

    def socket_path(self) -> Path:
        """--socket, IMGD_SOCKET, `paths.socket` of the configuration, or the usual place, in that order."""
        if self.socket is not None:
            return self.socket
        named = os.environ.get("IMGD_SOCKET")
        if named:
            return Path(named).expanduser()
        from imgd.config import PathSettings

        return _configured_socket(self._config_path()) or PathSettings().socket

    def settings(self) -> Settings:
        """The configuration; all defaults where there is no file and none was named.

        Raises:
            ConfigError: the file is wrong.
        """
        from imgd import config

        path = self._config_path()
        if self.config is None and "IMGD_CONFIG" not in os.environ and not path.exists():
            return config.Settings()
        return config.load(path)

    def _config_path(self) -> Path:
        from imgd.config import default_config_path

        return self.config if self.config is not None else default_config_path()


def _configured_socket(config: Path) -> Path | None:
    """`paths.socket` of a configuration; one that cannot be read is for the daemon to complain about."""
    try:
        with config.open("rb") as file:
            paths = tomllib.load(file).get("paths", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    named = paths.get("socket") if isinstance(paths, dict) else None
    return config.absolute().parent / Path(named).expanduser() if isinstance(named, str) else None


def json_option(command: F) -> F:
    """`--json` after the command, where people look for it first."""

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            context.find_object(Session).json = True  # type: ignore[union-attr]

    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="Answer in JSON, for programs."
    )
    return option(command)


pass_session = click.make_pass_decorator(Session)
