"""
A batch of states: rows are read together, judged one by one in order, and written together.

Each answer stands for itself; a refused state never spoils its neighbours.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.database.statements import Many, among
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.orchestration.kinds import FINISHED, HELD
from dagflow.server.orchestration.rules import (
    FlowRunNow,
    Refused,
    TaskRunNow,
    Wanted,
    enter,
    flow_run_verdict,
    task_run_verdict,
)
from dagflow.server.store import automations
from dagflow.server.store.labels import full_labels
from dagflow.server.store.tags import TagSlots
from dagflow.server.text import dumped, loaded
from dagflow.utilities.identities import new_id

__all__ = ["Batch"]

_CURRENT = (
    "id", "version", "state", "state_id", "state_message", "state_timestamp", "state_start_time", "state_result",
    "serialized_state", "start_time", "end_time",
)  # fmt: skip
_OF_FLOW_RUN = (
    *_CURRENT, "flow_id", "flow_group_id", "run_token", "held", "heartbeat", "times_resurrected", "agent_id",
)  # fmt: skip
_OF_TASK_RUN = (*_CURRENT, "flow_run_id", "task_id", "map_index", "name", "run_count", "cache_key", "tags")
_CHANGED_FLOW_RUN = (*_CURRENT[1:], "held", "heartbeat", "times_resurrected", "agent_id", "run_token", "updated")
_CHANGED_TASK_RUN = (*_CURRENT[1:], "name", "run_count", "cache_key", "tags", "updated")


@dataclasses.dataclass(slots=True)
class _Entry:
    """A row of a run's history."""

    id: str
    run_id: str
    version: int
    state: str
    timestamp: str
    message: str | None
    start_time: str | None
    serialized_state: str
    token: int | None
    actor: str | None
    reason: str | None


def _columns(table: Any, names: Iterable[str]) -> list[Any]:
    return [table.c[name] for name in names]


def _known(table: Any) -> Any:
    return select(*_columns(table, ("id", "version", "state", "run_id", "message"))).where(among(table.c.id))


_SELECT_FLOW_RUNS = (
    select(*_columns(tables.flow_run, _OF_FLOW_RUN), tables.flow_group.c.settings)
    .join(tables.flow_group, tables.flow_group.c.id == tables.flow_run.c.flow_group_id)
    .where(among(tables.flow_run.c.id))
    .with_for_update(of=tables.flow_run)
)
_SELECT_TASK_RUNS = (
    select(*_columns(tables.task_run, _OF_TASK_RUN)).where(among(tables.task_run.c.id)).with_for_update()
)
_SELECT_UNFINISHED = (
    select(*_columns(tables.task_run, _OF_TASK_RUN))
    .where(tables.task_run.c.flow_run_id == bindparam("flow_run_id"), tables.task_run.c.state.not_in(FINISHED))
    .with_for_update()
)
_SELECT_KNOWN_OF_FLOW_RUNS, _SELECT_KNOWN_OF_TASK_RUNS = _known(tables.flow_run_state), _known(tables.task_run_state)


def _updating(table: Any, names: Iterable[str]) -> Many:
    # A parameter may not have the name of a column that is set.
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    statement = update(table).where(table.c.id == bindparam("row")).values(values)
    return Many(statement, {"row": "id"} | {f"new_{name}": name for name in values}, operator.attrgetter)


_UPDATE_FLOW_RUN = _updating(tables.flow_run, _CHANGED_FLOW_RUN)
_UPDATE_TASK_RUN = _updating(tables.task_run, _CHANGED_TASK_RUN)
_INSERT_TASK_RUN = Many(
    insert(tables.task_run),
    {name: name for name in (*_OF_TASK_RUN, "updated")} | {"created": "updated"},
    operator.attrgetter,
)
_HISTORY = [field.name for field in dataclasses.fields(_Entry)]
_INSERT_FLOW_HISTORY = Many(insert(tables.flow_run_state), _HISTORY, operator.attrgetter)
_INSERT_TASK_HISTORY = Many(insert(tables.task_run_state), _HISTORY, operator.attrgetter)


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
        self._flow_history: list[_Entry] = []
        self._task_history: list[_Entry] = []
        self._slots: TagSlots | None = None

    # --- reading -----------------------------------------------------------------------------------------------

    def read_flow_runs(self, ids: Iterable[str]) -> None:
        """Read flow runs that are not here yet."""
        wanted = {one for one in ids if one not in self.flow_runs}
        if not wanted:
            return
        for row in self.tx.execute(_SELECT_FLOW_RUNS, {"ids": wanted}).all():
            run = FlowRunNow(*row[:-1])
            run.locks_versions = bool(loaded(row.settings).get("version_locking_enabled"))
            self.flow_runs[run.id] = run

    def read_task_runs(self, ids: Iterable[str]) -> None:
        """Read task runs that are not here yet."""
        wanted = {one for one in ids if one not in self.task_runs}
        if wanted:
            for row in self.tx.execute(_SELECT_TASK_RUNS, {"ids": wanted}).all():
                self.task_runs[row[0]] = TaskRunNow(*row)

    def read_known_of_flow_runs(self, wanted: Iterable[Wanted]) -> None:
        """Read which of the states *wanted* were set before, by another copy of the same request."""
        self._read_known(_SELECT_KNOWN_OF_FLOW_RUNS, wanted)

    def read_known_of_task_runs(self, wanted: Iterable[Wanted]) -> None:
        """Read which of the states *wanted* were set before, by another copy of the same request."""
        self._read_known(_SELECT_KNOWN_OF_TASK_RUNS, wanted)

    def _read_known(self, statement: Any, wanted: Iterable[Wanted]) -> None:
        for row in self.tx.execute(statement, {"ids": [one.state_id for one in wanted]}).all():
            self._known[row[0]] = tuple(row)

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
        run.updated = self.tx.stamp
        self._changed[run.id] = run

    def _enter(self, run: FlowRunNow | TaskRunNow, wanted: Wanted) -> None:
        enter(run, wanted, self.tx.stamp)
        run.updated = self.tx.stamp
        self._changed[run.id] = run
        self._known[wanted.state_id] = (wanted.state_id, run.version, run.state, run.id, run.state_message)
        history = self._flow_history if isinstance(run, FlowRunNow) else self._task_history
        history.append(
            _Entry(
                wanted.state_id,
                run.id,
                run.version,
                run.state,
                self.tx.stamp,
                run.state_message,
                run.state_start_time,
                wanted.text,
                wanted.token,
                self.actor,
                wanted.reason,
            )
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
        for row in self.tx.execute(_SELECT_UNFINISHED, {"flow_run_id": run.id}).all():
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
        if self._slots is None:
            self._slots = TagSlots(self.tx, self._changed, self.task_runs)
        return self._slots.full(run, wanted)

    def _count_tags(self, run: TaskRunNow, wanted: Wanted) -> None:
        if self._slots is not None:
            self._slots.count(run, wanted)

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
            self.tx.execute_many(_UPDATE_FLOW_RUN, flow_runs)
        if old:
            self.tx.execute_many(_UPDATE_TASK_RUN, old)
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
        for entry in self._flow_history if enabled else ():
            run = self.flow_runs[entry.run_id]
            automations.queue_state_change(self.tx, enabled, dataclasses.asdict(entry), run.flow_group_id)

    def _insert_task_runs(self, runs: list[TaskRunNow]) -> None:
        for run in runs:
            run.updated = self.tx.stamp
            run.is_new = False
        self.tx.execute_many(_INSERT_TASK_RUN, runs)

    def _note_news(self) -> None:
        touched = {entry.run_id for entry in self._flow_history}
        for id in touched:
            self.tx.news.append(("flow_run", id, self.flow_runs[id].state))
        for id in {self.task_runs[entry.run_id].flow_run_id for entry in self._task_history}:
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
