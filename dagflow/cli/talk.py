"""What commands say to people, all on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from dagflow.cli import CONFLICT, FAILED, NOT_FOUND, visible
from dagflow.engine.summary import printable

__all__ = ["Failure", "InTheWay", "NotFound", "doing", "gathered_warnings", "say", "show_error", "traceback_of"]


class Failure(click.ClickException):
    """A command could not do its work."""

    exit_code = FAILED


class NotFound(Failure):
    """What a command was to work on does not exist."""

    exit_code = NOT_FOUND


def json_or_word(text: str) -> Any:
    """
    Return what somebody typed: JSON if it reads as JSON, else the text itself.

    >>> json_or_word("5"), json_or_word("blue")
    (5, 'blue')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def say(text: str, *, style: str | None = None, newline: bool = True) -> None:
    """Print *text*, in a colour where colours are shown."""
    click.echo(text if style is None else click.style(text, fg=style), err=True, nl=newline)


class InTheWay(Failure):
    """What exists already stands against what a command was to do."""

    exit_code = CONFLICT


@contextmanager
def doing(what: str, quiet: bool = False) -> Iterator[None]:
    """Print *what*, then whether it was done, then what it warned of."""
    with gathered_warnings(quiet):
        if quiet:
            yield
            return
        say(f"{what}...", newline=False)
        try:
            yield
        except BaseException:
            say(" Error", style="red")
            raise
        say(" Done", style="green")


@contextmanager
def gathered_warnings(quiet: bool = False) -> Iterator[None]:
    """Say the warnings of a block after it, one line each."""
    import warnings

    gathered: list[str] = []

    def gather(message: Warning | str, *where: Any, **more: Any) -> None:
        gathered.append(str(message))

    # Only what is shown is changed: filters that the user's script sets stay in force.
    before, warnings.showwarning = warnings.showwarning, gather
    try:
        yield
    finally:
        warnings.showwarning = before
        for one in [] if quiet else gathered:
            say(f"Warning: {printable(one)}", style="yellow")


def show_error(error: click.ClickException) -> None:
    """Print an error that ends a command; how to call it, where it was called wrongly."""
    if isinstance(error, click.UsageError):
        click.UsageError(visible(error.format_message()), error.ctx).show()
        return
    say(f"Error: {visible(error.format_message())}", style="red")


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error in the user's code, without the lines of ours around and below it, indented."""
    import os
    import traceback

    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    told = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = told
    while part is not None:
        kept = [frame for frame in part.stack if not _is_machinery(frame.filename, ours)]
        part.stack = traceback.StackSummary.from_list(kept)
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)
    return "".join(f"    {printable(line)}\n" for line in "".join(told.format()).splitlines())


def _is_machinery(filename: str, ours: str) -> bool:
    return filename.startswith((ours, "<frozen")) or "importlib" in filename
