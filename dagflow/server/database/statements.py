"""Statements whose text is made once, because making it takes longer than most of them take to execute."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy
from pydantic_core import to_json
from sqlalchemy import ARRAY, Connection, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

__all__ = ["Many", "among", "dialect_insert"]


class Many:
    """
    A statement for many rows at once.

    Args:
        statement: a statement of SQLAlchemy's.
        names: its parameters, and where in a row each is found.
        get: how rows are read: :func:`operator.itemgetter` for dictionaries, :func:`operator.attrgetter` for objects.
    """

    def __init__(
        self,
        statement: Any,
        names: Mapping[str, str] | Sequence[str],
        get: Callable[..., Callable[[Any], Any]] = operator.itemgetter,
    ) -> None:
        self.statement = statement
        self.names = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
        self.get = get
        self._texts: dict[str, tuple[str, Callable[[Any], Any]]] = {}

    def execute(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Execute it for each of *rows*."""
        text, values_of = self._texts.get(connection.dialect.name) or self._compiled(connection)
        connection.exec_driver_sql(text, list(map(values_of, rows)))

    def _compiled(self, connection: Connection) -> tuple[str, Callable[[Any], Any]]:
        """Return the text for the connection's dialect, and what reads the values of a row in its order."""
        dialect: Any = connection.dialect
        if not dialect.positional:
            # Psycopg takes values by place as well, and making a dictionary of each row would take as long as sending.
            dialect = type(dialect)(paramstyle="format")
        made = self.statement.compile(dialect=dialect, column_keys=list(self.names))
        found = str(made), self.get(*(self.names[name] for name in made.positiontup))
        self._texts[connection.dialect.name] = found
        return found


class _Ids(TypeDecorator[Any]):
    """A list of identities as one value."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String))

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return to_json(list(value)).decode() if dialect.name == "sqlite" else list(value)


class _Among(ColumnElement[bool]):
    inherit_cache = True
    _traverse_internals = [
        ("column", sqlalchemy.sql.visitors.InternalTraversal.dp_clauseelement),
        ("ids", sqlalchemy.sql.visitors.InternalTraversal.dp_clauseelement),
    ]
    type = sqlalchemy.Boolean()

    def __init__(self, column: Any, ids: Any) -> None:
        self.column = column
        self.ids = ids

    def self_group(self, against: Any = None) -> Any:
        """Return the condition as it is: SQLite searches no index for one that is compared with 1."""
        return self


@compiles(_Among)
def _compile_among(element: _Among, compiler: Any, **others: Any) -> str:
    column, ids = compiler.process(element.column, **others), compiler.process(element.ids, **others)
    return f"{column} = ANY ({ids})"


@compiles(_Among, "sqlite")
def _compile_among_for_sqlite(element: _Among, compiler: Any, **others: Any) -> str:
    column, ids = compiler.process(element.column, **others), compiler.process(element.ids, **others)
    return f"{column} IN (SELECT value FROM json_each({ids}))"


def among(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """
    Return the condition that *column* is one of the identities given as the parameter *name*, however many those are.

    Unlike ``in_`` it sends them as one value: the text of the statement does not change with their number, which
    neither database then limits.
    """
    return _Among(column, bindparam(name, type_=_Ids()))


def dialect_insert(connection: Connection, table: sqlalchemy.Table) -> Any:
    """Return the insert of the connection's own dialect."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as of_sqlite

        return of_sqlite(table)
    from sqlalchemy.dialects.postgresql import insert as of_postgresql

    return of_postgresql(table)
