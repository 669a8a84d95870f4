"""
Who works on a run: taking hold of it, giving it back, and what happens when the holder is lost.

Every hold has a token, which is one higher than the one before. Whoever writes with an older one is told so and stops.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from dagflow.server.clock import at, stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Conflict, NotFound
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.orchestration.kinds import FINISHED, HELD
from dagflow.server.orchestration.names import is_made_up
from dagflow.server.orchestration.rules import FlowRunNow, TaskRunNow
from dagflow.server.store import groups, logs, records
from dagflow.server.store.batch import Batch
from dagflow.server.store.states import make_task_runs
from dagflow.server.text import loaded

__all__ = ["beat", "begin", "check_hold", "holder_of", "lose", "release"]

_RUN, _TASK_RUN, _TASK, _FLOW, _GROUP = tables.flow_run, tables.task_run, tables.task, tables.flow, tables.flow_group


def _locked_run(tx: Tx, run_id: str, batch: Batch | None = None) -> tuple[Batch, FlowRunNow]:
    batch = batch or Batch(tx)
    batch.read_flow_runs([run_id])
    run = batch.flow_runs.get(run_id)
    if run is None:
        raise NotFound.of("flow run", run_id)
    return batch, run


def stale(run: FlowRunNow, token: int) -> Conflict:
    """Return the refusal for a token that is not the current one."""
    return Conflict(
        f"Flow run {run.id} is in other hands by now: token {token} was given, {run.run_token} is current.",
        code="STALE_TOKEN",
        detail={"run_token": run.run_token, "state": run.state},
    )


def check_hold(tx: Tx, run_id: str, token: int) -> None:
    """
    Refuse what somebody asks for who does not have the hold on a run.

    Raises:
        NotFound: when there is no such run.
        Conflict: for another token than the current one, or when nobody works on the run any more.
    """
    row = tx.execute(select(_RUN.c.state, _RUN.c.run_token).where(_RUN.c.id == run_id)).first()
    if row is None:
        raise NotFound.of("flow run", run_id)
    if row.run_token != token or row.state not in HELD:
        raise Conflict(
            f"Flow run {run_id} is {row.state} under token {row.run_token}; nobody with token {token} acts for it.",
            code="STALE_TOKEN",
            detail={"run_token": row.run_token, "state": row.state},
        )


def holder_of(tx: Tx, run_id: str) -> int | None:
    """Return the token of the hold on a run, ``None`` when nobody has one."""
    row = tx.execute(select(_RUN.c.held, _RUN.c.run_token).where(_RUN.c.id == run_id)).first()
    return row.run_token if row is not None and row.held else None


def begin(tx: Tx, run_id: str, token: int | None, lost_after: float, alive: float | None) -> dict[str, Any]:
    """
    Take hold of a run and return all that is needed to execute it.

    Args:
        tx: the transaction.
        run_id: the flow run.
        token: the one that an agent was given with it, ``None`` for none.
        lost_after: seconds without a heartbeat after which a holder counts as lost.
        alive: the latest heartbeat that is not in the database yet.
    """
    batch, run = _locked_run(tx, run_id)
    if token is not None and token != run.run_token:
        raise stale(run, token)
    if run.state not in FINISHED:
        if token is None:
            _refuse_if_alive(tx, run, lost_after, alive)
            run.run_token += 1
        run.held = True
        run.heartbeat = tx.stamp
        batch.touch(run)
    make_task_runs(tx, batch, run_id)
    batch.save()
    return _what_an_engine_needs(tx, run, lost_after)


def _refuse_if_alive(tx: Tx, run: FlowRunNow, lost_after: float, alive: float | None) -> None:
    seen = max(at(run.heartbeat) if run.heartbeat else 0.0, alive or 0.0)
    if run.held and run.state in ("Running", "Cancelling") and tx.now - seen < lost_after:
        raise Conflict(
            f"Flow run {run.id} is being executed: its last heartbeat came {tx.now - seen:.0f} s ago. "
            "Cancel it first, or wait until it has ended.",
            detail={"state": run.state},
        )


def _what_an_engine_needs(tx: Tx, run: FlowRunNow, lost_after: float) -> dict[str, Any]:
    from dagflow.server.store.flow_runs import get_flow_run

    flow = _FLOW
    row = tx.execute(
        select(
            flow.c.id, flow.c.name, flow.c.version, flow.c.storage, flow.c.run_config, flow.c.project_id,
            flow.c.flow_group_id, flow.c.core_version, tables.project.c.name.label("project_name"), _GROUP.c.settings,
        )
        .join(tables.project, tables.project.c.id == flow.c.project_id)
        .join(_GROUP, _GROUP.c.id == flow.c.flow_group_id)
        .where(flow.c.id == run.flow_id)
    ).one()  # fmt: skip
    about = records.record(row)
    settings = groups.DEFAULT_SETTINGS | (about.pop("settings") or {})
    tasks = tx.execute(select(_TASK.c.id, _TASK.c.slug, _TASK.c.tags).where(_TASK.c.flow_id == run.flow_id)).all()
    slugs = {task.id: task.slug for task in tasks}
    columns = ("id", "task_id", "map_index", "version", "name", "run_count", "state", "serialized_state")
    task_runs = [
        records.record(one) | {"task_slug": slugs.get(one.task_id, "")}
        for one in tx.execute(select(*(_TASK_RUN.c[name] for name in columns)).where(_TASK_RUN.c.flow_run_id == run.id))
    ]
    limits = tables.concurrency_limit
    name = tx.execute(select(_RUN.c.name).where(_RUN.c.id == run.id)).scalar()
    return {
        "flow_run": get_flow_run(tx.connection, run.id),
        "is_named": not is_made_up(name or ""),
        "flow": about,
        "run_token": run.run_token,
        "tasks": [{"id": task.id, "slug": task.slug, "tags": loaded(task.tags, [])} for task in tasks],
        "task_runs": task_runs,
        "heartbeat_enabled": settings["heartbeat_enabled"],
        "limited_tags": list(tx.execute(select(limits.c.name).where(limits.c.kind == "task_tag")).scalars()),
        "lost_after": lost_after,
        "server_time": tx.stamp,
    }


def release(tx: Tx, run_id: str, token: int | None, *, reschedule: bool) -> dict[str, Any]:
    """Give a run back that is not finished; with *reschedule* it is taken up again at once."""
    batch, run = _locked_run(tx, run_id)
    if token is not None and token != run.run_token:
        raise stale(run, token)
    if run.state not in FINISHED:
        if reschedule and run.state in ("Running", "Submitted"):
            _reopen_running(tx, batch, run, "The process that ran this task was told to stop.", use_retries=False)
            batch.set_flow_run(
                wanted_state(run_id, state_document("Scheduled", "Given back by its process.", start_time=tx.stamp))
            )
        run.held = False
        batch.touch(run)
        batch.save()
    tx.news.append(("ready",))
    return {"state": run.state}


def beat(tx: Tx, times: dict[str, float]) -> None:
    """Write heartbeats down: those of runs that somebody still holds."""
    for run_id, seconds in times.items():
        tx.execute(update(_RUN).where(_RUN.c.id == run_id, _RUN.c.held.is_(True)).values(heartbeat=stamp(seconds)))


# --- lost ------------------------------------------------------------------------------------------------------


def lose(tx: Tx, run_id: str, token: int | None, reason: str, limit: int) -> str:
    """
    Deal with a run whose process is gone, and return the state it has then.

    What ran is to run again: with one of its retries if it has any left. The flow run is scheduled again, up to *limit*
    times without any task finishing in between.
    """
    batch, run = _locked_run(tx, run_id)
    if run.state in FINISHED or not run.held or (token is not None and token != run.run_token):
        return run.state
    if run.state == "Cancelling":
        _end(batch, run, "Cancelled", f"Cancelled; {reason}")
    elif run.state in HELD:
        _take_up_again(tx, batch, run, reason, limit)
    run.held = False
    batch.touch(run)
    batch.save()
    tx.news.append(("ready",))
    return run.state


def _take_up_again(tx: Tx, batch: Batch, run: FlowRunNow, reason: str, limit: int) -> None:
    settings, agentless = tx.execute(
        select(_GROUP.c.settings, _RUN.c.agentless)
        .join(_RUN, _RUN.c.flow_group_id == _GROUP.c.id)
        .where(_RUN.c.id == run.id)
    ).one()
    options = groups.DEFAULT_SETTINGS | loaded(settings, {})
    own_limit = options["resurrection_attempt_limit"]
    limit = limit if own_limit is None else own_limit
    times = 0 if run.times_resurrected and _has_made_progress(tx, run) else run.times_resurrected
    if agentless or not options["lazarus_enabled"] or times >= limit:
        why = (
            "no agent takes such a run up again"
            if agentless
            else "its flow group has lazarus disabled"
            if not options["lazarus_enabled"]
            else f"it was taken up again {times} times already"
        )
        _fail_running(tx, batch, run, reason)
        message = f"{reason} The run is given up: {why}."
        logs.add_log(tx, run.id, "ERROR", message)
        _end(batch, run, "Failed", message)
        return
    _reopen_running(tx, batch, run, reason, use_retries=True)
    run.times_resurrected = times + 1
    message = f"{reason} Taken up again, attempt {times + 1} of {limit}."
    logs.add_log(tx, run.id, "INFO", message)
    batch.set_flow_run(wanted_state(run.id, state_document("Scheduled", message, start_time=tx.stamp), reason=reason))


def _has_made_progress(tx: Tx, run: FlowRunNow) -> bool:
    """Tell whether a task has finished since the run was scheduled last."""
    flow_states, states = tables.flow_run_state, tables.task_run_state
    last = tx.execute(
        select(func.max(flow_states.c.timestamp)).where(
            flow_states.c.run_id == run.id, flow_states.c.state == "Scheduled"
        )
    ).scalar()
    done = (
        select(states.c.seq)
        .join(_TASK_RUN, _TASK_RUN.c.id == states.c.run_id)
        .where(_TASK_RUN.c.flow_run_id == run.id, states.c.state.in_(FINISHED), states.c.timestamp > (last or ""))
        .limit(1)
    )
    return tx.execute(done).first() is not None


def _running_task_runs(tx: Tx, batch: Batch, run: FlowRunNow) -> list[Any]:
    """Return the running task runs, each with its task's retries and delay."""
    rows = tx.execute(
        select(_TASK_RUN.c.id, _TASK.c.max_retries, _TASK.c.retry_delay)
        .join(_TASK, _TASK.c.id == _TASK_RUN.c.task_id)
        .where(_TASK_RUN.c.flow_run_id == run.id, _TASK_RUN.c.state == "Running")
    ).all()
    batch.read_task_runs(row.id for row in rows)
    return list(rows)


def _reopen_running(tx: Tx, batch: Batch, run: FlowRunNow, reason: str, *, use_retries: bool) -> None:
    states = tables.task_run_state
    for row in _running_task_runs(tx, batch, run):
        used = tx.execute(
            select(func.count()).where(states.c.run_id == row.id, states.c.state == "Retrying")
        ).scalar_one()
        if use_retries and used < row.max_retries:
            # The attempt that was lost: an engine begins with the one after it.
            count = batch.task_runs[row.id].run_count
            start = stamp(tx.now + (row.retry_delay or 0))
            document = state_document("Retrying", f"{reason} One retry is used.", start_time=start, run_count=count)
        else:
            document = state_document("Pending", f"{reason} It will run again.")
        document["context"] = _loop_of(batch.task_runs[row.id])
        batch.set_task_run(wanted_state(row.id, document, reason=reason))


def _loop_of(run: TaskRunNow) -> dict[str, Any]:
    """Return the part of a task run's context that says in which round of its loop it is."""
    loop = (loaded(run.serialized_state, {}).get("context") or {}).get("task_loop")
    return {} if loop is None else {"task_loop": loop}


def _fail_running(tx: Tx, batch: Batch, run: FlowRunNow, reason: str) -> None:
    for row in _running_task_runs(tx, batch, run):
        batch.set_task_run(wanted_state(row.id, state_document("Failed", reason), reason=reason))
        logs.add_log(tx, run.id, "ERROR", reason, row.id)


def _end(batch: Batch, run: FlowRunNow, kind: str, message: str) -> None:
    batch.set_flow_run(wanted_state(run.id, state_document(kind, message), reason=message))
