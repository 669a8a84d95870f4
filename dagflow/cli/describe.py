"""``dagflow describe``: all that a server knows of a flow, its tasks, or a run."""

from __future__ import annotations

from typing import Any

import click

from dagflow.cli.connection import connected, flow_named, flow_run_of
from dagflow.cli.render import one_option, show_record
from dagflow.cli.talk import NotFound
from dagflow.client.connection import in_path
from dagflow.exceptions import ObjectNotFoundError

__all__ = ["describe"]

_name = click.option("--name", "-n", help="The name.")
_id = click.option("--id", "record_id", help="The id, instead of the name.")
_version = click.option("--version", "-v", type=int, help="The version; default is the latest.")
_project = click.option("--project", "-p", help="The project.")


@click.group()
def describe() -> None:
    """Show all that is known of a flow, its tasks, or a run."""


@describe.command()
@_name
@_id
@_version
@_project
@one_option
def flows(name: str | None, record_id: str | None, version: int | None, project: str | None, form: str) -> None:
    """Show a flow."""
    flow = _flow(name, record_id, version, project)
    # Its parts are listed by `describe tasks`, and the whole document is longer than anybody reads.
    show_record({key: value for key, value in flow.items() if key != "serialized_flow"}, form)


@describe.command()
@_name
@_id
@_version
@_project
@one_option
def tasks(name: str | None, record_id: str | None, version: int | None, project: str | None, form: str) -> None:
    """Show the tasks of a flow, which --name or --id names."""
    flow = _flow(name, record_id, version, project)
    with connected() as client:
        show_record(client.get(f"flows/{flow['id']}/tasks")["items"], form)


@describe.command("flow-runs")
@_name
@_id
@click.option("--flow-name", "-fn", help="The flow, where runs of several have the name.")
@one_option
def flow_runs(name: str | None, record_id: str | None, flow_name: str | None, form: str) -> None:
    """Show a flow run."""
    with connected() as client:
        show_record(dict(flow_run_of(client, _one_of(name, record_id), flow_name=flow_name)), form)


def _flow(name: str | None, record_id: str | None, version: int | None, project: str | None) -> dict[str, Any]:
    wanted = _one_of(name, record_id)
    with connected() as client:
        if record_id is None:
            return flow_named(client, wanted, version, project)
        try:
            answer: dict[str, Any] = client.get(f"flows/{in_path(record_id)}")
        except ObjectNotFoundError:
            raise NotFound(f"There is no flow {record_id!r}. List them with `dagflow get flows`.") from None
        return answer


def _one_of(name: str | None, record_id: str | None) -> str:
    if (name is None) == (record_id is None):
        raise click.UsageError("Say which: by --name or by --id.")
    return str(name if record_id is None else record_id)
