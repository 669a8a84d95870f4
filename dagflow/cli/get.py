"""``dagflow get``: lists of what a server knows."""

from __future__ import annotations

from typing import Any

import click

from dagflow.cli.connection import connected, flow_run_of
from dagflow.cli.log_lines import show_logs
from dagflow.cli.render import age, local_time, output_option, show_rows

__all__ = ["get"]

_limit = click.option("--limit", "-l", default=10, show_default=True, type=click.IntRange(1), help="At most so many.")
_project = click.option("--project", "-p", help="Only of this project.")


@click.group()
def get() -> None:
    """List flows, projects, runs, tasks and logs."""


@get.command()
@click.option("--name", "-n", help="Only flows of this name.")
@click.option("--version", "-v", type=int, help="Only this version.")
@_project
@_limit
@click.option("--all-versions", is_flag=True, help="All versions, not only the latest of each flow.")
@output_option
def flows(
    name: str | None, version: int | None, project: str | None, limit: int, all_versions: bool, form: str
) -> None:
    """List flows, the latest version of each."""
    latest = None if all_versions or version is not None else True
    params = {"name": name, "version": version, "project_name": project, "latest": latest}
    columns: dict[str, Any] = {
        "NAME": "name",
        "VERSION": "version",
        "AGE": lambda flow: age(flow["created"]),
        "ID": "id",
        "PROJECT NAME": "project_name",
    }
    with connected() as client:
        show_rows(client._items("flows", params, limit=limit), columns, form, "No flows found.")


@get.command()
@click.option("--name", "-n", help="Only the project of this name.")
@output_option
def projects(name: str | None, form: str) -> None:
    """List projects."""
    columns: dict[str, Any] = {
        "NAME": "name",
        "FLOW COUNT": "flow_count",
        "AGE": lambda project: age(project["created"]),
        "DESCRIPTION": "description",
    }
    with connected() as client:
        show_rows(client._items("projects", {"name": name}), columns, form, "No projects found.")


@get.command("flow-runs")
@_limit
@click.option("--flow", "-f", help="Only runs of this flow.")
@_project
@click.option("--started", "-s", is_flag=True, help="Only runs that have started, by the time they did.")
@output_option
def flow_runs(limit: int, flow: str | None, project: str | None, started: bool, form: str) -> None:
    """List flow runs, newest first."""
    params: dict[str, Any] = {"flow_name": flow, "project_name": project}
    if started:
        params |= {"started": True, "order": "start"}
    columns: dict[str, Any] = {
        "NAME": "name",
        "FLOW NAME": "flow_name",
        "STATE": "state",
        "AGE": lambda run: age(run["created"]),
        "START TIME": lambda run: local_time(run["start_time"]),
        "ID": "id",
    }
    with connected() as client:
        show_rows(client._items("flow_runs", params, limit=limit), columns, form, "No flow runs found.")


@get.command()
@click.option("--name", "-n", help="Only tasks of this name.")
@click.option("--flow-name", "-fn", help="Only tasks of this flow.")
@click.option("--flow-version", "-fv", type=int, help="Only of this version.")
@_project
@_limit
@output_option
def tasks(
    name: str | None, flow_name: str | None, flow_version: int | None, project: str | None, limit: int, form: str
) -> None:
    """List tasks."""
    params = {"name": name, "flow_name": flow_name, "flow_version": flow_version, "project_name": project}
    columns: dict[str, Any] = {
        "NAME": "name",
        "FLOW NAME": "flow_name",
        "FLOW VERSION": "flow_version",
        "AGE": lambda task: age(task["created"]),
        "MAPPED": "mapped",
        "TYPE": "type",
    }
    with connected() as client:
        show_rows(client._items("tasks", params, limit=limit), columns, form, "No tasks found.")


@get.command()
@click.option("--name", "-n", help="The name of the run; of several, the newest.")
@click.option("--id", "run_id", help="The id of the run.")
@click.option("--info", "-i", is_flag=True, help="Show all that is known of each line, as JSON.")
@click.option("--follow", "-F", is_flag=True, help="Go on until the run has finished.")
@output_option
def logs(name: str | None, run_id: str | None, info: bool, follow: bool, form: str) -> None:
    """Print the log of a flow run."""
    if (name is None) == (run_id is None):
        raise click.UsageError("Say whose log: a run by --name or by --id.")
    with connected() as client:
        run = flow_run_of(client, str(name if run_id is None else run_id))
        show_logs(client, run["id"], form="json" if info else form, follow=follow)
