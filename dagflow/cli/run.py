"""``dagflow run``: run a flow in this process."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli.flows import check_choice, flow_options, found_flow
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
EXECUTORS = ("local", "threads", "processes", "synchronous")


@click.command()
@flow_options
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter, as JSON; repeat it.")
@click.option(
    "--param-file", type=click.Path(exists=True, dir_okay=False), help="A JSON file with an object of parameters."
)
@click.option("--context", "context_vars", multiple=True, metavar="NAME=VALUE", help="Extra context; repeat it.")
@click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), help="Which log lines to show.")
@click.option("--quiet", "-q", is_flag=True, help="Show neither logs nor messages.")
@click.option("--no-logs", is_flag=True, help="Show no log lines.")
@click.option("--schedule", "-s", is_flag=True, help="Follow the flow's schedule; default is one run now.")
@click.option("--executor", type=click.Choice(EXECUTORS), help="What runs the tasks; default is the flow's.")
def run(
    path: str | None,
    module: str | None,
    name: str | None,
    params: tuple[str, ...],
    param_file: str | None,
    context_vars: tuple[str, ...],
    log_level: str | None,
    quiet: bool,
    no_logs: bool,
    schedule: bool,
    executor: str | None,
) -> None:
    """
    Run a flow here, in this process.

    Values are JSON; plain words need no quotes.

    \b
    Examples:
      dagflow run -p flow.py
      dagflow run -p flow.py --name etl --param day=2024-01-31 --param 'months=[1, 2]'
      dagflow run -m company.flows:etl --executor threads
    """
    check_choice(path, module)
    parameters = _parameters(params, param_file, quiet)
    extra = _pairs(context_vars, "--context")
    with doing("Retrieving local flow", quiet):
        flow = found_flow(path, module, name)
    with _output(log_level, quiet, silent=quiet or no_logs):
        if not quiet:
            say("Running flow locally...")
        state = _run(flow, parameters, extra, schedule, executor)
    _report(flow, state, quiet)


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


def _run(flow: Flow, parameters: dict[str, Any], extra: dict[str, Any], schedule: bool, executor: str | None) -> State:
    from dagflow.exceptions import ParameterError

    options: dict[str, Any] = {"context": extra}
    if executor is not None:
        options["executor"] = _executor(executor)
    try:
        state: State = flow.run(parameters=parameters, run_on_schedule=schedule, **options)
    except ParameterError as error:
        # The place in the code that such messages name is where flow.run() is called, which here is ours.
        raise click.UsageError(re.sub(r" \([^()]*, line \d+\)", "", str(error))) from error
    except ValueError as error:  # a schedule without dates
        raise Failure(str(error)) from error
    return state


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
