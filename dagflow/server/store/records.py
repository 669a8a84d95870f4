"""What all nouns share: rows as records, pages of lists, new rows."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, func, insert, or_, select, update

from dagflow.server.database.engine import Tx
from dagflow.server.errors import BadRequest, NotFound
from dagflow.server.text import dumped, loaded
from dagflow.utilities.identities import new_id

__all__ = ["Page", "add", "change", "fetch", "record", "remove", "with_documents"]

MOST_ITEMS = 200

DOCUMENTS = frozenset(
    """
    labels run_config schedule default_parameters settings tags storage parameters context serialized_state
    serialized_flow base_run_config trigger actions data action event
    """.split()  # noqa: SIM905
)
"""Columns that hold JSON text."""


def record(row: Any) -> dict[str, Any]:
    """Return a row as a record, its documents read."""
    return with_documents(dict(row._mapping))


def with_documents(values: dict[str, Any]) -> dict[str, Any]:
    """Read the JSON texts among *values*, in place."""
    for name in DOCUMENTS & values.keys():
        values[name] = loaded(values[name])
    return values


def written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with documents as JSON text."""
    return {name: dumped(value) if name in DOCUMENTS and value is not None else value for name, value in values.items()}


def add(tx: Tx, table: Table, *, id: str | None = None, **values: Any) -> str:
    """Insert a row and return its id."""
    id = id or new_id()
    tx.execute(insert(table), {"id": id, "created": tx.stamp, "updated": tx.stamp, **written(values)})
    return id


def change(tx: Tx, table: Table, id: str, /, **values: Any) -> bool:
    """Change columns of a row; tell whether it was there."""
    done = tx.execute(update(table).where(table.c.id == id).values(updated=tx.stamp, **written(values)))
    return bool(done.rowcount)


def remove(tx: Tx, table: Table, id: str) -> bool:
    """Delete a row, and with it what belongs to it; tell whether it was there."""
    return bool(tx.execute(delete(table).where(table.c.id == id)).rowcount)


def light_columns(table: Table) -> list[Any]:
    """Return the columns of *table* but the description of a flow, which is large and which few need."""
    return [column for column in table.c if column.name != "serialized_flow"]


def fetch(connection: Connection, table: Table, id: str, kind: str | None = None) -> dict[str, Any]:
    """
    Return the record with the given id.

    Raises:
        NotFound: when there is none.
    """
    row = connection.execute(_with_id(table), {"id": id}).first()
    if row is None:
        raise NotFound.of(kind or table.name.replace("_", " "), id)
    return record(row)


@functools.cache
def _with_id(table: Table) -> Select[Any]:
    # Made once for each table: making it takes longer than executing it.
    return select(*light_columns(table)).where(table.c.id == bindparam("id"))


@dataclasses.dataclass(frozen=True)
class Page:
    """What part of a list is wanted: how many, and behind which one."""

    limit: int = 50
    cursor: str | None = None
    count: bool = False

    def of(
        self,
        connection: Connection,
        statement: Select[Any],
        order: Sequence[sqlalchemy.Column[Any]],
        *,
        descending: bool = True,
        make: Callable[[Any], dict[str, Any]] = record,
    ) -> dict[str, Any]:
        """
        Return the page of *statement*, in the order of the columns *order*, of which the last is unique.

        The cursor holds the last row's values, so a page costs the same wherever it is, and rows that come in between
        shift nothing.
        """
        rows = connection.execute(self.part(statement, order, descending=descending)).all()
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        page: dict[str, Any] = {"items": [make(row) for row in rows], "cursor": None}
        if more:
            last = rows[-1]._mapping
            page["cursor"] = _cursor([last[one.name] for one in order])
        if self.count:
            counted = select(func.count()).select_from(statement.order_by(None).limit(10_000).subquery())
            page["count"] = connection.execute(counted).scalar_one()
        return page

    def part(self, statement: Select[Any], order: Sequence[Any], *, descending: bool = True) -> Select[Any]:
        """Return *statement* for the rows of this page, and one more."""
        if self.cursor is not None:
            statement = statement.where(_behind(order, _read_cursor(self.cursor, order), descending))
        return statement.order_by(*((one.desc() if descending else one.asc()) for one in order)).limit(self.limit + 1)


def _behind(order: Sequence[Any], values: Sequence[Any], descending: bool) -> Any:
    """Return the condition for rows behind the one with the given *values*."""
    alternatives = []
    for place, column in enumerate(order):
        value = values[place]
        beyond = column < value if descending else column > value
        alternatives.append(and_(*(order[i] == values[i] for i in range(place)), beyond))
    return or_(*alternatives)


def _cursor(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(dumped(values).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, order: Sequence[Any]) -> list[Any]:
    try:
        values = loaded(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The cursor {cursor[:40]!r} is none of ours; take it from the answer before.") from error
    fits = isinstance(values, list) and len(values) == len(order)
    if not fits or not all(_may_stand_in(column, one) for column, one in zip(order, values, strict=True)):
        raise BadRequest(f"The cursor {cursor[:40]!r} belongs to another list.")
    return list(values)


def _may_stand_in(column: Any, value: Any) -> bool:
    """Tell whether a column can have a value; PostgreSQL refuses to compare others, and knows no NUL."""
    if column.type.python_type is int:
        return type(value) is int and abs(value) < 2**53
    return isinstance(value, str) and "\0" not in value
