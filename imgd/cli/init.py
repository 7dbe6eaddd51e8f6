"""`imgd init`: writes imgd.toml and makes the directories it names."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgd.cli.terminal import printable
from imgd.errors import ConfigError

if TYPE_CHECKING:
    from imgd.config import Settings

_HEAD = (
    "# imgd's configuration. imgd.toml.example, in the documentation, shows every setting with its default.\n\n"
)


@click.command
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
)
@click.option("--config", type=click.Path(path_type=Path), envvar="IMGD_CONFIG", help="Where to write it.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where imgd keeps its library.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="Where imgd keeps previews.")
@click.option("--models-dir", type=click.Path(path_type=Path), help="Where imgd keeps models.")
@click.option("--socket", type=click.Path(path_type=Path), help="Where imgd listens.")
@click.option("--force", is_flag=True, help="Replace a configuration that is there already.")
def init(folders: tuple[str, ...], config: Path | None, *, force: bool, **paths: Path | None) -> None:
    """Write the configuration for the photos in FOLDER..., and make imgd's own directories.

    \b
    Examples:
      imgd init ~/Pictures
      imgd init /mnt/photos /mnt/scans --state-dir /mnt/fast/imgd
    """
    from imgd.config import default_config_path

    target = (config or default_config_path()).expanduser().absolute()
    if target.exists() and not force:
        raise click.UsageError(f"{target} is there already: edit it, or replace it with --force.")
    document: dict[str, Any] = {"roots": list(folders)}
    chosen = {name: str(path.expanduser().absolute()) for name, path in paths.items() if path is not None}
    if chosen:
        document["paths"] = chosen
    try:
        settings = _write_checked(target, document)
        _make_directories(settings)
    except OSError as error:
        raise click.ClickException(f"{error.filename or target}: {error.strerror}") from error
    click.echo(f"Wrote {printable(str(target))}. Next:")
    named = f" --config {target}" if config is not None and "IMGD_CONFIG" not in os.environ else ""
    click.echo(f"  imgctl{named} models pull default")
    click.echo(f"  imgd run{named}")


def _write_checked(target: Path, document: dict[str, Any]) -> Settings:
    """Put the file in its place only once it reads as a good configuration.

    Raises:
        ConfigError: it does not (two folders overlap, say); nothing was written.
    """
    import tomli_w

    from imgd import config

    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_text(_HEAD + tomli_w.dumps(document), encoding="utf-8")
        settings = config.load(draft)
        draft.replace(target)
    except ConfigError as error:
        raise ConfigError(str(target), error.problems) from None
    finally:
        draft.unlink(missing_ok=True)
    return dataclasses.replace(settings, source=target)


def _make_directories(settings: Settings) -> None:
    paths = settings.paths
    for directory in (paths.state_dir, paths.cache_dir, paths.models_dir):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
