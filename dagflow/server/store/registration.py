"""Registration: a new version of a flow, whole or not at all."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import insert, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.database.statements import Many
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.store import archives, groups, records, schedules
from dagflow.server.store.projects import project_named
from dagflow.server.text import dumped, loaded
from dagflow.utilities.identities import new_id

__all__ = ["check_flow", "register"]

MOST_TASKS = 100_000
_INSERT_TASK = Many(insert(tables.task), [column.name for column in tables.task.c])
_INSERT_EDGE = Many(insert(tables.edge), [column.name for column in tables.edge.c if column.name != "seq"])


def register(
    tx: Tx,
    document: dict[str, Any],
    project_id: str | None,
    project_name: str | None,
    version_group_id: str | None,
    set_schedule_active: bool | None,
    idempotency_key: str | None,
    serialized_hash: str | None = None,
    limits: schedules.Limits = schedules.DEFAULT_LIMITS,
) -> dict[str, Any]:
    """
    Keep a new version of the flow that *document* describes, and archive the one before.

    With the key of the registration before, and a version that is not archived, nothing changes. That the document
    is one is for :func:`check_flow` to see, before.
    """
    project = _project(tx, project_id, project_name)
    group = _group(tx, document, project, version_group_id)
    latest = tx.execute(
        select(tables.flow)
        .where(tables.flow.c.flow_group_id == group["id"])
        .order_by(tables.flow.c.version.desc())
        .limit(1)
    ).first()
    if group["was_there"] and idempotency_key is not None and group["idempotency_key"] == idempotency_key:
        live = groups.live_version(tx.connection, group["id"])
        if live is not None:
            return _answer(tx, live["id"], group, created=False)
    active = _wants_schedule(group, latest, set_schedule_active)
    flow_id = _add_version(tx, document, project, group, (latest.version if latest else 0) + 1, serialized_hash)
    records.change(tx, tables.flow_group, group["id"], idempotency_key=idempotency_key, project_id=project)
    _archive_others(tx, group["id"], flow_id)
    if active:
        schedules.activate_if_possible(tx, flow_id, limits)
    return _answer(tx, flow_id, group, created=True) | {"changed": _changes(latest, document)}


def _project(tx: Tx, id: str | None, name: str | None) -> str:
    if id is None:
        if name is None:
            raise Invalid("Registration needs project_name or project_id.")
        id = project_named(tx.connection, name)
    # Locked, so that of two servers that register the first version of a flow the second finds the group of the first.
    if tx.execute(select(tables.project.c.id).where(tables.project.c.id == id).with_for_update()).first() is None:
        raise NotFound.of("project", id)
    return id


def _group(tx: Tx, document: dict[str, Any], project: str, name: str | None) -> dict[str, Any]:
    """Return the group of versions that the flow belongs to; it is made if there is none."""
    table = tables.flow_group
    flow_name = document.get("name")
    if not isinstance(flow_name, str) or not flow_name:
        raise Invalid("The flow has no name.")
    statement = select(table)
    if name is not None:
        statement = statement.where(table.c.name == name)
    else:
        versions = tables.flow
        newest = (
            select(versions.c.flow_group_id)
            .where(versions.c.name == flow_name, versions.c.project_id == project)
            .order_by(versions.c.created.desc(), versions.c.version.desc())
            .limit(1)
        )
        statement = statement.where(table.c.id == newest.scalar_subquery())
    row = tx.execute(statement.with_for_update()).first()
    if row is not None:
        if row.flow_name != flow_name:
            records.change(tx, table, row.id, flow_name=flow_name)
        return records.record(row) | {"was_there": True}
    id = records.add(
        tx,
        table,
        name=name or str(uuid.uuid4()),
        project_id=project,
        flow_name=flow_name,
        settings=groups.DEFAULT_SETTINGS,
        default_parameters={},
        tags=[],
    )
    return records.fetch(tx.connection, table, id) | {"was_there": False}


def check_flow(document: dict[str, Any]) -> None:
    """
    Refuse what is no description of a flow; without the database, so that nobody who writes waits for it.

    Raises:
        Invalid: when it is none.
    """
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import FlowDocument

    try:
        flow = checked(FlowDocument, document, "flow")
    except ValueError as error:
        raise Invalid(f"This is no description of a flow: {error}") from error
    if len(flow.tasks) + len(flow.parameters) > MOST_TASKS:
        raise Invalid(f"The flow has {len(flow.tasks):,} tasks, and {MOST_TASKS:,} are the most.")
    there: set[str] = set()
    for task in flow.tasks:
        if task.slug in there:
            raise Invalid(f"Two tasks of the flow have the slug {task.slug!r}.")
        there.add(task.slug)
    for one in flow.edges:
        for end in (one.upstream_task.slug, one.downstream_task.slug):
            if end not in there:
                raise Invalid(f"An edge of the flow names the task {end!r}, which is not in it.")


def _wants_schedule(group: dict[str, Any], latest: Any, wanted: bool | None) -> bool:
    """Tell whether the new version's schedule is followed; who does not say leaves it as it was."""
    if wanted is not None:
        return wanted
    return latest is None or not schedules.is_paused(latest._mapping, group)


def _add_version(
    tx: Tx, document: dict[str, Any], project: str, group: dict[str, Any], version: int, serialized_hash: str | None
) -> str:
    flow_id = new_id()
    records.add(
        tx,
        tables.flow,
        id=flow_id,
        flow_group_id=group["id"],
        project_id=project,
        name=document["name"],
        version=version,
        archived=False,
        serialized_flow=document,
        serialized_hash=serialized_hash,
        storage=document.get("storage"),
        run_config=document.get("run_config"),
        parameters=document.get("parameters") or [],
        schedule=document.get("schedule"),
        core_version=document.get("__version__"),
        description=document.get("description"),
        tasks_count=len(document.get("tasks") or ()),
    )
    _add_tasks(tx, document, flow_id)
    return flow_id


def _add_tasks(tx: Tx, document: dict[str, Any], flow_id: str) -> None:
    edges = document.get("edges") or []
    tasks = document.get("tasks") or []
    ids = {one["slug"]: new_id() for one in tasks}
    upstream = {edge["upstream_task"]["slug"] for edge in edges}
    downstream = {edge["downstream_task"]["slug"] for edge in edges}
    mapped = {edge["downstream_task"]["slug"] for edge in edges if edge.get("mapped")}
    named = {one["slug"] for one in document.get("reference_tasks") or ()}
    rows = []
    for one in tasks:
        slug = one["slug"]
        terminal = slug not in upstream
        delay = one.get("retry_delay")
        trigger = one.get("trigger")
        rows.append(
            {
                "id": ids[slug],
                "created": tx.stamp,
                "updated": tx.stamp,
                "flow_id": flow_id,
                "slug": slug,
                "name": one["name"],
                "type": one.get("type"),
                "tags": dumped(one.get("tags") or []),
                "max_retries": one.get("max_retries") or 0,
                "retry_delay": float(delay[0] if isinstance(delay, list) else delay) if delay else None,
                "trigger": dumped(trigger.get("fn")) if isinstance(trigger, dict) else None,
                "cache_key": one.get("cache_key"),
                "auto_generated": bool(one.get("auto_generated")),
                "mapped": slug in mapped,
                "is_root_task": slug not in downstream,
                "is_terminal_task": terminal,
                "is_reference_task": slug in named if named else terminal,
            }
        )
    if rows:
        tx.execute_many(_INSERT_TASK, rows)
    if edges:
        tx.execute_many(_INSERT_EDGE, [_edge_row(flow_id, ids, edge) for edge in edges])


def _edge_row(flow_id: str, ids: dict[str, str], edge: dict[str, Any]) -> dict[str, Any]:
    return {
        "flow_id": flow_id,
        "upstream_task_id": ids[edge["upstream_task"]["slug"]],
        "downstream_task_id": ids[edge["downstream_task"]["slug"]],
        "key": edge.get("key"),
        "mapped": bool(edge.get("mapped")),
        "flattened": bool(edge.get("flattened")),
    }


def _archive_others(tx: Tx, group_id: str, flow_id: str) -> None:
    table = tables.flow
    others = select(table.c.id).where(
        table.c.flow_group_id == group_id, table.c.archived.is_(False), table.c.id != flow_id
    )
    for other in tx.execute(others).scalars().all():
        archives.archive(tx, other)


def _answer(tx: Tx, flow_id: str, group: dict[str, Any], *, created: bool) -> dict[str, Any]:
    table = tables.flow
    row = tx.execute(
        select(table.c.version, table.c.is_schedule_active, table.c.project_id).where(table.c.id == flow_id)
    ).one()
    problem = tx.execute(
        select(tables.flow_group.c.schedule_problem).where(tables.flow_group.c.id == group["id"])
    ).scalar()
    return {
        "id": flow_id,
        "version": row.version,
        "flow_group_id": group["id"],
        "version_group_id": group["name"],
        "created": created,
        "project_id": row.project_id,
        "is_schedule_active": row.is_schedule_active,
        "schedule_problem": problem,
        "changed": [],
    }


def _changes(latest: Any, document: dict[str, Any]) -> list[str]:
    """Return what of the document differs from the version before."""
    if latest is None:
        return []
    before = loaded(latest.serialized_flow)
    return sorted(name for name in {*before, *document} if before.get(name) != document.get(name))
