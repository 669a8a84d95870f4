"""``dagflow work-pool``: pools of work, which agents serve."""

from __future__ import annotations

import json
from typing import Any

import click

from dagflow.cli.connection import connected
from dagflow.cli.render import one_option, output_option, show_record, show_rows
from dagflow.cli.talk import Failure, InTheWay, NotFound, say
from dagflow.client.connection import in_path
from dagflow.engine.summary import printable
from dagflow.exceptions import ConflictError, ObjectNotFoundError

__all__ = ["work_pool"]

TYPES = ("process", "docker", "kubernetes")


@click.group("work-pool")
def work_pool() -> None:
    """Manage pools that agents serve."""


@work_pool.command()
@click.argument("name")
@click.option("--type", "kind", required=True, metavar="|".join(TYPES), help="What runs the flows.")
@click.option("--limit", type=click.IntRange(0), help="How many runs at once.")
@click.option("--description", help="What it is for.")
@click.option("--base-run-config", metavar="JSON", help="Settings that runs have unless they say otherwise.")
def create(name: str, kind: str, limit: int | None, description: str | None, base_run_config: str | None) -> None:
    """Make a pool."""
    if kind not in TYPES:
        pushed = " Pools that push work to a service, or are managed by one, do not exist here." if ":" in kind else ""
        raise click.UsageError(f"A pool is of type {', '.join(TYPES)}, not {kind!r}.{pushed}")
    body = {"name": name, "type": kind, "limit": limit, "description": description}
    with connected() as client:
        made = client.post("work_pools", {**body, "base_run_config": _document(base_run_config)})
    if not made["created"]:
        raise InTheWay(f"There is a pool {name!r} already. Change it with `dagflow work-pool update`.")
    start = f"dagflow worker start --pool {printable(name)}"
    say(f"Pool {printable(name)} created. Serve it with `{start}`.", style="green")


def _document(text: str | None) -> Any:
    if text is None:
        return None
    try:
        document = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--base-run-config is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise click.UsageError(f"--base-run-config must be a JSON object, found {text!r}.")
    return document


@work_pool.command("ls")
@output_option
def list_pools(form: str) -> None:
    """List the pools."""
    columns: dict[str, Any] = {
        "NAME": "name",
        "TYPE": "type",
        "PAUSED": lambda pool: "yes" if pool["paused"] else "no",
        "IN USE": "in_use",
        "LIMIT": "limit",
        "DESCRIPTION": "description",
    }
    with connected() as client:
        show_rows(client._pools(), columns, form, "No pools found.")


@work_pool.command()
@click.argument("name")
@one_option
def inspect(name: str, form: str) -> None:
    """Show a pool with its queues and agents."""
    with connected() as client:
        show_record(_asked(client.get, name), form)


@work_pool.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(0), help="How many runs at once.")
@click.option("--description", help="What it is for.")
@click.option("--base-run-config", metavar="JSON", help="Settings that runs have unless they say otherwise.")
def update(name: str, limit: int | None, description: str | None, base_run_config: str | None) -> None:
    """Change a pool."""
    changes = {"limit": limit, "description": description, "base_run_config": _document(base_run_config)}
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("Say what to change: --limit, --description or --base-run-config.")
    _change(name, given, "changed")


@work_pool.command()
@click.argument("name")
def pause(name: str) -> None:
    """Let no agent take runs of a pool."""
    _change(name, {"paused": True}, "paused")


@work_pool.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let agents take runs of a pool again."""
    _change(name, {"paused": False}, "resumed")


@work_pool.command("set-concurrency-limit")
@click.argument("name")
@click.argument("limit", type=click.IntRange(0))
def set_limit(name: str, limit: int) -> None:
    """Let at most LIMIT runs of a pool run at once."""
    _change(name, {"limit": limit}, f"limited to {limit}")


@work_pool.command("clear-concurrency-limit")
@click.argument("name")
def clear_limit(name: str) -> None:
    """Let any number of runs of a pool run at once."""
    _change(name, {"limit": None}, "no longer limited")


@work_pool.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete a pool that nothing uses."""
    if not yes:
        click.confirm(f"Delete pool {printable(name)}?", abort=True, err=True)
    with connected() as client:
        _asked(client.delete, name)
    say(f"Pool {printable(name)} deleted.", style="green")


def _change(name: str, changes: dict[str, Any], done: str) -> None:
    with connected() as client:
        _asked(lambda path: client._request("PATCH", path, body=changes), name)
    say(f"Pool {printable(name)} {done}.", style="green")


def _asked(ask: Any, name: str) -> Any:
    try:
        return ask(f"work_pools/{in_path(name)}")
    except ObjectNotFoundError:
        raise NotFound(f"There is no pool {name!r}. List them with `dagflow work-pool ls`.") from None
    except ConflictError:
        raise
    except ValueError as error:
        raise Failure(str(error)) from error
