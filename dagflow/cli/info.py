"""``dagflow version`` and ``dagflow diagnostics``."""

from __future__ import annotations

import click

from dagflow._version import __version__

__all__ = ["diagnostics", "version"]


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@click.command()
@click.option("--include-secret-names", is_flag=True, help="Show the names of secrets; values are never shown.")
def diagnostics(include_secret_names: bool) -> None:
    """Print facts for a bug report: versions, and the names, never the values, of changed settings."""
    from dagflow.utilities.diagnostics import diagnostic_info

    click.echo(diagnostic_info(include_secret_names=include_secret_names))
