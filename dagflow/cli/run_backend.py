"""``dagflow run`` for a flow that a server knows: make a run, and follow it if asked to."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli import INTERRUPTED
from dagflow.cli.connection import connected, flow_named
from dagflow.cli.talk import Failure, NotFound, doing, say
from dagflow.client.connection import in_path
from dagflow.engine.summary import printable
from dagflow.exceptions import ClientError, ObjectNotFoundError

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["BackendRun", "run_by_server"]


@dataclass
class BackendRun:
    """What was asked for on the command line."""

    flow_id: str | None
    name: str | None
    project: str | None
    parameters: dict[str, Any]
    context: dict[str, Any]
    labels: list[str] | None
    run_name: str | None
    log_level: str | None
    idempotency_key: str | None
    at: str | None
    execute: bool
    watch: bool
    quiet: bool
    no_logs: bool
    cancel_on_interrupt: bool | None


def run_by_server(asked: BackendRun) -> None:
    """Make the run; print its id, and end by how it ended when it was to be followed."""
    with connected() as client:
        with doing("Looking up flow metadata", asked.quiet):
            flow = _flow(client, asked)
        with doing(f"Creating run for flow {printable(flow['name'])!r}", asked.quiet):
            made = _made(client, asked, flow)
        url = client.get_cloud_url("flow-run", made["id"])
        if made.get("warning"):
            say(f"Warning: {printable(made['warning'])}", style="yellow")
        if asked.quiet:
            click.echo(made["id"])
        else:
            _show(made, asked, url)
    if asked.execute:
        _execute(made["id"])
    elif asked.watch:
        _watch(made["id"], asked)


def _flow(client: Client, asked: BackendRun) -> dict[str, Any]:
    if asked.name is not None:
        return flow_named(client, asked.name, project=asked.project)
    try:
        answer: dict[str, Any] = client.get(f"flows/{in_path(asked.flow_id)}")
        return answer
    except ObjectNotFoundError:
        pass
    try:
        group = client.get(f"flow_groups/{in_path(asked.flow_id)}")
    except ObjectNotFoundError:
        raise NotFound(
            f"There is no flow, and no group, {asked.flow_id!r}. List flows with `dagflow get flows`."
        ) from None
    if not group.get("flow_id"):
        raise NotFound(f"All versions of flow {group['flow_name']!r} are archived. Register it again.")
    answer = client.get(f"flows/{group['flow_id']}")
    return answer


def _made(client: Client, asked: BackendRun, flow: Mapping[str, Any]) -> dict[str, Any]:
    from dagflow.utilities.identities import new_id

    wanted: dict[str, Any] = {
        "id": new_id(),
        "flow_id": flow["id"],
        "parameters": asked.parameters or None,
        "context": asked.context or None,
        "labels": asked.labels,
        "name": asked.run_name,
        "idempotency_key": asked.idempotency_key,
        "scheduled_start_time": _time(asked.at),
        "run_config": _with_log_level(client, flow, asked.log_level) if asked.log_level else None,
        "agentless": asked.execute or None,
    }
    try:
        return client._create_flow_run(wanted)
    except KeyboardInterrupt:
        # The request may have arrived although the answer has not.
        with suppress(ClientError):
            client.cancel_flow_run(wanted["id"])
        raise


def _time(text: str | None) -> datetime.datetime | None:
    if text is None:
        return None
    import pendulum

    try:
        moment = pendulum.parse(text, tz=pendulum.now().timezone or "UTC")
    except ValueError as error:
        raise click.UsageError(f"--at {text!r} is no time; expected one such as 2026-11-20T18:00.") from error
    if not isinstance(moment, pendulum.DateTime):
        raise click.UsageError(f"--at {text!r} is no point in time; expected one such as 2026-11-20T18:00.")
    return moment


def _with_log_level(client: Client, flow: Mapping[str, Any], level: str) -> dict[str, Any]:
    """Return a copy of the run config that would be used, with the level in its variables."""
    group = client.get(f"flow_groups/{flow['flow_group_id']}")
    used = group.get("run_config") or flow.get("run_config") or {"type": "UniversalRun", "labels": []}
    env = {**(used.get("env") or {}), "DAGFLOW__LOGGING__LEVEL": level.upper()}
    # The labels of a run config given here would win over those of the group.
    labels = group.get("labels")
    return {**used, "env": env, **({} if labels is None else {"labels": labels})}


def _show(made: Mapping[str, Any], asked: BackendRun, url: str) -> None:
    def line(title: str, value: object) -> None:
        say(f"└── {title}: {printable(value)}")

    line("Name", made["name"])
    say("└── UUID: ", newline=False)
    # The id alone is data: it can be taken by a pipe.
    click.echo(made["id"])
    line("Labels", made.get("labels") or [])
    line("Parameters", json.dumps(asked.parameters))
    line("Context", json.dumps(asked.context))
    line("URL", url)


def _execute(flow_run_id: str) -> None:
    from dagflow.backend.agentless import execute_flow_run_in_subprocess
    from dagflow.backend.flow_run import FlowRunView

    say("Executing flow run...")
    try:
        execute_flow_run_in_subprocess(flow_run_id)
    except RuntimeError as error:
        raise Failure(str(error)) from error
    state = FlowRunView.from_flow_run_id(flow_run_id).state
    if not state.is_successful():
        raise Failure(f"Flow run ended {type(state).__name__}: {printable(state.message)}")
    say("Flow run succeeded!", style="green")


def _watch(flow_run_id: str, asked: BackendRun) -> None:
    from dagflow.cli.flow_run import watched

    try:
        watched(flow_run_id, logs=not asked.no_logs)
    except KeyboardInterrupt:
        say("")
        if _wants_to_cancel(asked):
            with connected() as client:
                state = client.cancel_flow_run(flow_run_id)
            say(f"Flow run is {state}.", style="yellow")
        else:
            say("The flow run goes on.", style="yellow")
        click.get_current_context().exit(INTERRUPTED)


def _wants_to_cancel(asked: BackendRun) -> bool:
    if asked.cancel_on_interrupt is not None:
        return asked.cancel_on_interrupt
    try:
        return click.confirm("Cancel the flow run?", default=True, err=True)
    except click.Abort:  # a second Ctrl-C
        return False
