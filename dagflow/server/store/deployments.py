"""
Deployments: named settings under a flow group.

Each group has one called ``default``, which is the group itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Conflict, Invalid, NotFound
from dagflow.server.orchestration.upcoming import missing_defaults
from dagflow.server.store import archives, groups, records, schedules

__all__ = ["change_deployment", "delete_deployment", "get_deployment", "list_deployments", "put_deployment"]

_DEPLOYMENT, _GROUP, _FLOW, _RUN = tables.deployment, tables.flow_group, tables.flow, tables.flow_run
_PROJECT = tables.project

FIELDS = (
    "description", "parameters", "labels", "pool", "queue", "run_config", "schedule", "is_schedule_active", "tags",
    "overlap_policy",
)  # fmt: skip

_WITH_FLOW = (
    _GROUP.c.flow_name,
    _PROJECT.c.name.label("project_name"),
    _FLOW.c.id.label("flow_id"),
)


def _joined(statement: Any) -> Any:
    return statement.join(_PROJECT, _PROJECT.c.id == _GROUP.c.project_id).outerjoin(
        _FLOW, and_(_FLOW.c.flow_group_id == _GROUP.c.id, _FLOW.c.archived.is_(False))
    )


def list_deployments(connection: Connection, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return deployments, those called ``default`` included, by flow and name."""
    columns = {
        "flow_group_id": _GROUP.c.id,
        "flow_name": _GROUP.c.flow_name,
        "project_name": _PROJECT.c.name,
    }
    conditions = [columns[name] == wanted[name] for name in columns if wanted.get(name) is not None]
    named = _joined(select(_DEPLOYMENT, *_WITH_FLOW).join(_GROUP, _GROUP.c.id == _DEPLOYMENT.c.flow_group_id))
    found = [records.record(row) for row in connection.execute(named.where(*conditions))]
    whole = _joined(select(_GROUP, *_WITH_FLOW[1:], _FLOW.c.is_schedule_active).select_from(_GROUP))
    found += [_default(records.record(row)) for row in connection.execute(whole.where(*conditions))]
    name = wanted.get("name")
    return sorted(
        (one for one in found if name is None or one["name"] == name),
        key=lambda one: (one["flow_name"], one["project_name"], one["name"] != "default", one["name"]),
    )


def _default(group: dict[str, Any]) -> dict[str, Any]:
    """Return a group in the shape of a deployment."""
    settings = groups.DEFAULT_SETTINGS | (group["settings"] or {})
    return {
        "id": group["id"],
        "created": group["created"],
        "updated": group["updated"],
        "flow_group_id": group["id"],
        "flow_name": group["flow_name"],
        "project_name": group["project_name"],
        "name": "default",
        "description": group["description"],
        "parameters": group["default_parameters"] or {},
        "labels": group["labels"],
        "pool": None,
        "queue": None,
        "run_config": group["run_config"],
        "schedule": group["schedule"],
        "is_schedule_active": bool(group["is_schedule_active"]),
        "schedule_problem": group["schedule_problem"],
        "tags": group["tags"],
        "overlap_policy": settings["overlap_policy"],
        "flow_id": group["flow_id"],
    }


def get_deployment(connection: Connection, id: str) -> dict[str, Any]:
    """Return a deployment; the id of a group stands for its ``default``."""
    named = _joined(select(_DEPLOYMENT, *_WITH_FLOW).join(_GROUP, _GROUP.c.id == _DEPLOYMENT.c.flow_group_id))
    row = connection.execute(named.where(_DEPLOYMENT.c.id == id)).first()
    if row is not None:
        return records.record(row)
    whole = _joined(select(_GROUP, *_WITH_FLOW[1:], _FLOW.c.is_schedule_active).select_from(_GROUP))
    row = connection.execute(whole.where(_GROUP.c.id == id)).first()
    if row is None:
        raise NotFound.of("deployment", id)
    return _default(records.record(row))


def put_deployment(
    tx: Tx, group_id: str, name: str, values: dict[str, Any], limits: schedules.Limits
) -> dict[str, Any]:
    """Make a deployment, or let the one of that name have these settings."""
    group = groups.get_group(tx.connection, group_id)
    if name == "default":
        raise Conflict("The deployment `default` is the flow group itself: change that.")
    if not name.strip() or "/" in name:
        raise Invalid(f"A deployment's name is not empty and has no '/', found {name!r}.")
    row = tx.execute(
        select(_DEPLOYMENT).where(_DEPLOYMENT.c.flow_group_id == group["id"], _DEPLOYMENT.c.name == name)
    ).first()
    values = {name: values[name] for name in FIELDS if name in values}
    _check(tx, group, values)
    if row is None:
        defaults: dict[str, Any] = {"parameters": {}, "tags": [], "overlap_policy": "allow", "is_schedule_active": True}
        id = records.add(tx, _DEPLOYMENT, flow_group_id=group["id"], name=name, **{**defaults, **values})
        changed = sorted(values)
    else:
        id = row.id
        before = records.record(row)
        changed = sorted(name for name, value in values.items() if before[name] != value)
        if changed:
            records.change(tx, _DEPLOYMENT, id, **values)
    if changed:
        _plan(tx, id, group, limits)
    return {"id": id, "created": row is None, "changed": changed}


def change_deployment(tx: Tx, id: str, changes: dict[str, Any], limits: schedules.Limits) -> None:
    """Change some settings of a deployment."""
    deployment = get_deployment(tx.connection, id)
    if deployment["name"] == "default":
        _change_group(tx, deployment, changes, limits)
        return
    put_deployment(tx, deployment["flow_group_id"], deployment["name"], changes, limits)


def _change_group(tx: Tx, deployment: dict[str, Any], changes: dict[str, Any], limits: schedules.Limits) -> None:
    group_id = deployment["id"]
    plain: dict[str, Any] = {
        name: changes[name] for name in ("description", "labels", "run_config", "tags") if name in changes
    }
    if "parameters" in changes:
        plain["default_parameters"] = changes["parameters"] or {}
    if plain:
        records.change(tx, _GROUP, group_id, **plain)
    if "overlap_policy" in changes:
        groups.change_settings(tx, group_id, {"overlap_policy": changes["overlap_policy"]})
    if "schedule" in changes:
        schedules.set_group_schedule(tx, group_id, changes["schedule"], None, limits)
    if "is_schedule_active" in changes and deployment["flow_id"] is not None:
        schedules.set_active(tx, deployment["flow_id"], bool(changes["is_schedule_active"]), limits)


def _check(tx: Tx, group: dict[str, Any], values: dict[str, Any]) -> None:
    if values.get("schedule") is not None:
        schedules.check_schedule(values["schedule"])
        live = groups.live_version(tx.connection, group["id"])
        defaults = {**(group["default_parameters"] or {}), **(values.get("parameters") or {})}
        lacking = missing_defaults((live or {}).get("parameters") or [], values["schedule"], defaults)
        if lacking:
            raise Invalid(
                f"Runs that this schedule makes would lack the required parameters {', '.join(lacking)}. "
                "Give the deployment parameters with them, or every clock parameter_defaults."
            )
    policy = values.get("overlap_policy", "allow")
    if policy not in groups.OVERLAP_POLICIES:
        raise Invalid(f"overlap_policy is one of {', '.join(groups.OVERLAP_POLICIES)}, found {policy!r}.")
    pool = values.get("pool")
    known = tables.work_pool.c.name
    if pool is not None and tx.execute(select(known).where(known == pool)).first() is None:
        make = f"dagflow work-pool create {pool} --type process"
        raise NotFound(f"There is no work pool {pool!r}. Create it with `{make}`.")


def _plan(tx: Tx, id: str, group: dict[str, Any], limits: schedules.Limits) -> None:
    archives.delete_planned_runs(tx, _RUN.c.deployment_id == id)
    live = groups.live_version(tx.connection, group["id"])
    if live is not None:
        schedules.make_planned_runs(tx, live["id"], limits)


def delete_deployment(tx: Tx, id: str) -> None:
    """Delete a deployment and the runs planned for it."""
    deployment = get_deployment(tx.connection, id)
    if deployment["name"] == "default":
        raise Conflict("The deployment `default` belongs to its flow group and cannot be deleted.")
    archives.delete_planned_runs(tx, _RUN.c.deployment_id == id)
    records.remove(tx, _DEPLOYMENT, id)
