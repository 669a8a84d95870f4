"""``dagflow deploy``: register a flow, and set under a name how, when and where it is run."""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from dagflow.backend.deployments import (
    check_parameters,
    deployment_settings,
    existing_deployment,
    local_timezone,
    made_schedule,
)
from dagflow.cli.collect import Source, collect, prepared
from dagflow.cli.connection import connected
from dagflow.cli.deploy_file import DEPLOY_FILE, DeploymentEntry, read_deploy_file
from dagflow.cli.run import _pairs
from dagflow.cli.talk import Failure, NotFound, say
from dagflow.client.deployments import DEFAULT, differences
from dagflow.engine.summary import printable
from dagflow.exceptions import near_match

if TYPE_CHECKING:
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow
    from dagflow.schedules.schedules import Schedule

__all__ = ["deploy"]

SKIPPED_FOLDERS = ("/.", "/venv/", "/node_modules/", "/site-packages/", "/build/", "/__pycache__/")
MOST_FILES = 200
"""Scripts that are looked into for flows when none is named."""


@dataclass
class _Wanted:
    """One deployment as it is to be."""

    entrypoint: str
    name: str
    project: str
    settings: dict[str, Any]
    storage: dict[str, Any] | None = None
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return printable(f"{self.found.get('flow') or self.entrypoint}/{self.name}")


@click.command()
@click.argument("entrypoint", required=False)
@click.option("--name", "-n", default="default", show_default=True, help="The name of the deployment.")
@click.option("--project", help="The project; it is made if there is none of this name.")
@click.option("--pool", "-p", help="The pool whose agents run it.")
@click.option("--queue", help="The queue of the pool.")
@click.option("--cron", help="Run by a cron expression.")
@click.option("--interval", type=click.FloatRange(60), help="Run every so many seconds.")
@click.option("--rrule", help="Run by a rule such as FREQ=DAILY;BYHOUR=9.")
@click.option("--timezone", help="Of --cron and --rrule; default is this machine's.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter, as JSON; repeat it.")
@click.option("--tag", "tags", multiple=True, help="A tag, for searching; repeat it.")
@click.option("--label", "labels", multiple=True, help="What an agent must have; repeat it.")
@click.option("--paused", is_flag=True, help="Do not follow the schedule yet.")
@click.option("--all", "everything", is_flag=True, help=f"Make all deployments of {DEPLOY_FILE}.")
@click.option("--prune", is_flag=True, help="With --all: delete other deployments of the flows in the file.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
def deploy(entrypoint: str | None, everything: bool, prune: bool, dry_run: bool, **options: Any) -> None:
    """
    Register the flow at ENTRYPOINT and set how it is run.

    ENTRYPOINT is path/file.py:variable or package.module:variable.

    \b
    Examples:
      dagflow deploy flows/etl.py:flow --project night --cron '0 3 * * *' --timezone Europe/Paris
      dagflow deploy --all
    """
    if everything and entrypoint:
        raise click.UsageError(f"--all takes the deployments of {DEPLOY_FILE}; leave out {entrypoint!r}.")
    if prune and not everything:
        raise click.UsageError("--prune only works with --all.")
    wanted = [_of_entry(one) for one in read_deploy_file()] if everything else [_of_options(entrypoint, options)]
    with connected() as client:
        client._request("GET", "health", retries=0)
        failed = sum(not _deployed(client, one, dry_run) for one in wanted)
        if prune and not failed:
            _prune(client, wanted, dry_run)
    if failed:
        click.get_current_context().exit(Failure.exit_code)


# --- what is wanted ------------------------------------------------------------------------------------------


def _of_options(entrypoint: str | None, options: dict[str, Any]) -> _Wanted:
    if options["pool"] and options["name"] == DEFAULT:
        raise click.UsageError(f"The deployment {DEFAULT!r} is the flow itself and has no pool; give --name.")
    entrypoint = entrypoint or _chosen_entrypoint()
    project = options["project"] or _asked_project()
    settings = _settings(
        schedule=_schedule(options["cron"], options["interval"], options["rrule"], options["timezone"], "--timezone"),
        paused=options["paused"],
        pool=options["pool"],
        queue=options["queue"],
        parameters=_pairs(options["params"], "--param"),
        tags=options["tags"],
        labels=options["labels"] or None,
    )
    return _Wanted(entrypoint, options["name"], project, settings)


def _of_entry(entry: DeploymentEntry) -> _Wanted:
    from dagflow.run_configs import UniversalRun
    from dagflow.schedules.schedules import Schedule

    of_it = f"timezone in {DEPLOY_FILE}"
    made = [_schedule(one.cron, one.interval, one.rrule, one.timezone, of_it) for one in entry.schedules]
    clocks = [clock for schedule in made if schedule is not None for clock in schedule.clocks]
    settings = _settings(
        schedule=Schedule(clocks) if clocks else None,
        paused=entry.paused,
        pool=entry.pool,
        queue=entry.queue,
        parameters=entry.parameters,
        tags=entry.tags,
        labels=entry.labels,
        run_config=UniversalRun(env=entry.env) if entry.env else None,
        overlap_policy=entry.overlap_policy,
        description=entry.description,
    )
    return _Wanted(entry.entrypoint, entry.name, entry.project, settings, entry.storage)


def _settings(**given: Any) -> dict[str, Any]:
    return deployment_settings(**given)


def _schedule(
    cron: str | None, interval: float | None, rrule: str | None, timezone: str | None, option: str
) -> Schedule | None:
    if timezone is None and (cron or rrule):
        timezone = local_timezone()
        say(f"The schedule {cron or rrule!r} is read in the time zone {timezone}; {option} says another.")
    try:
        return made_schedule(cron, interval, rrule, timezone)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _asked_project() -> str:
    if not _is_terminal():
        raise click.UsageError("Say which project the flow belongs to: --project NAME.")
    return str(click.prompt("Project", err=True))


def _chosen_entrypoint() -> str:
    """Ask for one of the flows below the working directory; where nobody can be asked, list them."""
    found = _entrypoints()
    listed = "\n".join(f"  {one}" for one in found)
    if not found:
        raise NotFound("No flows found in *.py below this folder. Say which: dagflow deploy path/file.py:variable")
    if not _is_terminal():
        raise click.UsageError(f"Say which flow to deploy. Found here:\n{listed}")
    say(f"Flows found here:\n{listed}")
    return str(click.prompt("Which", type=click.Choice(found), show_choices=False, default=found[0], err=True))


def _entrypoints() -> list[str]:
    from dagflow.core.flow import Flow
    from dagflow.utilities.scripts import load_script

    found = []
    for path in sorted(glob.glob("**/*.py", recursive=True))[:MOST_FILES]:
        if any(folder in f"/{path}" for folder in SKIPPED_FOLDERS) or not _mentions_flows(path):
            continue
        try:
            module = load_script(path)
        except Exception as error:
            say(f"{printable(path)} cannot be loaded: {printable(error)}", style="yellow")
            continue
        found += [f"{path}:{name}" for name, value in vars(module).items() if isinstance(value, Flow)]
    return found


def _mentions_flows(path: str) -> bool:
    # Running every script of a folder only to look would do who knows what.
    with open(path, "rb") as file:
        text = file.read()
    return b"dagflow" in text and (b"Flow(" in text or b"@flow" in text)


# --- doing it ------------------------------------------------------------------------------------------------


def _deployed(client: Client, wanted: _Wanted, dry_run: bool) -> bool:
    """Make one deployment be as wanted; tell what was done, and whether it worked."""
    source = _source(wanted)
    if source is None:
        return False
    [flow] = source.flows
    wanted.found["flow"] = flow.name
    _check_parameters(flow, wanted.settings["parameters"])
    group = _group(client, wanted.project, flow.name)
    existing = existing_deployment(client, group["id"], wanted.name) if group else None
    changed = differences(wanted.settings, existing) if existing else []
    mark = "=" if existing and not changed else "~" if existing else "+"
    if dry_run:
        wanted.found["group"] = group["id"] if group else None
        say(f"{mark} {wanted.title}{': ' + ', '.join(changed) if changed else ''}")
        return True
    # Not before: building may write and upload.
    [(_, document, digest)] = prepared(source, ())
    if document is None:
        return False
    client.create_project(wanted.project)
    answer = client.post(
        "flows/register",
        {
            "flow": document,
            "project_name": wanted.project,
            "set_schedule_active": None,
            "idempotency_key": digest,
            "serialized_hash": digest,
        },
    )
    wanted.found["group"] = answer["flow_group_id"]
    made = client._upsert_deployment(answer["flow_group_id"], wanted.name, wanted.settings)
    version = f"version {answer['version']}{'' if answer['created'] else ', unchanged'}"
    say(f"{mark} {wanted.title} ({version}){': ' + ', '.join(changed) if changed else ''}", style="green")
    click.echo(made["id"])
    return True


def _check_parameters(flow: Flow, parameters: dict[str, Any]) -> None:
    try:
        check_parameters(flow, parameters)
    except ValueError as error:
        raise Failure(str(error)) from error


def _source(wanted: _Wanted) -> Source | None:
    """Return the one flow that an entrypoint names; ``None`` when its code cannot be loaded, which is told."""
    place, colon, attribute = wanted.entrypoint.rpartition(":")
    if not colon:
        place, attribute = wanted.entrypoint, ""
    is_file = place.endswith(".py") or os.sep in place
    if is_file and not os.path.isfile(place):
        raise NotFound(f"Entrypoint {wanted.entrypoint!r}: there is no file {place!r} in {os.getcwd()!r}.")
    collected = collect([os.path.abspath(place)], ()) if is_file else collect((), [wanted.entrypoint])
    if collected.errors:
        return None
    [source] = collected.sources
    flow = _flow_called(source, attribute, wanted.entrypoint, os.path.abspath(place) if is_file else None)
    if wanted.storage is not None:
        flow.storage = _made_storage(wanted.storage)
    source.flows = [flow]
    return source


def _flow_called(source: Source, attribute: str, entrypoint: str, path: str | None) -> Flow:
    if len(source.flows) == 1 and (not attribute or path is None):
        return source.flows[0]
    names = [flow.name for flow in source.flows]
    if not attribute:
        listed = ", ".join(map(repr, names)) or "none"
        raise click.UsageError(f"Entrypoint {entrypoint!r} must name one flow, as FILE:VARIABLE; there are {listed}.")
    variables = source.variables
    found = variables.get(attribute)
    if found is None:
        known = ", ".join(variables) or "none"
        raise NotFound(
            f"Entrypoint {entrypoint!r}: there is no flow {attribute!r}.{near_match(attribute, variables)} "
            f"Flows there: {known}."
        )
    return found


def _made_storage(document: dict[str, Any]) -> Any:
    from dagflow import storage

    kind = str(document.get("type"))
    kinds = [name for name in storage.__all__ if name[0].isupper() and name != "Storage"]
    if kind not in kinds:
        raise Failure(f"There is no storage {kind!r}.{near_match(kind, kinds)} Known: {', '.join(kinds)}.")
    try:
        return getattr(storage, kind)(**{key: value for key, value in document.items() if key != "type"})
    except (TypeError, ValueError) as error:
        raise Failure(f"The storage {kind} cannot be made: {error}") from error


def _group(client: Client, project: str, flow_name: str) -> dict[str, Any] | None:
    params = {"name": flow_name, "project_name": project, "latest": True}
    for flow in client._items("flows", params, limit=1):
        group: dict[str, Any] = client.get(f"flow_groups/{flow['flow_group_id']}")
        return group
    return None


def _prune(client: Client, wanted: list[_Wanted], dry_run: bool) -> None:
    """Delete deployments of the flows in the file that the file does not have."""
    kept = {(one.found.get("group"), one.name) for one in wanted}
    for group in {one.found["group"] for one in wanted if one.found.get("group")}:
        for existing in list(client._items("deployments", {"flow_group_id": group})):
            if existing["name"] == "default" or (group, existing["name"]) in kept:
                continue
            if not dry_run:
                client.delete(f"deployments/{existing['id']}")
            say(f"- {printable(existing['flow_name'])}/{printable(existing['name'])}", style="yellow")
