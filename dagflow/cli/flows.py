"""Finding the flow that a command is about: ``-p FILE`` or ``-m MODULE``, and ``--name`` where there are several."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli.talk import Failure, NotFound, traceback_of
from dagflow.exceptions import near_match

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["check_choice", "flow_options", "found_flow"]

COMBINATIONS = """Say where the flow is, in one of these ways:

  -p, --path FILE [--name NAME]
  -m, --module MODULE [--name NAME]"""


def flow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that :func:`found_flow` needs to a command."""
    for option in (
        click.option("--name", "-n", help="The flow's name, where there are several."),
        click.option("--module", "-m", help="The module with the flow, or MODULE:VARIABLE."),
        click.option("--path", "-p", help="The script with the flow."),
    ):
        command = option(command)
    return command


def check_choice(path: str | None, module: str | None) -> None:
    """
    Refuse neither or both of path and module.

    Raises:
        click.UsageError: listing what can be given.
    """
    if (path is None) == (module is None):
        raise click.UsageError(COMBINATIONS)


def found_flow(path: str | None, module: str | None, name: str | None) -> Flow:
    """
    Return the flow that the options mean.

    Raises:
        click.UsageError: for neither or both of path and module, and for several flows and no name.
        NotFound: when there is no such file, module or flow.
        Failure: when the user's code raises, with its traceback.
    """
    check_choice(path, module)
    # Here, so that settings which cannot be used are told as such, not as a fault of the script that imports dagflow.
    import dagflow.core.flow  # noqa: F401

    # For as long as the process lives: tasks may import what lies beside the script only when they run.
    folder = os.path.dirname(os.path.abspath(os.path.expanduser(path))) if path else os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if path is not None:
        return _chosen(_flows_of_script(path), name, path)
    assert module is not None
    return _flow_of_module(module, name)


def _flows_of_script(path: str) -> dict[str, Flow]:
    from dagflow.utilities.scripts import flows_in, load_script

    full = os.path.expanduser(path)
    if not os.path.exists(full):
        raise NotFound(f"Path {path!r} doesn't exist.")
    if os.path.isdir(full):
        raise click.UsageError(f"{path!r} is a folder; expected a script.")
    return flows_in(_loaded(path, lambda: load_script(full)))


def _loaded(what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (KeyboardInterrupt, click.ClickException):
        raise
    except BaseException as error:  # a script may well call sys.exit
        raise Failure(f"{what!r} cannot be loaded:\n\n{traceback_of(error)}") from error


def _flow_of_module(module: str, name: str | None) -> Flow:
    from dagflow.utilities.scripts import flows_in, import_flow_module
    from dagflow.utilities.storage import extract_flow_from_module

    base, colon, _ = module.partition(":")
    try:
        loaded = _loaded(module, lambda: import_flow_module(base))
    except Failure as failure:
        error = failure.__cause__
        if isinstance(error, ModuleNotFoundError) and (base == error.name or base.startswith(f"{error.name}.")):
            raise NotFound(f"There is no module {base!r}: {error}. Is its folder on PYTHONPATH?") from None
        raise
    if not colon:
        return _chosen(flows_in(loaded), name, module)
    try:
        return extract_flow_from_module(module, name)
    except (AttributeError, TypeError, ValueError) as error:
        raise NotFound(str(error)) from error


def _chosen(flows: dict[str, Flow], name: str | None, where: str) -> Flow:
    listed = ", ".join(map(repr, flows))
    if not flows:
        raise NotFound(f"No flow found in {where!r}. A flow must be a global variable of it.")
    if name is not None:
        if name not in flows:
            raise NotFound(f"No flow named {name!r} in {where!r}; found {listed}.{near_match(name, flows)}")
        return flows[name]
    if len(flows) > 1:
        raise click.UsageError(f"There are several flows in {where!r}: {listed}. Choose one with --name.")
    return next(iter(flows.values()))
