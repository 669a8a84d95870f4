"""``dagflow migrate``: help for code that was written for Prefect 2 or 3."""

from __future__ import annotations

import json

import click

from dagflow.cli.talk import Failure, NotFound, say

__all__ = ["migrate"]


@click.group()
def migrate() -> None:
    """Help with code that was written for Prefect 2 or 3."""


@migrate.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(ctx: click.Context, paths: tuple[str, ...], as_json: bool) -> None:
    """List what a graph known before the run cannot have, with what to write instead; nothing is run."""
    from dagflow.utilities.migration import findings_in

    found = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                source = file.read()
        except FileNotFoundError:
            raise NotFound(f"Path {path!r} doesn't exist.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{path!r} cannot be read: {error}") from error
        try:
            found += [(path, one) for one in findings_in(source)]
        except SyntaxError as error:
            raise Failure(f"{path!r} is not Python: {error.msg} (line {error.lineno}).") from error
    if as_json:
        rows = [{"path": path, "line": one.line, "construct": one.construct, "cure": one.cure} for path, one in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        for path, one in found:
            click.echo(f"{path}:{one.line}: {one.construct}\n    {one.cure}")
        say(f"{len(found)} finding{'s' * (len(found) != 1)} in {len(paths)} file{'s' * (len(paths) != 1)}.")
    if found:
        ctx.exit(Failure.exit_code)
