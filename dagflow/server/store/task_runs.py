"""Task runs as they are read, and made when an engine asks for one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.orchestration.kinds import FINISHED, checked, expanded
from dagflow.server.store.batch import Batch
from dagflow.server.store.records import Page
from dagflow.server.store.states import make_task_runs, pending
from dagflow.server.text import loaded
from dagflow.utilities.identities import task_run_id

__all__ = ["cached_states", "get_or_create", "get_task_run", "list_task_runs", "mapped_summary"]

MOST_CACHED = 10_000
"""Task runs that one answer about cached values holds."""

_RUN, _TASK, _FLOW_RUN = tables.task_run, tables.task, tables.flow_run
_SELECT: Select[Any] = select(*_RUN.c, _TASK.c.slug.label("task_slug"), _TASK.c.name.label("task_name")).join(
    _TASK, _TASK.c.id == _RUN.c.task_id
)


def get_task_run(connection: Connection, id: str) -> dict[str, Any]:
    """Return a task run."""
    row = connection.execute(_SELECT.where(_RUN.c.id == id)).first()
    if row is None:
        raise NotFound.of("task run", id)
    return _record(row)


def _record(row: Any) -> dict[str, Any]:
    run = dict(row._mapping)
    run["tags"] = run["tags"].split("\n") if run["tags"] else []
    run["serialized_state"] = loaded(run["serialized_state"])
    return run


def list_task_runs(
    connection: Connection,
    page: Page,
    wanted: dict[str, Any],
    *,
    states: list[str] | None = None,
    mapped: bool | None = None,
    finished: bool | None = None,
) -> dict[str, Any]:
    """Return a page of task runs: those of one flow run by slug and index, others newest first."""
    columns = {
        "flow_run_id": _RUN.c.flow_run_id,
        "task_id": _RUN.c.task_id,
        "task_slug": _TASK.c.slug,
        "map_index": _RUN.c.map_index,
        "name": _RUN.c.name,
    }
    conditions = [columns[name] == value for name, value in wanted.items() if value is not None]
    if states:
        conditions.append(_RUN.c.state.in_(expanded(checked(states))))
    if mapped is not None:
        conditions.append(_RUN.c.map_index >= 0 if mapped else _RUN.c.map_index < 0)
    if finished is not None:
        conditions.append(_RUN.c.state.in_(FINISHED) if finished else _RUN.c.state.not_in(FINISHED))
    statement = _SELECT.where(*conditions)
    if wanted.get("flow_run_id"):
        order: Any = (_TASK.c.slug.label("task_slug"), _RUN.c.map_index)
        return page.of(connection, statement, order, descending=False, make=_record)
    return page.of(connection, statement, (_RUN.c.created, _RUN.c.id), make=_record)


def are_made(connection: Connection, flow_run_id: str) -> bool:
    """Tell whether a flow run has the runs of its tasks; they are made when somebody first looks."""
    statement = select(_FLOW_RUN.c.tasks_made).where(_FLOW_RUN.c.id == flow_run_id)
    return connection.execute(statement).scalar() is not False


def make(tx: Tx, flow_run_id: str) -> None:
    """Let a flow run have the runs of its tasks."""
    batch = Batch(tx)
    make_task_runs(tx, batch, flow_run_id)
    batch.save()


def get_or_create(tx: Tx, flow_run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
    """Return the run of a task, or of one of its children, in a flow run; it is made if there is none."""
    if map_index < -1:
        raise Invalid(f"map_index is -1 for a task that is no mapped child, or 0 and more; found {map_index}.")
    row = tx.execute(
        select(_FLOW_RUN.c.flow_id, _TASK.c.cache_key)
        .join(_TASK, _TASK.c.flow_id == _FLOW_RUN.c.flow_id)
        .where(_FLOW_RUN.c.id == flow_run_id, _TASK.c.id == task_id)
    ).first()
    if row is None:
        raise NotFound(f"There is no flow run {flow_run_id!r} with a task {task_id!r}.")
    id = task_run_id(flow_run_id, task_id, map_index)
    batch = Batch(tx)
    batch.read_task_runs([id])
    if id not in batch.task_runs:
        batch.add_task_runs([pending(flow_run_id, task_id, map_index, row.cache_key)])
        batch.save()
    return get_task_run(tx.connection, id)


def mapped_summary(connection: Connection, id: str) -> dict[str, Any]:
    """Return how many children a mapped task run has, and how many in which state."""
    run = get_task_run(connection, id)
    statement = (
        select(_RUN.c.state, func.count())
        .where(_RUN.c.flow_run_id == run["flow_run_id"], _RUN.c.task_id == run["task_id"], _RUN.c.map_index >= 0)
        .group_by(_RUN.c.state)
    )
    states: dict[str, int] = dict(connection.execute(statement).all())
    return {"count": sum(states.values()), "states": states}


def cached_states(
    connection: Connection,
    task_id: str | None,
    cache_key: str | None,
    created_after: str | None,
    limit: int,
    *,
    per_child: bool = False,
) -> list[dict[str, Any]]:
    """
    Return task runs whose value may be used again, newest first.

    With a key, of all tasks with that key; without, of the same task in all versions of its flow. *limit* counts for
    all of them together, or for each child of a map apart.
    """
    conditions: list[Any] = []
    if cache_key is not None:
        conditions += [_RUN.c.cache_key == cache_key, _RUN.c.state.in_(("Cached", "Success"))]
    else:
        here = select(_TASK.c.slug, tables.flow.c.flow_group_id).join(tables.flow, tables.flow.c.id == _TASK.c.flow_id)
        row = connection.execute(here.where(_TASK.c.id == task_id)).first()
        if row is None:
            return []
        alike = (
            select(_TASK.c.id)
            .join(tables.flow, tables.flow.c.id == _TASK.c.flow_id)
            .where(_TASK.c.slug == row.slug, tables.flow.c.flow_group_id == row.flow_group_id)
        )
        # That there is no key lets the database go straight to the task in its index.
        conditions += [_RUN.c.cache_key.is_(None), _RUN.c.task_id.in_(alike), _RUN.c.state == "Cached"]
    if created_after is not None:
        conditions.append(_RUN.c.state_timestamp >= created_after)
    newest = _RUN.c.state_timestamp.desc()
    if per_child:
        place = func.row_number().over(partition_by=_RUN.c.map_index, order_by=newest).label("place")
        ranked = select(_RUN.c.id, place).where(*conditions).subquery()
        conditions = [_RUN.c.id.in_(select(ranked.c.id).where(ranked.c.place <= limit))]
        limit = MOST_CACHED
    statement = _SELECT.where(*conditions).order_by(newest)
    return [_record(row) for row in connection.execute(statement.limit(limit))]
