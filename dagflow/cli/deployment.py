"""``dagflow deployment``: show, run, pause and delete deployments."""

from __future__ import annotations

from typing import Any

import click

from dagflow.cli.connection import connected
from dagflow.cli.render import one_option, output_option, show_record, show_rows
from dagflow.cli.talk import NotFound, say
from dagflow.engine.summary import printable
from dagflow.exceptions import ObjectNotFoundError

__all__ = ["deployment"]

_name = click.argument("name")


@click.group()
def deployment() -> None:
    """Show, run, pause and delete deployments; NAME is flow/deployment, project/flow/deployment, or an id."""


@deployment.command("ls")
@click.option("--flow", "flow_name", help="Only of this flow.")
@click.option("--project", help="Only of this project.")
@output_option
def list_deployments(flow_name: str | None, project: str | None, form: str) -> None:
    """List deployments."""
    columns: dict[str, Any] = {
        "NAME": lambda one: f"{one['flow_name']}/{one['name']}",
        "PROJECT NAME": "project_name",
        "SCHEDULE": _schedule,
        "POOL": "pool",
        "TAGS": "tags",
        "ID": "id",
    }
    with connected() as client:
        found = client._items("deployments", {"flow_name": flow_name, "project_name": project})
        show_rows(found, columns, form, "No deployments found.")


def _schedule(record: Any) -> str:
    clocks = (record.get("schedule") or {}).get("clocks") or ()
    if not clocks:
        return ""
    described = ", ".join(map(_clock, clocks))
    return described if record["is_schedule_active"] else f"{described} (paused)"


def _clock(clock: Any) -> str:
    if "interval" in clock:
        return f"every {clock['interval']:g} s"
    return str(clock.get("cron") or clock.get("type"))


@deployment.command()
@_name
@one_option
def inspect(name: str, form: str) -> None:
    """Show a deployment."""
    with connected() as client:
        show_record(_found(client, name), form)


@deployment.command()
@_name
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete a deployment; its runs stay."""
    with connected() as client:
        record = _found(client, name)
        if not yes:
            click.confirm(f"Delete deployment {printable(name)}?", abort=True, err=True)
        client.delete(f"deployments/{record['id']}")
    say(f"Deployment {printable(name)} deleted.", style="green")


@deployment.command()
@_name
def pause(name: str) -> None:
    """Stop following the schedule of a deployment."""
    _set_active(name, False)


@deployment.command()
@_name
def resume(name: str) -> None:
    """Follow the schedule of a deployment again."""
    _set_active(name, True)


def _set_active(name: str, active: bool) -> None:
    with connected() as client:
        record = _found(client, name)
        client._set_deployment_active(record, active)
    say(f"The schedule of {printable(name)} is {'followed' if active else 'paused'}.", style="green")


@deployment.command()
@_name
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter, as JSON; repeat it.")
@click.option("--run-name", help="What the run is called.")
@click.option("--idempotency-key", help="Asking again with the same key gives the same run.")
@click.option("--watch", "-w", is_flag=True, help="Follow the run until it has finished.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="With --watch: give up after so many seconds.")
def run(
    name: str,
    params: tuple[str, ...],
    run_name: str | None,
    idempotency_key: str | None,
    watch: bool,
    timeout: float | None,
) -> None:
    """Run a deployment now, and print the id of the run."""
    from dagflow.cli.flow_run import watched
    from dagflow.cli.run import _pairs

    with connected() as client:
        record = _found(client, name)
        made = client._create_flow_run(
            {
                "deployment_id": record["id"],
                "parameters": _pairs(params, "--param") or None,
                "name": run_name,
                "idempotency_key": idempotency_key,
            }
        )
    say(f"Flow run {printable(made['name'])} created.", style="green")
    click.echo(made["id"])
    if watch:
        watched(made["id"], timeout=timeout)
    elif timeout is not None:
        say("--timeout only counts with --watch.", style="yellow")


def _found(client: Any, name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = client._deployment(name)
    except ObjectNotFoundError:
        raise NotFound(f"There is no deployment {name!r}. List them with `dagflow deployment ls`.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return record
