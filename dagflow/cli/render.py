"""
How commands print data: a table for people, plain columns for pipes, JSON or YAML for programs.

Names, messages and logs come from users and data, so in tables everything that could steer a terminal is written out;
JSON escapes it anyway.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from dagflow.engine.summary import printable

__all__ = ["Columns", "age", "local_time", "one_option", "output_option", "show_record", "show_rows"]

Columns = Mapping[str, str | Callable[[Mapping[str, Any]], Any]]
"""Title → the name of a record's field, or what to show of the record."""


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output`` and ``--json`` to a listing; the command gets the choice as *form*."""
    choice = click.Choice(["table", "json", "yaml"])
    for option in (
        click.option("--json", "form", flag_value="json", help="The same as --output json."),
        click.option("--output", "-o", "form", type=choice, default="table", help="How to print; default is a table."),
    ):
        command = option(command)
    return command


def one_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output`` and ``--json`` to a command that shows one record, as JSON unless asked otherwise."""
    choice = click.Choice(["json", "yaml"])
    for option in (
        click.option("--json", "form", flag_value="json", help="The same as --output json."),
        click.option("--output", "-o", "form", type=choice, default="json", help="How to print; default is JSON."),
    ):
        command = option(command)
    return command


def show_rows(records: Iterable[Mapping[str, Any]], columns: Columns, form: str, empty: str = "Nothing found.") -> None:
    """Print *records*: as a table their *columns*, else all of them."""
    found = list(records)
    if form != "table":
        show_record(found, form)
        return
    rows = [[_cell(record, source) for source in columns.values()] for record in found]
    if not rows:
        click.secho(empty, err=True, fg="yellow")
    elif sys.stdout.isatty():
        _rich_table(list(columns), rows)
    else:
        _plain_table(list(columns), rows)


def show_record(record: Any, form: str) -> None:
    """Print all of *record*, its keys sorted."""
    if form == "yaml":
        import yaml  # type: ignore[import-untyped,unused-ignore]

        click.echo(yaml.safe_dump(json.loads(json.dumps(record, default=str)), sort_keys=True), nl=False)
        return
    click.echo(json.dumps(record, indent=2, sort_keys=True, default=str))


def _cell(record: Mapping[str, Any], source: str | Callable[[Mapping[str, Any]], Any]) -> str:
    value = source(record) if callable(source) else record.get(source)
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set)):
        value = ", ".join(map(str, value))
    return printable(value)


def _rich_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        # What is copied from the table must be whole.
        table.add_column(title, overflow="fold", no_wrap=title == "ID")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    # Rows that are too long for the terminal go on in its next line: cells folded to a few letters cannot be read.
    console.width = max(console.width, console.measure(table, options=console.options.update(max_width=10_000)).maximum)
    console.print(table, crop=False, soft_wrap=True)


def _plain_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def age(text: str | None, now: datetime.datetime | None = None) -> str:
    """
    Return how long ago a time of the server was.

    >>> age("2026-11-20T10:00:00.000000Z", datetime.datetime(2026, 11, 20, 13, tzinfo=datetime.UTC))
    '3 hours ago'
    """
    if not text:
        return ""
    now = now or datetime.datetime.now(datetime.UTC)
    seconds = (now - datetime.datetime.fromisoformat(text)).total_seconds()
    when = "ago" if seconds >= 0 else "from now"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(abs(seconds) // length)
        if count:
            return f"{count} {unit}{'s' * (count > 1)} {when}"
    return "now"


def local_time(text: str | None) -> str:
    """Return a time of the server as a clock on the wall here shows it."""
    if not text:
        return ""
    return datetime.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
