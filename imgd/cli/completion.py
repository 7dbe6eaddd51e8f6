"""`imgctl completion`: prints what teaches a shell to complete commands, options and queries."""

from __future__ import annotations

import importlib.resources

import click


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of imgctl for SHELL.

    \b
    To install it:
      bash   source <(imgctl completion bash)     in ~/.bashrc
      zsh    source <(imgctl completion zsh)      in ~/.zshrc, after compinit
      fish   imgctl completion fish > ~/.config/fish/completions/imgctl.fish

    It completes commands and options, and in a query the keys and the values that
    the library has; the keys alone where no daemon answers.
    """
    script = importlib.resources.files("imgd.cli") / "completions" / f"imgctl.{shell}"
    click.echo(script.read_text(encoding="utf-8"), nl=False)
