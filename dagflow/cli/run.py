"""``dagflow run``: run a flow in this process, or by a server."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli.flows import flow_options, found_flow
from dagflow.cli.talk import Failure, doing, say
from dagflow.configuration import config
from dagflow.engine.summary import printable, summary

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.engine.state import State

__all__ = ["run"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMAT = "└── %(asctime)s | %(levelname)-7s | %(message)s"
LOG_DATE_FORMAT = "%H:%M:%S"
SILENT = logging.CRITICAL + 1
COMBINATIONS = """Say which flow to run, in one of these ways:

  -i, --id ID
  --name NAME [--project PROJECT]
  -p, --path FILE [--name NAME]
  -m, --module MODULE [--name NAME]"""
EXECUTORS = ("local", "threads", "processes", "synchronous")


@click.command()
@click.option("--id", "-i", "flow_id", help="The id of a registered flow, or of its group.")
@flow_options
@click.option("--project", help="The project of the registered flow.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter, as JSON; repeat it.")
@click.option(
    "--param-file", type=click.Path(exists=True, dir_okay=False), help="A JSON file with an object of parameters."
)
@click.option("--context", "context_vars", multiple=True, metavar="NAME=VALUE", help="Extra context; repeat it.")
@click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), help="Which log lines to show.")
@click.option("--quiet", "-q", is_flag=True, help="Show neither logs nor messages; of a run by the server its id only.")
@click.option("--no-logs", is_flag=True, help="Show no log lines.")
@click.option("--schedule", "-s", is_flag=True, help="Follow the flow's schedule; default is one run now.")
@click.option("--executor", type=click.Choice(EXECUTORS), help="What runs the tasks here; default is the flow's.")
@click.option("--label", "labels", multiple=True, help="What an agent must have to take the run; repeat it.")
@click.option("--run-name", help="What the run is called.")
@click.option("--idempotency-key", help="Asking again with the same key gives the same run.")
@click.option("--at", metavar="TIME", help="When the server is to start the run; default is now.")
@click.option("--execute", is_flag=True, help="Execute the run of the server here, without an agent.")
@click.option("--watch", "-w", is_flag=True, help="Follow the run of the server until it has finished.")
@click.option("--cancel-on-interrupt/--keep-on-interrupt", default=None, help="What Ctrl-C does; default is to ask.")
def run(
    flow_id: str | None,
    path: str | None,
    module: str | None,
    name: str | None,
    project: str | None,
    params: tuple[str, ...],
    param_file: str | None,
    context_vars: tuple[str, ...],
    log_level: str | None,
    quiet: bool,
    no_logs: bool,
    schedule: bool,
    executor: str | None,
    **by_server: Any,
) -> None:
    """
    Run a flow: here, from its script or module, or by a server, by its id or name.

    Values are JSON; plain words need no quotes.

    \b
    Examples:
      dagflow run -p flow.py
      dagflow run -p flow.py --name etl --param day=2024-01-31 --param 'months=[1, 2]'
      dagflow run -m company.flows:etl --executor threads
      dagflow run --name etl --project night --watch
    """
    _check_lookup(flow_id, name, project, path, module)
    is_local = path is not None or module is not None
    _check_place(is_local, schedule, executor, by_server)
    parameters = _parameters(params, param_file, quiet)
    extra = _pairs(context_vars, "--context")
    if not is_local:
        from dagflow.cli.run_backend import BackendRun, run_by_server

        labels = list(by_server.pop("labels")) or None
        asked = BackendRun(
            flow_id, name, project, parameters, extra, labels, log_level=log_level, quiet=quiet, no_logs=no_logs,
            **by_server,
        )  # fmt: skip
        run_by_server(asked)
        return
    with doing("Retrieving local flow", quiet):
        flow = found_flow(path, module, name)
    with _output(log_level, quiet, silent=quiet or no_logs):
        if not quiet:
            say("Running flow locally...")
        state = _run(flow, parameters, extra, schedule, executor, by_server["run_name"])
    _report(flow, state, quiet)


def _check_lookup(
    flow_id: str | None, name: str | None, project: str | None, path: str | None, module: str | None
) -> None:
    """Refuse what does not say in exactly one way which flow is meant."""
    ways = [
        flow_id is not None and not any((name, project, path, module)),
        name is not None and not any((flow_id, path, module)),
        path is not None and not any((flow_id, project, module)),
        module is not None and not any((flow_id, project, path)),
    ]
    if sum(ways) != 1:
        raise click.UsageError(COMBINATIONS)


def _check_place(is_local: bool, schedule: bool, executor: str | None, by_server: dict[str, Any]) -> None:
    """Refuse options that mean nothing where the flow is run."""
    if is_local:
        given = [name for name in ("labels", "idempotency_key", "at", "execute", "watch") if by_server[name]]
        if given:
            names = ", ".join("--" + name.replace("_", "-").removesuffix("s") for name in given)
            raise click.UsageError(f"{names} only work for a flow that a server runs; give --id or --name alone.")
        return
    given = ["--schedule"] * schedule + ["--executor"] * (executor is not None)
    if given:
        raise click.UsageError(f"{' and '.join(given)} only work for a flow that is run here; give --path or --module.")
    if by_server["execute"] and by_server["watch"]:
        raise click.UsageError("--execute follows the run anyway; leave out --watch.")


def _report(flow: Flow, state: State, quiet: bool) -> None:
    """Say how the run went, by words and by the exit code."""
    if not quiet and not config.quiet and not _has_been_summed_up(flow):
        say(summary(flow.name, state, color=_shows_color()))
    if state.is_successful():
        if not quiet:
            say("Flow run succeeded!", style="green")
        return
    if not quiet:
        unfinished = f"Flow run did not finish: {printable(state.message)}"
        say("Flow run failed!" if state.is_finished() else unfinished, style="red")
    click.get_current_context().exit(Failure.exit_code)


def _run(
    flow: Flow,
    parameters: dict[str, Any],
    extra: dict[str, Any],
    schedule: bool,
    executor: str | None,
    run_name: str | None,
) -> State:
    from dagflow.exceptions import ParameterError

    options: dict[str, Any] = {"context": extra}
    if run_name is not None:
        options["flow_run_name"] = run_name
    if executor is not None:
        options["executor"] = _executor(executor)
    try:
        state: State = flow.run(parameters=parameters, run_on_schedule=schedule, **options)
    except ParameterError as error:
        raise click.UsageError(_for_command_line(str(error))) from error
    except ValueError as error:  # a schedule without dates
        raise Failure(str(error)) from error
    return state


def _for_command_line(text: str) -> str:
    """
    Return what is wrong with parameters in the words of the command line.

    The place in the code that such messages name is where ``flow.run()`` is called, which here is ours.

    >>> _for_command_line("It needs 'a', 'b' (run.py, line 7). Write flow.run(a=..., b=...), or give a default.")
    "It needs 'a', 'b'. Give --param a=... --param b=..., or give a default."
    """
    without_place = re.sub(r" \([^()]*, line \d+\)", "", text)
    return re.sub(r"Write flow\.run\((.*?)\)", _as_options, without_place)


def _as_options(call: re.Match[str]) -> str:
    return "Give " + " ".join(f"--param {pair}" for pair in call[1].split(", "))


def _executor(name: str) -> Any:
    from dagflow import executors

    return executors.LocalExecutor() if name == "local" else executors.LocalDaskExecutor(name)


# --- values --------------------------------------------------------------------------------------------------


def _parameters(params: Iterable[str], param_file: str | None, quiet: bool) -> dict[str, Any]:
    given = _pairs(params, "--param")
    if param_file is None:
        return given
    with open(param_file, encoding="utf-8") as file:
        try:
            found = json.load(file)
        except ValueError as error:
            raise click.UsageError(f"{param_file!r} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise click.UsageError(f"{param_file!r} must hold a JSON object, such as {{\"day\": 1}}; found {found!r}.")
    both = sorted(found.keys() & given.keys())
    if both and not quiet:
        say(f"Parameters given on the command line win over {param_file!r}: {', '.join(both)}.", style="yellow")
    return {**found, **given}


def _pairs(texts: Iterable[str], option: str) -> dict[str, Any]:
    pairs = {}
    for text in texts:
        # Only the first = separates: values may hold more of them.
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {text!r} is not of the form NAME=VALUE.")
        pairs[name] = _value(value, option, name)
    return pairs


def _value(text: str, option: str, name: str) -> Any:
    """Read a value as JSON; what cannot be meant as JSON is a plain word."""
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise click.UsageError(
                f"{option} {name}: the value {text!r} is not JSON: {error}. Put it into single quotes, so that the "
                f"shell leaves its quotes alone: {option} '{name}={{\"key\": [1, 2]}}'."
            ) from error
        return text


# --- output --------------------------------------------------------------------------------------------------


@contextmanager
def _output(log_level: str | None, quiet: bool, *, silent: bool) -> Iterator[None]:
    from dagflow.utilities.configuration import set_temporary_config
    from dagflow.utilities.logging import temporary_logger_config

    with ExitStack() as stack:
        if quiet:
            stack.enter_context(set_temporary_config({"quiet": True}))
        level: int | str | None = SILENT if silent else log_level
        stack.enter_context(temporary_logger_config(level, LOG_FORMAT, LOG_DATE_FORMAT))
        yield


def _has_been_summed_up(flow: Flow) -> bool:
    """Tell whether the live display has printed the summary."""
    from dagflow.engine.display import display_for

    return display_for(flow) is not None


def _shows_color() -> bool:
    from dagflow.engine.display import is_terminal, wants_color

    return is_terminal(sys.stderr) and wants_color()
