"""Projects: the folders that flows are registered in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Conflict, Invalid, NotFound
from dagflow.server.store import records
from dagflow.server.store.records import Page

__all__ = ["change_project", "create_project", "delete_project", "get_project", "list_projects", "project_named"]

_PROJECT = tables.project
_FLOW_COUNT = (
    select(func.count())
    .select_from(tables.flow)
    .where(tables.flow.c.project_id == _PROJECT.c.id, tables.flow.c.archived.is_(False))
    .scalar_subquery()
    .label("flow_count")
)
_SELECT = select(_PROJECT, _FLOW_COUNT)


def create_project(tx: Tx, name: str, description: str | None) -> dict[str, Any]:
    """Return the project called *name*, which is made if there is none."""
    if not name.strip():
        raise Invalid("A project needs a name.")
    found = tx.execute(select(_PROJECT.c.id).where(_PROJECT.c.name == name)).scalar()
    if found is not None:
        return {"id": found, "created": False}
    return {"id": records.add(tx, _PROJECT, name=name, description=description), "created": True}


def list_projects(connection: Connection, page: Page, name: str | None) -> dict[str, Any]:
    """Return a page of projects."""
    statement = _SELECT if name is None else _SELECT.where(_PROJECT.c.name == name)
    return page.of(connection, statement, (_PROJECT.c.created, _PROJECT.c.id))


def get_project(connection: Connection, id: str) -> dict[str, Any]:
    """Return a project."""
    row = connection.execute(_SELECT.where(_PROJECT.c.id == id)).first()
    if row is None:
        raise NotFound.of("project", id)
    return records.record(row)


def project_named(connection: Connection, name: str) -> str:
    """Return the id of the project called *name*."""
    found: str | None = connection.execute(select(_PROJECT.c.id).where(_PROJECT.c.name == name)).scalar()
    if found is None:
        raise NotFound(f"Project {name!r} does not exist.", detail={"project_name": name})
    return found


def change_project(tx: Tx, id: str, changes: dict[str, Any]) -> None:
    """Change name or description."""
    name = changes.get("name")
    if "name" in changes and not (isinstance(name, str) and name.strip()):
        raise Invalid("A project needs a name.")
    other = select(_PROJECT.c.id).where(_PROJECT.c.name == name, _PROJECT.c.id != id)
    if name is not None and tx.execute(other).first() is not None:
        raise Conflict(f"There is another project called {name!r}; choose another name.")
    if not tx.execute(update(_PROJECT).where(_PROJECT.c.id == id).values(updated=tx.stamp, **changes)).rowcount:
        raise NotFound.of("project", id)


def delete_project(tx: Tx, id: str) -> None:
    """Delete a project with its flows and all their runs."""
    if not records.remove(tx, _PROJECT, id):
        raise NotFound.of("project", id)
