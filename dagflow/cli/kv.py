"""``dagflow kv``: values under keys."""

from __future__ import annotations

import json
import sys

import click

from dagflow.cli import visible
from dagflow.cli.connection import connected
from dagflow.cli.render import output_option, show_record, show_rows
from dagflow.cli.talk import Failure, NotFound, json_or_word, say
from dagflow.engine.summary import printable

__all__ = ["kv"]


@click.group()
def kv() -> None:
    """Keep values under keys."""


@kv.command("set")
@click.argument("key")
@click.argument("value")
def set_value(key: str, value: str) -> None:
    """Keep VALUE under KEY; it is JSON if it reads as JSON, else text."""
    from dagflow.backend.kv_store import set_key_value

    with connected() as client:
        try:
            set_key_value(key, json_or_word(value), client=client)
        except ValueError as error:
            _passed_on(error)
            raise Failure(str(error)) from error
    say(f"Key {printable(key)} set.", style="green")


@kv.command("get")
@click.argument("key")
def get_value(key: str) -> None:
    """Print the value under KEY: text as it is, anything else as JSON; on a terminal, what could steer it is shown."""
    from dagflow.backend.kv_store import get_key_value

    with connected() as client:
        try:
            value = get_key_value(key, client=client)
        except ValueError as error:
            _passed_on(error)
            raise NotFound(f"{error} List keys with `dagflow kv list`.") from error
    text = value if isinstance(value, str) else json.dumps(value)
    # A program or a file gets the value to the letter.
    is_terminal = sys.stdout.isatty()
    click.echo(visible(text) if is_terminal else text, color=None if is_terminal else True)


@kv.command("delete")
@click.argument("key")
def delete_value(key: str) -> None:
    """Remove KEY."""
    from dagflow.backend.kv_store import delete_key

    with connected() as client:
        try:
            delete_key(key, client=client)
        except ValueError as error:
            _passed_on(error)
            raise NotFound(str(error)) from error
    say(f"Key {printable(key)} deleted.", style="green")


@kv.command("list")
@output_option
def list_values(form: str) -> None:
    """List the keys."""
    from dagflow.backend.kv_store import list_keys

    with connected() as client:
        keys = list_keys(client=client)
    if form != "table":
        show_record(keys, form)
        return
    show_rows([{"key": key} for key in keys], {"KEY": "key"}, form, "No keys found.")


def _passed_on(error: ValueError) -> None:
    """Let an answer of the server that is no such key end the command with its own code."""
    from dagflow.exceptions import ClientError

    if isinstance(error, ClientError):
        raise error
