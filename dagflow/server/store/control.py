"""What people do to runs: cancel, restart, approve, start at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from dagflow.serialization.schemas import lossless, problems
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.database.statements import among
from dagflow.server.errors import Conflict, Invalid, NotFound
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.orchestration.kinds import FINISHED, RESTARTED, SUCCESSFUL
from dagflow.server.orchestration.rules import TaskRunNow
from dagflow.server.store import logs
from dagflow.server.store.batch import Batch
from dagflow.server.text import loaded

__all__ = ["approve", "cancel", "preview_restart", "restart", "start_now"]

_RUN, _TASK_RUN, _TASK, _EDGE = tables.flow_run, tables.task_run, tables.task, tables.edge


def _read(tx: Tx, run_id: str, actor: str | None) -> tuple[Batch, Any]:
    batch = Batch(tx, actor=actor)
    batch.read_flow_runs([run_id])
    if run_id not in batch.flow_runs:
        raise NotFound.of("flow run", run_id)
    return batch, batch.flow_runs[run_id]


def cancel(tx: Tx, run_id: str, actor: str | None = None, reason: str | None = None) -> str:
    """
    Cancel a run and return its state then.

    One that is being executed becomes Cancelling, which its process notices; one that has finished stays as it is.
    Runs that it started are cancelled too.
    """
    state = _cancel_one(tx, run_id, actor, reason)
    waiting = [] if state in FINISHED - {"Cancelled"} else [run_id]
    seen = {run_id}
    while waiting:
        parent = waiting.pop()
        for child in _unfinished_children(tx, parent):
            # Who started a run is what its sender says, so it may go round in a circle.
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                _cancel_one(tx, child, actor, f"The run that started it, {parent}, was cancelled.")
    return state


def _cancel_one(tx: Tx, run_id: str, actor: str | None, reason: str | None) -> str:
    batch, run = _read(tx, run_id, actor)
    if run.state in FINISHED:
        return str(run.state)
    kind = "Cancelling" if run.state in ("Running", "Cancelling") and run.held else "Cancelled"
    if run.state != kind:
        message = reason or ("Cancelled by hand." if kind == "Cancelled" else "Its process is asked to stop.")
        batch.set_flow_run(wanted_state(run_id, state_document(kind, message), reason=reason))
        batch.save()
        tx.news.append(("cancelling", run_id))
    return str(run.state)


def _unfinished_children(tx: Tx, run_id: str) -> list[str]:
    started = select(_TASK_RUN.c.id).where(_TASK_RUN.c.flow_run_id == run_id).scalar_subquery()
    found = select(_RUN.c.id).where(_RUN.c.parent_task_run_id.in_(started), _RUN.c.state.not_in(FINISHED))
    return list(tx.execute(found).scalars())


def start_now(tx: Tx, run_id: str, actor: str | None = None) -> str:
    """Let a run that waits start at once."""
    batch, run = _read(tx, run_id, actor)
    if run.held or run.state in FINISHED:
        raise Conflict(f"The run is {run.state}; only one that waits can be started.", detail={"state": run.state})
    document = state_document("Scheduled", "Started by hand.", start_time=tx.stamp)
    batch.set_flow_run(wanted_state(run_id, document))
    batch.save()
    return str(run.state)


def approve(tx: Tx, run_id: str, task_run_id: str | None, actor: str | None = None, given: Any = None) -> int:
    """
    Let paused task runs go on, and return how many; all of the run without *task_run_id*.

    *given* goes to those that wait for a value.

    Raises:
        Conflict: when the run has finished.
        Invalid: for a value that is not what one of them waits for.
    """
    batch, run = _read(tx, run_id, actor)
    if run.state in FINISHED:
        raise Conflict(f"The run has finished as {run.state}.", detail={"state": run.state})
    found = select(_TASK_RUN.c.id).where(_TASK_RUN.c.flow_run_id == run_id, _TASK_RUN.c.state == "Paused")
    if task_run_id is not None:
        found = found.where(_TASK_RUN.c.id == task_run_id)
    ids = list(tx.execute(found).scalars())
    batch.read_task_runs(ids if task_run_id is None else [task_run_id])
    wanted_run = batch.task_runs.get(task_run_id or "")
    if task_run_id is not None and (wanted_run is None or wanted_run.flow_run_id != run_id):
        raise NotFound.of("task run", task_run_id)
    for id in ids:
        wanted = _wanted_input(batch.task_runs[id], given)
        batch.set_task_run(wanted_state(id, state_document("Resume", "Approved.", start_time=tx.stamp, **wanted)))
    if run.state == "Paused":
        batch.set_flow_run(wanted_state(run_id, state_document("Resume", "Approved.", start_time=tx.stamp)))
        ids = ids or [run_id]
    batch.save()
    tx.news.append(("ready",))
    return len(ids)


def _wanted_input(run: TaskRunNow, given: Any) -> dict[str, Any]:
    """Return what the state of a run that goes on has to say of the value that it waited for."""
    schema = (loaded(run.serialized_state, {}).get("context") or {}).get("input_schema")
    if not isinstance(schema, dict):
        return {}
    value = lossless(schema, given)
    found = problems(schema, value)
    if found:
        raise Invalid(
            f"The task run waits for a value, and what was given is not what it waits for: {'; '.join(found)}.",
            detail={"task_run_id": run.id, "schema": schema, "problems": found},
        )
    return {"context": {"resume_input": value}}


# --- restart ---------------------------------------------------------------------------------------------------


def restart(
    tx: Tx, run_id: str, from_task_run_id: str | None, actor: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    """
    Run again what failed, and what depends on it; or a chosen task run, and what depends on it.

    A mapped task keeps its children that succeeded, unless one of the tasks that it is mapped over runs again.
    """
    batch, run = _read(tx, run_id, actor)
    rows, again = _to_reset(tx.connection, run_id, run.flow_id, from_task_run_id)
    reset = [row.id for row in rows]
    _refuse_restart(run, reset)
    batch.read_task_runs(reset)
    message = f"Reset by a restart{f' ({reason})' if reason else ''}."
    for id in reset:
        batch.set_task_run(wanted_state(id, state_document("Pending", message), reason=reason))
    document = state_document("Scheduled", f"Restarted{f' ({reason})' if reason else ''}.", start_time=tx.stamp)
    run.times_resurrected = 0
    batch.set_flow_run(wanted_state(run_id, document, reason=reason))
    batch.save()
    logs.add_log(tx, run_id, "INFO", f"Restarted by {actor or 'somebody'}: {len(reset)} task runs will run again.")
    return {"state": run.state, "reset": len(reset), "warnings": _warnings(tx.connection, run_id, run.flow_id, again)}


def preview_restart(connection: Connection, run_id: str, from_task_run_id: str | None) -> dict[str, Any]:
    """
    Return what a restart would run again and warn of, and change nothing.

    Raises:
        Conflict: when the run cannot be restarted.
    """
    run = connection.execute(_RUN_NOW, {"id": run_id}).first()
    if run is None:
        raise NotFound.of("flow run", run_id)
    rows, again = _to_reset(connection, run_id, run.flow_id, from_task_run_id)
    _refuse_restart(run, rows)
    slugs = {row.id: row.slug for row in connection.execute(_SLUGS, {"flow_id": run.flow_id})}
    shown = [
        {"task_run_id": row.id, "slug": slugs.get(row.task_id), "map_index": row.map_index, "state": row.state}
        for row in rows
    ]
    shown.sort(key=lambda one: (one["slug"] or "", one["map_index"]))
    return {"again": shown, "reset": len(rows), "warnings": _warnings(connection, run_id, run.flow_id, again)}


_RUN_NOW = select(_RUN.c.state, _RUN.c.held, _RUN.c.flow_id).where(_RUN.c.id == bindparam("id"))
_SLUGS = select(_TASK.c.id, _TASK.c.slug).where(_TASK.c.flow_id == bindparam("flow_id"))


def _refuse_restart(run: Any, reset: Sequence[Any]) -> None:
    if run.held or (run.state not in FINISHED and not reset):
        raise Conflict(f"The run is {run.state}; only one that has ended, or has failed tasks, can be restarted.",
                       detail={"state": run.state})  # fmt: skip


def _to_reset(connection: Connection, run_id: str, flow_id: str, chosen: str | None) -> tuple[list[Any], set[str]]:
    """Return the task runs to reset, and the tasks of which something runs again."""
    rows = connection.execute(
        select(_TASK_RUN.c.id, _TASK_RUN.c.task_id, _TASK_RUN.c.map_index, _TASK_RUN.c.state).where(
            _TASK_RUN.c.flow_run_id == run_id
        )
    ).all()
    if chosen is not None:
        first = [row for row in rows if row.id == chosen]
        if not first:
            raise NotFound.of("task run", chosen)
    else:
        first = [row for row in rows if row.state in RESTARTED]
    # What failed as a whole stands for its task; a failed child leaves its task's other children alone.
    extents: _Extents = {}
    for row in first:
        if row.map_index < 0:
            extents[row.task_id] = None
        elif (indices := extents.setdefault(row.task_id, set())) is not None:
            indices.add(row.map_index)
    _spread(connection, flow_id, extents)
    reset = [row for row in rows if row.task_id in extents and _covers(extents[row.task_id], row.map_index)]
    return reset, set(extents)


_Extents = dict[str, set[int] | None]
"""Which children of tasks run again; ``None`` stands for the task as a whole."""


def _covers(extent: set[int] | None, map_index: int) -> bool:
    return extent is None or map_index in extent


def _spread(connection: Connection, flow_id: str, extents: _Extents) -> None:
    """
    Add to *extents* what depends on it.

    Along an edge that is mapped a child depends on the one of its own number; over any other edge everything depends on
    everything.
    """
    followers: dict[str, list[tuple[str, bool]]] = {}
    edges = select(_EDGE.c.upstream_task_id, _EDGE.c.downstream_task_id, _EDGE.c.mapped, _EDGE.c.flattened)
    for up, down, mapped, flattened in connection.execute(edges.where(_EDGE.c.flow_id == flow_id)):
        followers.setdefault(up, []).append((down, mapped and not flattened))
    waiting = list(extents)
    while waiting:
        up = waiting.pop()
        for down, is_one_by_one in followers.get(up, ()):
            if _extend(extents, down, extents[up] if is_one_by_one else None):
                waiting.append(down)


def _extend(extents: _Extents, task: str, more: set[int] | None) -> bool:
    """Let more children of a task run again; tell whether that is news."""
    if task in extents and extents[task] is None:
        return False
    before = extents.get(task)
    extents[task] = None if more is None else (before or set()) | more
    return extents[task] != before or more is None


def _warnings(connection: Connection, run_id: str, flow_id: str, again: set[str]) -> list[str]:
    """Return a sentence for each task whose value will be needed and is kept nowhere."""
    edges = select(_EDGE.c.upstream_task_id, _EDGE.c.downstream_task_id).where(
        _EDGE.c.flow_id == flow_id, _EDGE.c.key.is_not(None)
    )
    needed = {up for up, down in connection.execute(edges) if down in again} - again
    runs = (
        select(_TASK.c.slug, _TASK_RUN.c.state, _TASK_RUN.c.serialized_state)
        .join(_TASK, _TASK.c.id == _TASK_RUN.c.task_id)
        .where(_TASK_RUN.c.flow_run_id == run_id, _TASK.c.auto_generated.is_(False))
    )
    lacking = set()
    for row in connection.execute(runs.where(among(_TASK_RUN.c.task_id)), {"ids": needed}):
        result = (loaded(row.serialized_state) or {}).get("_result") or {}
        if row.state in SUCCESSFUL - {"Mapped", "Skipped"} and not result.get("location"):
            lacking.add(row.slug)
    return [
        f"The result of {slug} is needed and was kept nowhere, so the task will run again or its followers will fail. "
        "Give the task a result (result=...) to keep it."
        for slug in sorted(lacking)
    ]
