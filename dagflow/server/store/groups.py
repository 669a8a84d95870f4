"""Flow groups: what all versions of a flow share, and the settings that outlive a registration."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.store import records
from dagflow.server.store.records import Page

__all__ = [
    "DEFAULT_SETTINGS",
    "change_settings",
    "delete_group",
    "get_group",
    "list_groups",
    "live_version",
    "move_group",
]

DEFAULT_SETTINGS: dict[str, Any] = {
    "heartbeat_enabled": True,
    "lazarus_enabled": True,
    "version_locking_enabled": False,
    "resurrection_attempt_limit": None,
    "overlap_policy": "allow",
}
OVERLAP_POLICIES = ("allow", "skip", "queue")
MOST_ATTEMPTS = 1_000_000

_GROUP, _FLOW = tables.flow_group, tables.flow
_SELECT = select(_GROUP, _FLOW.c.id.label("flow_id"), _FLOW.c.is_schedule_active).outerjoin(
    _FLOW, and_(_FLOW.c.flow_group_id == _GROUP.c.id, _FLOW.c.archived.is_(False))
)


_LIVE_VERSION = (
    select(*records.light_columns(_FLOW))
    .where(_FLOW.c.flow_group_id == bindparam("group_id"), _FLOW.c.archived.is_(False))
    .order_by(_FLOW.c.version.desc())
    .limit(1)
)


def live_version(connection: Connection, group_id: str) -> dict[str, Any] | None:
    """Return the version of a group that is not archived, ``None`` when all are."""
    row = connection.execute(_LIVE_VERSION, {"group_id": group_id}).first()
    return None if row is None else records.record(row)


def list_groups(connection: Connection, page: Page, project_id: str | None = None) -> dict[str, Any]:
    """Return a page of groups."""
    statement = _SELECT if project_id is None else _SELECT.where(_GROUP.c.project_id == project_id)
    return page.of(connection, statement, (_GROUP.c.created, _GROUP.c.id), make=_record)


def get_group(connection: Connection, name: str) -> dict[str, Any]:
    """Return the group with the given id or name."""
    row = connection.execute(_SELECT.where(or_(_GROUP.c.id == name, _GROUP.c.name == name))).first()
    if row is None:
        raise NotFound.of("flow group", name)
    return _record(row)


def _record(row: Any) -> dict[str, Any]:
    group = records.record(row)
    group["settings"] = DEFAULT_SETTINGS | (group["settings"] or {})
    group["is_schedule_active"] = bool(group["is_schedule_active"])
    return group


def change_settings(tx: Tx, id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change some of a group's settings and return all of them."""
    group = get_group(tx.connection, id)
    unknown = changes.keys() - DEFAULT_SETTINGS.keys()
    if unknown:
        raise Invalid(f"A flow group has no setting {sorted(unknown)[0]!r}; it has {', '.join(DEFAULT_SETTINGS)}.")
    for name, value in changes.items():
        _check_setting(name, value)
    settings: dict[str, Any] = group["settings"] | changes
    records.change(tx, _GROUP, group["id"], settings=settings)
    return settings


def _check_setting(name: str, value: Any) -> None:
    """Refuse a value that a setting cannot have; the search for lost runs, which reads it later, would fail."""
    if name == "overlap_policy":
        if value not in OVERLAP_POLICIES:
            raise Invalid(f"overlap_policy is one of {', '.join(OVERLAP_POLICIES)}, found {value!r}.")
    elif name == "resurrection_attempt_limit":
        if value is not None and (type(value) is not int or not 0 <= value <= MOST_ATTEMPTS):
            raise Invalid(f"{name} is a whole number of attempts, or null for that of the server; found {value!r}.")
    elif not isinstance(value, bool):
        raise Invalid(f"{name} is true or false, found {value!r}.")


def move_group(tx: Tx, id: str, project_id: str) -> None:
    """Move a group, with all its versions and their runs, to another project."""
    group = get_group(tx.connection, id)
    records.fetch(tx.connection, tables.project, project_id)
    records.change(tx, _GROUP, group["id"], project_id=project_id)
    tx.execute(_FLOW.update().where(_FLOW.c.flow_group_id == group["id"]).values(project_id=project_id))


def delete_group(tx: Tx, id: str) -> None:
    """Delete a group with its versions and all their runs."""
    records.remove(tx, _GROUP, get_group(tx.connection, id)["id"])
