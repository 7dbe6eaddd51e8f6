"""`imgd service`: puts imgd under the care of the user's systemd."""

from __future__ import annotations

import importlib.resources
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from imgd.cli.terminal import printable

if TYPE_CHECKING:
    from imgd.config import Settings

UNITS: Final = ("imgd.service", "imgd.socket")
_TEMPORARY: Final = ("-/tmp", "-/var/tmp")  # libraries keep scratch files there


@click.group
def service() -> None:
    """Run imgd as a service of this user (systemd)."""


@service.command
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Which imgd.toml the service uses."
)
def install(config: Path | None) -> None:
    """Write imgd.service and imgd.socket for this imgd and this configuration.

    Afterwards `systemctl --user start imgd` works; `systemctl --user enable imgd` starts it at every login.
    Run it again after imgd was moved, or `paths` in imgd.toml were changed.
    """
    from imgd import config as configuration

    path = (config or configuration.default_config_path()).expanduser().absolute()
    settings = configuration.load(path)
    options = "" if config is None and "IMGD_CONFIG" not in os.environ else f" --config {quoted(str(path))}"
    directory = unit_directory()
    directory.mkdir(parents=True, exist_ok=True)
    for own in _written_directories(settings):  # what is missing when the service starts could not be made by it
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
    for unit, text in rendered(this_imgd(), options, settings).items():
        (directory / unit).write_text(text, encoding="utf-8")
    click.echo(f"Wrote {' and '.join(UNITS)} to {printable(str(directory))}.")
    if _reload():
        click.echo("Start it with: systemctl --user start imgd")
    else:
        click.echo("No systemd of this user answers here; where one does: systemctl --user daemon-reload")


@service.command
def uninstall() -> None:
    """Stop the service and remove its units; the library stays."""
    _systemctl("disable", "--now", *UNITS)
    for unit in UNITS:
        (unit_directory() / unit).unlink(missing_ok=True)
    _reload()
    click.echo("Removed. The library, previews and models stay where they are.")


def rendered(imgd: str, options: str, settings: Settings | None) -> dict[str, str]:
    """The units by file name. Without `settings`: for the usual directories, in systemd's own specifiers."""
    if settings is None:
        writable, socket = ["-%h/.local/share/imgd"], "%t/imgd/imgd.sock"
    else:
        writable = [quoted(f"-{path}") for path in _written_directories(settings)]
        socket = str(settings.paths.socket).replace("%", "%%")
    values = {
        "@IMGD@": imgd,
        "@OPTIONS@": options,
        "@WRITABLE@": " ".join([*writable, *_TEMPORARY]),
        "@SOCKET@": socket,
    }
    units = {}
    for unit in UNITS:
        text = (importlib.resources.files("imgd.cli") / "units" / unit).read_text(encoding="utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        units[unit] = text
    return units


def _written_directories(settings: Settings) -> list[Path]:
    paths = settings.paths
    return list(dict.fromkeys((paths.state_dir, paths.cache_dir, paths.models_dir, paths.socket.parent)))


def quoted(word: str) -> str:
    """`word` as one word of a unit file; see systemd.syntax(7) and systemd.unit(5) on specifiers."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if escaped != word or any(char in word for char in " \t'") else word


def this_imgd() -> str:
    """The command that starts this very imgd, by absolute path: a service has another PATH than a shell."""
    started = shutil.which(sys.argv[0])
    if started is not None and Path(started).name == "imgd":
        return quoted(os.path.abspath(started))
    beside = Path(sys.executable).with_name("imgd")
    if beside.exists():
        return quoted(str(beside))
    return f"{quoted(sys.executable)} -m imgd.cli.imgd"


def unit_directory() -> Path:
    """`$XDG_CONFIG_HOME/systemd/user`, where a user's own units are looked for; see systemd.unit(5)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user"


def _reload() -> bool:
    return _systemctl("daemon-reload")


def _systemctl(*arguments: str) -> bool:
    """Whether there is a systemd of this user and it did as told."""
    try:
        done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
