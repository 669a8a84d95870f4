"""Printing the log of a run, whole or as it grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli.render import local_time, show_rows
from dagflow.cli.talk import say
from dagflow.engine.clock import Clock
from dagflow.engine.summary import printable

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["print_watch_line", "show_logs"]

PAGE = 1000
COLUMNS: dict[str, Any] = {
    "TIMESTAMP": lambda line: local_time(line["timestamp"]),
    "LEVEL": "level",
    "MESSAGE": "message",
}
COLORS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


def show_logs(client: Client, flow_run_id: str, form: str, follow: bool = False, clock: Clock | None = None) -> None:
    """Print the log of a run; with *follow* what comes after, line by line, until the run has finished."""
    path = f"flow_runs/{flow_run_id}/logs"
    if not follow and form == "table":
        _show_lines(client._items(path, page=PAGE))
        return
    if not follow:
        show_rows(client._items(path, page=PAGE), COLUMNS, form, "The run has no log yet.")
        return
    clock, seen = clock or Clock(), None
    while True:
        # Asked before the lines are read, so that those of the last moment are not missed.
        finished = client.get_flow_run_state(flow_run_id).is_finished()
        for line in client._items(path, {"after_seq": seen}, page=PAGE):
            seen = line["seq"]
            click.echo(json.dumps(line, sort_keys=True) if form != "table" else _one_line(line))
        if finished:
            return
        clock.sleep(2)


def _show_lines(lines: Iterator[dict[str, Any]]) -> None:
    """Print lines as they come: a log may be longer than anybody wants to wait for, or to keep."""
    shown = 0
    for shown, line in enumerate(lines, 1):
        if shown == 1:
            click.echo(f"{'TIMESTAMP':<19}  {'LEVEL':<8}  MESSAGE")
        click.echo(_one_line(line))
    if not shown:
        say("The run has no log yet.")


def _one_line(line: dict[str, Any]) -> str:
    start = f"{local_time(line['timestamp'])}  {line['level']:<8}  "
    return start + _paragraph(line["message"] or "", " " * 4)


def _paragraph(text: str, indent: str) -> str:
    """Return *text* with the lines of a traceback below each other; control characters are shown, not obeyed."""
    return f"\n{indent}".join(map(printable, text.split("\n")))


def print_watch_line(line: Any) -> None:
    """Print one line of a run that is watched, to people."""
    import logging

    level = logging.getLevelName(line.level)
    at = line.timestamp.astimezone().strftime("%H:%M:%S")
    text = _paragraph(line.message, " " * 4)
    click.secho(f"└── {at} | {level:<7} | {text}", fg=COLORS.get(level), err=True)
