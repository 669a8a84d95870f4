"""``dagflow flow-run``: work with one run."""

from __future__ import annotations

import datetime
from typing import Any

import click

from dagflow.cli import WAITED_IN_VAIN
from dagflow.cli.connection import connected, flow_run_of
from dagflow.cli.log_lines import print_watch_line, show_logs
from dagflow.cli.render import local_time, one_option, output_option, show_record, show_rows
from dagflow.cli.talk import Failure, NotFound, json_or_word, say
from dagflow.client.records import moment_of
from dagflow.engine.summary import printable
from dagflow.exceptions import PrefectException, VersionLockMismatchSignal, near_match

__all__ = ["flow_run", "watched"]

FLOW_STATES = ("Failed", "Success", "Cancelled", "Finished", "Scheduled")
_run = click.argument("run")


@click.group("flow-run")
def flow_run() -> None:
    """Cancel, restart, watch and inspect a flow run; RUN is its id, or a name, which means the newest of it."""


@flow_run.command()
@_run
def cancel(run: str) -> None:
    """Cancel a run."""
    with connected() as client:
        record = flow_run_of(client, run)
        state = client.cancel_flow_run(record["id"])
    say(f"Flow run {printable(record['name'])} is {state}.", style="green")


@flow_run.command()
@_run
@click.option("--from-task", help="The slug of a task: run it, and all behind it, again.")
@click.option("--reason", help="Why, for the log.")
@click.option("--watch", "-w", is_flag=True, help="Follow the run until it has finished.")
def restart(run: str, from_task: str | None, reason: str | None, watch: bool) -> None:
    """Run what failed again, and all behind it; what succeeded stays."""
    with connected() as client:
        record = flow_run_of(client, run)
        task_run = _task_run(client, record, from_task) if from_task else None
        answer = client.restart_flow_run(record["id"], task_run, reason)
    for warning in answer.get("warnings") or ():
        say(f"Warning: {printable(warning)}", style="yellow")
    say(f"Flow run {printable(record['name'])} is {answer['state']}; {answer['reset']} task runs reset.", style="green")
    if watch:
        watched(record["id"], start_time=moment_of(record["updated"]))


def _task_run(client: Any, record: Any, slug: str) -> str:
    path = f"flow_runs/{record['id']}/task_runs"
    known = list(client._items(path, {"mapped": False}, page=1000))
    for one in known:
        if one["task_slug"] == slug:
            return str(one["id"])
    slugs = [one["task_slug"] for one in known]
    raise NotFound(f"The run has no task {slug!r}.{near_match(slug, slugs)} It has {', '.join(sorted(slugs))}.")


@flow_run.command("set-state")
@_run
@click.argument("state", type=click.Choice(FLOW_STATES, case_sensitive=False))
@click.option("--message", "-m", help="The state's message.")
@click.option("--reason", help="Why, for the history.")
@click.option("--version", "-v", type=int, help="Only if the run still has this version.")
def set_state(run: str, state: str, message: str | None, reason: str | None, version: int | None) -> None:
    """Set the state of a run by hand."""
    from dagflow.engine import state as states
    from dagflow.utilities.identities import new_id

    with connected() as client:
        record = flow_run_of(client, run)
        wanted = getattr(states, state)(message or f"Set to {state} by hand.")
        body = {"state": wanted.serialize(), "id": new_id(), "version": version, "reason": reason}
        if version not in (None, record["version"]):
            raise _changed(record, version)
        try:
            client.post(f"flow_runs/{record['id']}/states", body)
        except VersionLockMismatchSignal as error:
            raise _changed(client.get(f"flow_runs/{record['id']}"), version) from error
    say(f"Flow run {printable(record['name'])} is {state}.", style="green")


def _changed(now: Any, version: int | None) -> VersionLockMismatchSignal:
    return VersionLockMismatchSignal(
        f"The run was not changed: it has version {now['version']} and is {now['state']}, not version {version}. Look "
        "at it, and give --version again if you still want this."
    )


@flow_run.command()
@_run
@click.option("--follow", "-F", is_flag=True, help="Go on until the run has finished.")
@output_option
def logs(run: str, follow: bool, form: str) -> None:
    """Print the log of a run."""
    with connected() as client:
        show_logs(client, flow_run_of(client, run)["id"], form, follow)


@flow_run.command()
@_run
@one_option
def inspect(run: str, form: str) -> None:
    """Print all that is known of a run, and why it is not picked up, if it is not."""
    with connected() as client:
        record = dict(flow_run_of(client, run))
        if record["state"] == "Scheduled":
            record["why"] = client.get(f"flow_runs/{record['id']}/why")["reasons"]
    show_record(record, form)


@flow_run.command()
@_run
@output_option
def tasks(run: str, form: str) -> None:
    """List the task runs of a run."""
    columns: dict[str, Any] = {
        "TASK": "task_slug",
        "INDEX": lambda one: "" if one["map_index"] < 0 else one["map_index"],
        "STATE": "state",
        "START TIME": lambda one: local_time(one["start_time"]),
        "END TIME": lambda one: local_time(one["end_time"]),
        "MESSAGE": "state_message",
        "ID": "id",
    }
    with connected() as client:
        record = flow_run_of(client, run)
        show_rows(client._items(f"flow_runs/{record['id']}/task_runs", page=1000), columns, form)


@flow_run.command()
@_run
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the labels of the run and the agents.")
def why(run: str, as_json: bool) -> None:
    """Print why a run is not picked up."""
    with connected() as client:
        answer = client.get(f"flow_runs/{flow_run_of(client, run)['id']}/why")
    if as_json:
        show_record(answer, "json")
        return
    for reason in answer["reasons"]:
        click.echo(printable(reason))


@flow_run.command()
@_run
@click.option("--input", "value", metavar="JSON", help="The value that a task waits for; plain words need no quotes.")
def approve(run: str, value: str | None) -> None:
    """Let tasks that wait for somebody's approval, or for a value, go on."""
    with connected() as client:
        record = flow_run_of(client, run)
        approved = client.approve_flow_run(record["id"], value=None if value is None else json_or_word(value))
    say(f"{approved} task runs of {printable(record['name'])} approved.", style="green")


@flow_run.command()
@_run
@click.option("--no-logs", is_flag=True, help="Show states only.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Give up after so many seconds.")
def watch(run: str, no_logs: bool, timeout: float | None) -> None:
    """Follow a run until it has finished; the exit code is 1 unless it succeeded, 124 when it took too long."""
    with connected() as client:
        record = flow_run_of(client, run)
    watched(record["id"], logs=not no_logs, timeout=timeout)


def watched(
    flow_run_id: str, logs: bool = True, timeout: float | None = None, start_time: datetime.datetime | None = None
) -> None:
    """Follow a run on standard error, from *start_time* on, and end the command by how the run ended."""
    from dagflow.backend.flow_run import FlowRunView
    from dagflow.backend.watch import LONGEST_WATCH, watch_flow_run

    duration = LONGEST_WATCH if timeout is None else datetime.timedelta(seconds=timeout)
    try:
        for line in watch_flow_run(flow_run_id, stream_logs=logs, max_duration=duration, start_time=start_time):
            print_watch_line(line)
    except RuntimeError as error:
        if isinstance(error, PrefectException):  # the server's answer, not the end of the time
            raise
        say(printable(error), style="red")
        click.get_current_context().exit(WAITED_IN_VAIN)
    state = FlowRunView.from_flow_run_id(flow_run_id).state
    if state.is_successful():
        say("Flow run succeeded!", style="green")
        return
    say(f"Flow run ended {type(state).__name__}: {printable(state.message)}", style="red")
    click.get_current_context().exit(Failure.exit_code)
