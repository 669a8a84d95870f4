"""``dagflow check``: look for mistakes without running anything."""

from __future__ import annotations

import json

import click

from dagflow.cli.flows import flow_options, found_flow
from dagflow.cli.talk import Failure, gathered_warnings
from dagflow.engine.summary import printable

__all__ = ["check"]


@click.command()
@flow_options
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(ctx: click.Context, path: str | None, module: str | None, name: str | None, as_json: bool) -> None:
    """Look for mistakes in a flow without running it; the exit code is 1 when there are some."""
    with gathered_warnings():
        report = found_flow(path, module, name).check()
    if as_json:
        findings = [
            {"kind": one.kind, "message": one.message, "tasks": [task.name for task in one.tasks]} for one in report
        ]
        click.echo(json.dumps(findings, indent=2))
    else:
        click.echo("\n".join(map(printable, str(report).splitlines())))
    if len(report):
        ctx.exit(Failure.exit_code)
