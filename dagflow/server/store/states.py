"""
States of runs: the only place where the state of a run changes.

A batch is applied as a whole: rows are read together, judged one by one in order, and written together. Each answer
stands for itself; a refused state never spoils its neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Many, Tx, portions
from dagflow.server.orchestration.kinds import FINISHED, HELD
from dagflow.server.orchestration.rules import (
    FlowRunNow,
    Refused,
    TaskRunNow,
    Wanted,
    enter,
    flow_run_verdict,
    full_tags,
    tags_in,
    task_run_verdict,
)
from dagflow.server.store import automations
from dagflow.server.store.labels import full_labels
from dagflow.server.text import dumped, loaded
from dagflow.utilities.identities import new_id, task_run_id

__all__ = ["Batch", "Request", "make_task_runs", "pending", "set_many", "state_document", "wanted_state"]

_CURRENT = (
    "id", "version", "state", "state_id", "state_message", "state_timestamp", "state_start_time", "state_result",
    "serialized_state", "start_time", "end_time",
)  # fmt: skip
_OF_FLOW_RUN = (
    *_CURRENT, "flow_id", "flow_group_id", "run_token", "held", "heartbeat", "times_resurrected", "agent_id",
)  # fmt: skip
_OF_TASK_RUN = (*_CURRENT, "flow_run_id", "task_id", "map_index", "name", "run_count", "cache_key", "tags")

_SELECT_FLOW_RUNS = (
    select(
        *(tables.flow_run.c[name] for name in _OF_FLOW_RUN),
        tables.flow_group.c.settings,
    )
    .join(tables.flow_group, tables.flow_group.c.id == tables.flow_run.c.flow_group_id)
    .where(tables.flow_run.c.id.in_(bindparam("ids", expanding=True)))
)
_SELECT_TASK_RUNS = select(*(tables.task_run.c[name] for name in _OF_TASK_RUN)).where(
    tables.task_run.c.id.in_(bindparam("ids", expanding=True))
)

_CHANGED_FLOW_RUN = (*_CURRENT[1:], "held", "heartbeat", "times_resurrected", "agent_id", "run_token")
_CHANGED_TASK_RUN = (*_CURRENT[1:], "name", "run_count", "cache_key", "tags")


_HISTORY = (
    "id", "run_id", "version", "state", "timestamp", "message", "start_time", "serialized_state", "token", "actor",
    "reason",
)  # fmt: skip
_NEW_TASK_RUN = (*_OF_TASK_RUN, "created", "updated")


def _updating(table: Any, names: Iterable[str]) -> Many:
    parameters = [f"new_{name}" for name in (*names, "updated")]
    values: dict[str, Any] = {name.removeprefix("new_"): bindparam(name) for name in parameters}
    return Many(update(table).where(table.c.id == bindparam("row")).values(values), [*parameters, "row"])


_UPDATE_FLOW_RUN = _updating(tables.flow_run, _CHANGED_FLOW_RUN)
_UPDATE_TASK_RUN = _updating(tables.task_run, _CHANGED_TASK_RUN)
_INSERT_TASK_RUN = Many(insert(tables.task_run), _NEW_TASK_RUN)
_INSERT_FLOW_HISTORY = Many(insert(tables.flow_run_state), _HISTORY)
_INSERT_TASK_HISTORY = Many(insert(tables.task_run_state), _HISTORY)


class Batch:
    """
    States to be set in one transaction.

    Args:
        tx: the transaction.
        queue_interval: seconds after which a run that has to queue asks again.
        actor: who sets them, such as ``agent 7f…``.
    """

    def __init__(self, tx: Tx, queue_interval: float = 30.0, actor: str | None = None) -> None:
        self.tx = tx
        self.queue_interval = queue_interval
        self.actor = actor
        self.flow_runs: dict[str, FlowRunNow] = {}
        self.task_runs: dict[str, TaskRunNow] = {}
        self._known: dict[str, tuple[Any, ...]] = {}
        self._changed: dict[str, FlowRunNow | TaskRunNow] = {}
        self._flow_history: list[dict[str, Any]] = []
        self._task_history: list[dict[str, Any]] = []
        self._limits: dict[str, int] | None = None
        self._used: dict[str, int] = {}

    # --- reading -----------------------------------------------------------------------------------------------

    def read_flow_runs(self, ids: Iterable[str]) -> None:
        """Read flow runs that are not here yet."""
        wanted = [one for one in dict.fromkeys(ids) if one not in self.flow_runs]
        if not wanted:
            return
        statement = (
            self.tx.locked(_SELECT_FLOW_RUNS)
            if self.tx.is_sqlite
            else _SELECT_FLOW_RUNS.with_for_update(of=tables.flow_run)
        )
        for row in self._found(statement, wanted):
            run = FlowRunNow(*row[:-1])
            run.locks_versions = bool(loaded(row.settings).get("version_locking_enabled"))
            self.flow_runs[run.id] = run

    def read_task_runs(self, ids: Iterable[str]) -> None:
        """Read task runs that are not here yet."""
        wanted = [one for one in dict.fromkeys(ids) if one not in self.task_runs]
        if wanted:
            for row in self._found(self.tx.locked(_SELECT_TASK_RUNS), wanted):
                self.task_runs[row[0]] = TaskRunNow(*row)

    def read_known(self, table: Any, wanted: Sequence[Wanted]) -> None:
        """Read which of the states *wanted* were set before, by another copy of the same request."""
        statement = select(table.c.id, table.c.version, table.c.state, table.c.run_id, table.c.message).where(
            table.c.id.in_(bindparam("ids", expanding=True))
        )
        for row in self._found(statement, [one.state_id for one in wanted]):
            self._known[row[0]] = tuple(row)

    def _found(self, statement: Any, ids: list[str]) -> Iterator[Any]:
        """Yield the rows that *statement* finds for *ids*, of which there may be more than one statement can name."""
        for some in portions(ids):
            yield from self.tx.execute(statement, {"ids": some})

    # --- setting -----------------------------------------------------------------------------------------------

    def set_flow_run(self, wanted: Wanted) -> dict[str, Any]:
        """Set the state of a flow run that was read, and return the answer."""
        run = self.flow_runs.get(wanted.run_id)
        if run is None:
            return _not_found("flow run", wanted)
        if wanted.state_id in self._known:
            return self._as_before(wanted)
        problem = flow_run_verdict(run, wanted)
        if problem is not None:
            return _refused(run, wanted, problem)
        if wanted.kind == "Running" and run.state not in HELD:
            entered = {id: one.state for id, one in self._changed.items() if isinstance(one, FlowRunNow)}
            full = full_labels(self.tx, run.id, entered)
            if full:
                return _answer("QUEUED", _waiting_for(full), run.version, run.state, wanted)
        self._enter(run, wanted)
        if wanted.kind == "Cancelled":
            self._cancel_task_runs(run, wanted)
        if wanted.kind in FINISHED:
            run.held = False
        return _accepted(run, wanted)

    def set_task_run(self, wanted: Wanted) -> dict[str, Any]:
        """Set the state of a task run that was read, and return the answer."""
        run = self.task_runs.get(wanted.run_id)
        if run is None:
            return _not_found("task run", wanted)
        if wanted.state_id in self._known:
            return self._as_before(wanted)
        flow_run = self.flow_runs[run.flow_run_id]
        problem = task_run_verdict(run, flow_run, wanted)
        if problem is not None:
            return _refused(run, wanted, problem)
        if wanted.kind == "Running":
            full = self._full_tags(run, wanted)
            if full:
                return self._queue(run, wanted, full)
        if wanted.name:
            run.name = wanted.name
        self._keep_inputs(run, wanted)
        self._count_tags(run, wanted)
        self._enter(run, wanted)
        return _accepted(run, wanted)

    def touch(self, run: FlowRunNow | TaskRunNow) -> None:
        """Let what was changed on *run* besides its state be written."""
        self._changed[run.id] = run

    def _enter(self, run: FlowRunNow | TaskRunNow, wanted: Wanted) -> None:
        enter(run, wanted, self.tx.stamp)
        self._changed[run.id] = run
        self._known[wanted.state_id] = (wanted.state_id, run.version, run.state, run.id, run.state_message)
        history = self._flow_history if isinstance(run, FlowRunNow) else self._task_history
        history.append(
            {
                "id": wanted.state_id,
                "run_id": run.id,
                "version": run.version,
                "state": run.state,
                "timestamp": self.tx.stamp,
                "message": run.state_message,
                "start_time": run.state_start_time,
                "serialized_state": wanted.text,
                "token": wanted.token,
                "actor": self.actor,
                "reason": wanted.reason,
            }
        )

    def _as_before(self, wanted: Wanted) -> dict[str, Any]:
        _, version, state, run_id, message = self._known[wanted.state_id]
        if run_id != wanted.run_id:
            problem = Refused("INVALID", "State update failed: its id belongs to a state of another run.")
            return _answer("ERROR", problem.message, version, state, wanted, problem)
        status = "QUEUED" if state == "Queued" and wanted.kind != "Queued" else "SUCCESS"
        return _answer(status, message, version, state, wanted)

    def _cancel_task_runs(self, run: FlowRunNow, wanted: Wanted) -> None:
        """Cancel what of a cancelled flow run has not finished."""
        statement = select(*(tables.task_run.c[name] for name in _OF_TASK_RUN)).where(
            tables.task_run.c.flow_run_id == run.id, tables.task_run.c.state.not_in(FINISHED)
        )
        for row in self.tx.execute(self.tx.locked(statement)):
            self.task_runs.setdefault(row[0], TaskRunNow(*row))
        for task_run in list(self.task_runs.values()):
            if task_run.flow_run_id == run.id and task_run.state not in FINISHED:
                copy = dataclasses.replace(wanted, run_id=task_run.id, state_id=new_id(), name=None)
                self._count_tags(task_run, copy)
                self._enter(task_run, copy)

    def cancel(self, runs: Iterable[TaskRunNow], message: str | None) -> None:
        """Let task runs be cancelled whose flow run was before it had any: nothing would ever end their waiting."""
        for run in runs:
            self._enter(run, wanted_state(run.id, state_document("Cancelled", message)))

    def _keep_inputs(self, run: TaskRunNow, wanted: Wanted) -> None:
        """Carry inputs that were kept with the state before over to one that has none."""
        if wanted.document.get("cached_inputs") or '"cached_inputs":{"' not in (run.serialized_state or ""):
            return
        wanted.document = wanted.document | {"cached_inputs": loaded(run.serialized_state).get("cached_inputs")}
        wanted.text = dumped(wanted.document)

    # --- limits ------------------------------------------------------------------------------------------------

    def _full_tags(self, run: TaskRunNow, wanted: Wanted) -> list[str]:
        if self._limits is None:
            self._read_limits()
        if not self._limits:
            return []
        tags = self._tags_of(run, wanted)
        if run.state == "Running":
            return []
        return full_tags(tags, self._limits, self._used)

    def _tags_of(self, run: TaskRunNow, wanted: Wanted) -> set[str]:
        tags = tags_in(wanted.document)
        if tags is None:
            registered = self.tx.execute(select(tables.task.c.tags).where(tables.task.c.id == run.task_id)).scalar()
            tags = loaded(registered, [])
            context = wanted.document.get("context")
            wanted.document = wanted.document | {
                "context": {**(context if isinstance(context, dict) else {}), "tags": tags}
            }
        return set(tags)

    def _read_limits(self) -> None:
        limits = tables.concurrency_limit
        # Locked, so that of two servers on one PostgreSQL the second counts what the first lets run.
        wanted = self.tx.locked(select(limits.c.name, limits.c.limit).where(limits.c.kind == "task_tag"))
        found = self.tx.execute(wanted.order_by(limits.c.name)).all()
        self._limits = {row.name: row.limit for row in found}
        if not self._limits:
            return
        runs = tables.task_run
        running = select(runs.c.id, runs.c.tags).where(runs.c.state == "Running", runs.c.tags.is_not(None))
        for id, tags in self.tx.execute(running):
            here = self.task_runs.get(id)
            if here is None or id not in self._changed:
                self._add_used(tags, 1)
        for run in self._changed.values():
            if isinstance(run, TaskRunNow) and run.state == "Running":
                self._add_used(run.tags, 1)

    def _count_tags(self, run: TaskRunNow, wanted: Wanted) -> None:
        """Keep the count of used slots right within the batch."""
        if not self._limits:
            return
        if run.state == "Running":
            self._add_used(run.tags, -1)
        if wanted.kind == "Running":
            self._add_used("\n".join(tags_in(wanted.document) or ()), 1)

    def _add_used(self, tags: str | None, number: int) -> None:
        for tag in (tags or "").split("\n"):
            if tag:
                self._used[tag] = self._used.get(tag, 0) + number

    def _queue(self, run: TaskRunNow, wanted: Wanted, full: list[str]) -> dict[str, Any]:
        message = _waiting_for(full)
        if run.state != "Queued":
            inner = wanted.document if run.serialized_state is None else loaded(run.serialized_state)
            document = {
                "type": "Queued",
                "message": message,
                "context": {"tags": full},
                "cached_inputs": {},
                "_result": wanted.document.get("_result"),
                "state": inner,
                "start_time": stamp(self.tx.now + self.queue_interval),
                "__version__": wanted.document.get("__version__"),
            }
            self._enter(run, dataclasses.replace(wanted, document=document, text=dumped(document)))
        return _answer("QUEUED", message, run.version, run.state, wanted)

    # --- writing -----------------------------------------------------------------------------------------------

    def add_task_runs(self, runs: Iterable[TaskRunNow]) -> None:
        """Let task runs be that are not in the database yet."""
        for run in runs:
            self.task_runs[run.id] = run

    def save(self) -> None:
        """Write what has changed, and note the news."""
        new = [run for run in self.task_runs.values() if run.is_new]
        flow_runs = [run for run in self._changed.values() if isinstance(run, FlowRunNow)]
        old = [run for run in self._changed.values() if isinstance(run, TaskRunNow) and not run.is_new]
        if new:
            self._insert_task_runs(new)
        if flow_runs:
            self.tx.execute_many(_UPDATE_FLOW_RUN, self._values(flow_runs, _CHANGED_FLOW_RUN))
        if old:
            self.tx.execute_many(_UPDATE_TASK_RUN, self._values(old, _CHANGED_TASK_RUN))
        if self._flow_history:
            self.tx.execute_many(_INSERT_FLOW_HISTORY, self._flow_history)
        if self._task_history:
            self.tx.execute_many(_INSERT_TASK_HISTORY, self._task_history)
        self._tell_automations()
        self._note_news()

    def _tell_automations(self) -> None:
        """Queue what automations have to do about changes of flow runs, in the same transaction."""
        if not self._flow_history:
            return
        enabled = automations.triggers(self.tx)
        for row in self._flow_history if enabled else ():
            run = self.flow_runs[row["run_id"]]
            automations.queue_state_change(self.tx, enabled, row, run.flow_group_id)

    def _values(self, runs: Iterable[Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
        keys = ("row", *(f"new_{name}" for name in names))
        get = attrgetter("id", *names)
        rows = [dict(zip(keys, get(run), strict=True)) for run in runs]
        for row in rows:
            row["new_updated"] = self.tx.stamp
        return rows

    def _insert_task_runs(self, runs: list[TaskRunNow]) -> None:
        rows = []
        for run in runs:
            row = {name: getattr(run, name) for name in _OF_TASK_RUN}
            row["created"] = row["updated"] = self.tx.stamp
            rows.append(row)
            run.is_new = False
        self.tx.execute_many(_INSERT_TASK_RUN, rows)

    def _note_news(self) -> None:
        touched = {row["run_id"] for row in self._flow_history}
        for id in touched:
            self.tx.news.append(("flow_run", id, self.flow_runs[id].state))
        for id in {self.task_runs[row["run_id"]].flow_run_id for row in self._task_history}:
            if id not in touched:
                self.tx.news.append(("task_run", id))


def _waiting_for(full: Iterable[str]) -> str:
    return f"Waiting for a free slot of the limit on {', '.join(map(repr, full))}."


def _accepted(run: FlowRunNow | TaskRunNow, wanted: Wanted) -> dict[str, Any]:
    return _answer("SUCCESS", run.state_message, run.version, run.state, wanted)


def _refused(run: FlowRunNow | TaskRunNow, wanted: Wanted, problem: Refused) -> dict[str, Any]:
    return _answer("ERROR", problem.message, run.version, run.state, wanted, problem)


def _not_found(kind: str, wanted: Wanted) -> dict[str, Any]:
    problem = Refused("NOT_FOUND", f"State update failed: there is no {kind} {wanted.run_id!r}.")
    return _answer("ERROR", problem.message, None, None, wanted, problem)


def _answer(
    status: str,
    message: str | None,
    version: int | None,
    state: str | None,
    wanted: Wanted,
    problem: Refused | None = None,
) -> dict[str, Any]:
    answer = {
        "status": status,
        "message": message,
        "version": version,
        "state": state,
        "id": wanted.run_id,
        "state_id": wanted.state_id,
    }
    if problem is not None:
        answer["code"] = problem.code
        answer["detail"] = problem.detail
    return answer


# --- whole requests --------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Request:
    """States that one request wants to set."""

    flow_runs: list[Wanted]
    task_runs: list[Wanted]
    actor: str | None = None
    queue_interval: float = 30.0


def set_many(tx: Tx, requests: Sequence[Request]) -> list[dict[str, list[dict[str, Any]]]]:
    """Set the states of several requests, in order, and return the answers to each."""
    batch = Batch(tx, requests[0].queue_interval)
    flow_runs = [one for request in requests for one in request.flow_runs]
    task_runs = [one for request in requests for one in request.task_runs]
    if task_runs:
        batch.read_task_runs(one.run_id for one in task_runs)
        batch.read_known(tables.task_run_state, task_runs)
    if flow_runs:
        batch.read_known(tables.flow_run_state, flow_runs)
    there = batch.task_runs
    needed = [
        one.flow_run_id or there[one.run_id].flow_run_id for one in task_runs if one.flow_run_id or one.run_id in there
    ]
    batch.read_flow_runs([one.run_id for one in flow_runs] + needed)
    _make_missing(tx, batch, task_runs)
    answers = []
    for request in requests:
        batch.actor = request.actor
        answers.append(_set_one(batch, request))
    batch.save()
    return answers


def _set_one(batch: Batch, request: Request) -> dict[str, list[dict[str, Any]]]:
    """Set the states of one request: first flow runs that begin, then task runs, then other flow runs."""
    first = [one.kind == "Running" for one in request.flow_runs]
    outcomes: list[Any] = [None] * len(first)
    for place, one in enumerate(request.flow_runs):
        if first[place]:
            outcomes[place] = batch.set_flow_run(one)
    tasks = [batch.set_task_run(one) for one in request.task_runs]
    for place, one in enumerate(request.flow_runs):
        if not first[place]:
            outcomes[place] = batch.set_flow_run(one)
    return {"flow_runs": outcomes, "task_runs": tasks}


def _make_missing(tx: Tx, batch: Batch, wanted: Iterable[Wanted]) -> None:
    """Let the runs of mapped children be that are named by what they belong to and are not there yet."""
    missing = [
        one
        for one in wanted
        if one.run_id not in batch.task_runs and one.task_id is not None and one.flow_run_id in batch.flow_runs
    ]
    if not missing:
        return
    tasks = tables.task
    known = {
        (row.id, row.flow_id): row.cache_key
        for row in tx.execute(
            select(tasks.c.id, tasks.c.flow_id, tasks.c.cache_key).where(
                tasks.c.id.in_({one.task_id for one in missing if one.task_id})
            )
        )
    }
    for one in missing:
        flow_run = batch.flow_runs[one.flow_run_id or ""]
        if (one.task_id, flow_run.flow_id) in known and one.run_id not in batch.task_runs:
            run = pending(one.flow_run_id or "", one.task_id or "", one.map_index, known[one.task_id, flow_run.flow_id])
            batch.add_task_runs([run])


def pending(flow_run_id: str, task_id: str, map_index: int, cache_key: str | None = None) -> TaskRunNow:
    """Return a task run that nothing has happened to."""
    return TaskRunNow(
        id=task_run_id(flow_run_id, task_id, map_index),
        version=0,
        state="Pending",
        state_id=None,
        state_message=None,
        state_timestamp=None,
        state_start_time=None,
        state_result=None,
        serialized_state=None,
        start_time=None,
        end_time=None,
        flow_run_id=flow_run_id,
        task_id=task_id,
        map_index=map_index,
        name=None,
        run_count=0,
        cache_key=cache_key,
        tags=None,
        is_new=True,
    )


def make_task_runs(tx: Tx, batch: Batch, flow_run_id: str) -> None:
    """Let a flow run have the runs of its unmapped tasks, if it has none."""
    runs, tasks = tables.flow_run, tables.task
    columns = (runs.c.flow_id, runs.c.tasks_made, runs.c.state, runs.c.state_message)
    row = tx.execute(select(*columns).where(runs.c.id == flow_run_id)).first()
    if row is None or row.tasks_made:
        return
    found = tx.execute(select(tasks.c.id, tasks.c.cache_key).where(tasks.c.flow_id == row.flow_id)).all()
    new = [pending(flow_run_id, id, -1, key) for id, key in found]
    batch.read_task_runs(run.id for run in new)
    missing = [run for run in new if run.id not in batch.task_runs]
    batch.add_task_runs(missing)
    if row.state == "Cancelled":
        batch.cancel(missing, row.state_message)
    tx.execute(update(runs).where(runs.c.id == flow_run_id).values(tasks_made=True))


def wanted_state(run_id: str, document: dict[str, Any], **others: Any) -> Wanted:
    """Return a state of the server's own making, to be set."""
    return Wanted(run_id, document, dumped(document), others.pop("state_id", None) or new_id(), **others)


def state_document(kind: str, message: str | None = None, **others: Any) -> dict[str, Any]:
    """
    Return the document of a state that the server makes.

    >>> state_document("Cancelled", "By hand.")["type"]
    'Cancelled'
    """
    from dagflow.serialization.common import VERSION

    return {
        "type": kind,
        "message": message,
        "context": {},
        "cached_inputs": {},
        "_result": {"type": "NoResultType", "__version__": VERSION},
        **others,
        "__version__": VERSION,
    }
