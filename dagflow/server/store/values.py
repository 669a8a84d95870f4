"""Keys and values, secrets, artifacts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound, TooLarge
from dagflow.server.store import records
from dagflow.server.text import dumped, loaded

__all__ = ["add_artifact", "change_artifact", "delete_named", "get_value", "list_artifacts", "list_keys", "set_value"]

_KEY, _SECRET, _ARTIFACT, _TASK_RUN = tables.key_value, tables.secret, tables.task_run_artifact, tables.task_run
MOST_VALUE_BYTES = 10_000
MOST_ARTIFACT_BYTES = 1_000_000
ARTIFACT_KINDS = ("link", "markdown", "table", "progress")


def set_value(tx: Tx, key: str, value: Any) -> str:
    """Keep a value under a key, and return the id of the pair."""
    text = dumped(value)
    if not key:
        raise Invalid("A value needs a key that is not empty.")
    size = len(text.encode())
    if size > MOST_VALUE_BYTES:
        raise TooLarge(f"The value of {key!r} has {size:,} bytes, and {MOST_VALUE_BYTES:,} are the most.")
    return _put(tx, _KEY, _KEY.c.key, key, {"key": key, "value": text})


def set_secret(tx: Tx, name: str, encrypted: str) -> str:
    """Keep an encrypted value under a name."""
    if not name:
        raise Invalid("A secret needs a name.")
    return _put(tx, _SECRET, _SECRET.c.name, name, {"name": name, "value": encrypted})


def _put(tx: Tx, table: Any, column: Any, name: str, values: dict[str, Any]) -> str:
    found = tx.execute(select(table.c.id).where(column == name)).scalar()
    if found is not None:
        records.change(tx, table, found, **values)
        return str(found)
    return records.add(tx, table, **values)


def get_value(connection: Connection, key: str) -> Any:
    """Return the value kept under a key."""
    text = connection.execute(select(_KEY.c.value).where(_KEY.c.key == key)).scalar()
    if text is None:
        raise NotFound.of("key", key)
    return loaded(text)


def get_secret(connection: Connection, name: str) -> str:
    """Return the encrypted value of a secret."""
    found: str | None = connection.execute(select(_SECRET.c.value).where(_SECRET.c.name == name)).scalar()
    if found is None:
        raise NotFound.of("secret", name)
    return found


def list_keys(connection: Connection) -> list[dict[str, Any]]:
    """Return all keys, sorted, without their values."""
    statement = select(_KEY.c.id, _KEY.c.key, _KEY.c.updated).order_by(_KEY.c.key)
    return [dict(row._mapping) for row in connection.execute(statement)]


def list_secrets(connection: Connection) -> list[dict[str, Any]]:
    """Return the names of all secrets, sorted."""
    statement = select(_SECRET.c.id, _SECRET.c.name, _SECRET.c.updated).order_by(_SECRET.c.name)
    return [dict(row._mapping) for row in connection.execute(statement)]


def delete_named(tx: Tx, kind: str, name: str) -> None:
    """Delete a key or a secret."""
    table, column = (_KEY, _KEY.c.key) if kind == "key" else (_SECRET, _SECRET.c.name)
    if not tx.execute(table.delete().where(column == name)).rowcount:
        raise NotFound.of(kind, name)


# --- artifacts -------------------------------------------------------------------------------------------------


def add_artifact(
    tx: Tx, id: str | None, task_run_id: str, kind: str, data: Any, key: str | None, description: str | None
) -> str:
    """Keep what a task run wants to show, and return its id."""
    if kind not in ARTIFACT_KINDS:
        raise Invalid(f"An artifact's kind is one of {', '.join(ARTIFACT_KINDS)}, found {kind!r}.")
    _check_size(data)
    if tx.execute(select(_TASK_RUN.c.id).where(_TASK_RUN.c.id == task_run_id)).first() is None:
        raise NotFound.of("task run", task_run_id)
    if id is not None and tx.execute(select(_ARTIFACT.c.id).where(_ARTIFACT.c.id == id)).first() is not None:
        return id
    return records.add(
        tx, _ARTIFACT, id=id, task_run_id=task_run_id, kind=kind, data=data, key=key, description=description
    )


def change_artifact(tx: Tx, id: str, data: Any) -> None:
    """Show something else in an artifact."""
    _check_size(data)
    if not records.change(tx, _ARTIFACT, id, data=data):
        raise NotFound.of("artifact", id)


def _check_size(data: Any) -> None:
    size = len(dumped(data).encode())
    if size > MOST_ARTIFACT_BYTES:
        raise TooLarge(f"The artifact has {size:,} bytes, and {MOST_ARTIFACT_BYTES:,} are the most.")


def list_artifacts(
    connection: Connection, task_run_id: str | None, flow_run_id: str | None, key: str | None
) -> list[dict[str, Any]]:
    """Return artifacts, oldest first."""
    statement = select(_ARTIFACT).join(_TASK_RUN, _TASK_RUN.c.id == _ARTIFACT.c.task_run_id)
    if task_run_id is not None:
        statement = statement.where(_ARTIFACT.c.task_run_id == task_run_id)
    if flow_run_id is not None:
        statement = statement.where(_TASK_RUN.c.flow_run_id == flow_run_id)
    if key is not None:
        statement = statement.where(_ARTIFACT.c.key == key)
    return [records.record(row) for row in connection.execute(statement.order_by(_ARTIFACT.c.created).limit(1000))]
