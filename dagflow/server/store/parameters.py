"""Finding runs by the value of a parameter."""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy import Connection, String, and_, cast, func, literal, or_, select

from dagflow.server.database import tables
from dagflow.server.errors import BadRequest, Invalid
from dagflow.server.text import dumped, parsed

__all__ = ["has_parameter"]

_PARAMETERS = tables.flow_run.c.parameters
MOST_WHOLE = 2**53
"""Whole numbers beyond are compared as SQLite keeps them, which is not to the last digit."""


def has_parameter(connection: Connection, wanted: str) -> Any:
    """
    Return the condition that a run has a parameter with a value, given as ``name=value``; the value is JSON, or text.

    Raises:
        Invalid: for what is not of that form.
    """
    name, sign, text = wanted.partition("=")
    if not sign or not name:
        raise Invalid(f"parameter is to be of the form name=value, found {wanted!r}.")
    values: list[Any] = [text]
    # What is no JSON is text alone.
    with contextlib.suppress(BadRequest):
        values.append(parsed(text.encode()))
    compared = _in_sqlite if connection.dialect.name == "sqlite" else _in_postgresql
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    # Looking for the text of it first is quicker than reading the JSON of all runs.
    return or_(*(and_(find(_PARAMETERS, _text_of(name, one)) > 0, compared(name, one)) for one in values))


def _text_of(name: str, value: Any) -> str:
    """Return what is in the JSON of all runs with that value; of numbers only how all ways to write them begin."""
    if isinstance(value, dict | list):
        return f"{dumped(name)}:"
    if isinstance(value, float) and value.is_integer() and abs(value) < MOST_WHOLE:
        value = int(value)
    return f"{dumped(name)}:{'' if isinstance(value, float) else dumped(value)}"


def _in_postgresql(name: str, value: Any) -> Any:
    from sqlalchemy.dialects.postgresql import JSONB

    found = cast(_PARAMETERS, JSONB).op("->")(literal(name, String))
    return found == cast(literal(dumped(value), String), JSONB)


def _in_sqlite(name: str, value: Any) -> Any:
    one = func.json_each(_PARAMETERS).table_valued("key", "value", "type")
    return select(literal(1)).select_from(one).where(one.c.key == name, *_is(one, value)).exists()


def _is(one: Any, value: Any) -> list[Any]:
    """Return the conditions that a member of a JSON object has a value; SQLite tells the type apart from it."""
    if value is None or isinstance(value, bool):
        return [one.c.type == dumped(value)]
    if isinstance(value, str):
        return [one.c.type == "text", one.c.value == value]
    if isinstance(value, int | float):
        number = value if abs(value) < MOST_WHOLE else float(value)
        return [one.c.type.in_(("integer", "real")), one.c.value == number]
    return [one.c.type.in_(("array", "object")), one.c.value == dumped(value)]
