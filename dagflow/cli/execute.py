"""``dagflow execute``: what agents start; people use ``dagflow run``."""

from __future__ import annotations

import sys

import click

from dagflow.cli.talk import Failure

__all__ = ["execute"]

GIVEN_BACK = 143
"""The exit code of a run that was told to stop by SIGTERM, as shells give it."""


@click.group()
def execute() -> None:
    """Execute a run of the server's in this process."""


@execute.command("flow-run")
def flow_run() -> None:
    """Execute the flow run that the environment names."""
    from dagflow.backend.execution import execute_flow_run
    from dagflow.backend.runner import Terminated
    from dagflow.utilities.context import context

    run_id, token = context.get("flow_run_id"), context.get("run_token")
    if not run_id:
        raise Failure(
            "There is no flow run to execute: DAGFLOW__CONTEXT__FLOW_RUN_ID is not set. Agents call this command; "
            "use `dagflow run` to run a flow."
        )
    try:
        execute_flow_run(str(run_id), token=None if token is None else int(token))
    except Terminated:
        sys.exit(GIVEN_BACK)
