"""``dagflow completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]

SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """
    Print the completion script for SHELL.

    \b
    bash:  eval "$(dagflow completion bash)"   in ~/.bashrc
    zsh:   eval "$(dagflow completion zsh)"    in ~/.zshrc
    fish:  dagflow completion fish > ~/.config/fish/completions/dagflow.fish
    """
    from dagflow.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "dagflow", "_DAGFLOW_COMPLETE").source())
