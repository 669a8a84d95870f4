"""Handing due runs to agents, each to one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, cast, func, or_, select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.orchestration.kinds import HELD, READY
from dagflow.server.store import groups, records
from dagflow.server.store.batch import Batch
from dagflow.server.store.labels import label_limits
from dagflow.server.text import dumped, loaded

__all__ = ["Asking", "claim", "next_due", "runs_in_queue"]

_RUN, _TASK_RUN, _FLOW, _GROUP = tables.flow_run, tables.task_run, tables.flow, tables.flow_group
_POOL, _QUEUE = tables.work_pool, tables.work_queue
LOOKED_AT_FIRST = 10
LOOKED_AT = 500
"""Candidates looked at for one claim; more are looked at by the next one."""
MOST_LABELS_FOR_SUBSETS = 8


DUE_RUNS = (
    select(
        _RUN.c.id, _RUN.c.labels, _RUN.c.state, _RUN.c.state_start_time, _RUN.c.pool, _RUN.c.queue,
        _RUN.c.flow_group_id, _RUN.c.flow_id, tables.deployment.c.overlap_policy.label("policy"), _GROUP.c.settings,
    )
    .join(_GROUP, _GROUP.c.id == _RUN.c.flow_group_id)
    .outerjoin(tables.deployment, tables.deployment.c.id == _RUN.c.deployment_id)
)  # fmt: skip
_ACTIVE = (
    select(_RUN.c.id)
    .where(
        _RUN.c.flow_group_id == bindparam("group_id"), _RUN.c.state.in_(HELD), _RUN.c.id != bindparam("besides")
    )
    .limit(1)
)
_HANDED_OUT = (
    select(
        _FLOW.c.id, _FLOW.c.name, _FLOW.c.version, _FLOW.c.storage, _FLOW.c.run_config, _FLOW.c.core_version,
        _FLOW.c.flow_group_id, tables.project.c.name.label("project_name"),
        _GROUP.c.run_config.label("group_run_config"), _GROUP.c.settings,
    )
    .join(tables.project, tables.project.c.id == _FLOW.c.project_id)
    .join(_GROUP, _GROUP.c.id == _FLOW.c.flow_group_id)
    .where(_FLOW.c.id == bindparam("flow_id"))
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Asking:
    """What an agent asks for: its labels, how many runs it can take, and where from."""

    agent_id: str | None
    labels: tuple[str, ...]
    limit: int = 1
    pool: str | None = None
    queues: tuple[str, ...] = ()
    flow_ids: tuple[str, ...] = ()


def matches(run_labels: Iterable[str], agent_labels: Iterable[str]) -> bool:
    """
    Tell whether an agent takes a run: it has all labels of the run, and some only if the run has some.

    >>> matches([], []), matches([], ["a"]), matches(["a"], ["a", "b"]), matches(["a"], [])
    (True, False, True, False)
    """
    wanted, has = set(run_labels), set(agent_labels)
    return wanted <= has if wanted else not has


def claim(tx: Tx, asking: Asking) -> list[dict[str, Any]]:
    """Take due runs for an agent: write that they are submitted, and give each a new token."""
    batch = Batch(tx, actor=f"agent {asking.agent_id}")
    taken: list[tuple[str, bool]] = []
    room = _Room(tx)
    for row in _candidates(tx, asking):
        if len(taken) == asking.limit:
            break
        if not room.has_place(row):
            continue
        batch.read_flow_runs([row.id])
        policy = room.overlap(row)
        if policy == "skip":
            _skip(batch, row)
        elif policy is None:
            taken.append(_take(tx, batch, row, asking))
            room.add(row)
    batch.save()
    return [_handed_out(tx, id, continues) for id, continues in taken]


def _candidates(tx: Tx, asking: Asking) -> Iterator[Any]:
    """Yield the due runs that fit the agent's labels, by priority and time."""
    now = tx.stamp
    due_tasks = (
        select(_TASK_RUN.c.flow_run_id)
        .where(_TASK_RUN.c.state.in_(READY), _TASK_RUN.c.state_start_time <= now)
        .scalar_subquery()
    )
    ready = _RUN.c.state.in_(READY) & (_RUN.c.state_start_time <= now)
    waiting = and_(_RUN.c.state == "Running", _RUN.c.held.is_(False), _RUN.c.id.in_(due_tasks))
    for condition in (ready, waiting):
        statement = DUE_RUNS.where(condition, *_fitting(tx, asking))
        statement = statement.order_by(*_order(asking), _RUN.c.state_start_time, _RUN.c.id)
        # The first few are nearly always enough; what is looked at is locked, and locking is work.
        few = asking.limit + LOOKED_AT_FIRST
        for offset, limit in ((0, few), (few, LOOKED_AT)):
            part = statement.limit(limit).offset(offset)
            rows = tx.execute(part.with_for_update(skip_locked=True, of=_RUN)).all()
            yield from (row for row in rows if _fits(row, asking))
            if len(rows) < limit:
                break


def _fitting(tx: Tx, asking: Asking) -> list[Any]:
    """Return the conditions of runs that the agent takes, so that runs for others cannot fill what is looked at."""
    conditions: list[Any] = [_RUN.c.pool.is_(None) if asking.pool is None else _RUN.c.pool == asking.pool]
    if asking.queues:
        conditions.append(_RUN.c.queue.in_(asking.queues))
    if asking.flow_ids:
        conditions.append(_RUN.c.flow_id.in_(asking.flow_ids))
    if asking.pool is not None:
        conditions.append(_within(tx.connection, [*asking.labels, f"pool:{asking.pool}"]))
    else:
        conditions += _matching(tx.connection, asking.labels)
    return conditions


def _matching(connection: Connection, labels: Sequence[str]) -> list[Any]:
    """Return the conditions that the labels of a run match those of an agent; see :func:`matches`."""
    if len(labels) <= MOST_LABELS_FOR_SUBSETS:
        return [_RUN.c.labels.in_(_label_texts(sorted(set(labels))))]
    return [_RUN.c.labels != "[]", _within(connection, labels)]


def _within(connection: Connection, labels: Sequence[str]) -> Any:
    """Return the condition that a run has no other labels than these."""
    if connection.dialect.name != "sqlite":
        from sqlalchemy.dialects.postgresql import JSONB

        return cast(_RUN.c.labels, JSONB).contained_by(cast(list(labels), JSONB))
    one = func.json_each(_RUN.c.labels).table_valued("value")
    return ~select(one.c.value).where(one.c.value.not_in(labels)).exists()


def _label_texts(labels: Sequence[str]) -> list[str]:
    """Return, as the database keeps them, the label lists of all runs that an agent with *labels* takes."""
    if not labels:
        return ["[]"]
    sizes = range(1, len(labels) + 1)
    return [dumped(list(some)) for size in sizes for some in itertools.combinations(labels, size)]


def _fits(row: Any, asking: Asking) -> bool:
    labels = set(loaded(row.labels, []))
    if asking.pool is not None:
        return labels <= {*asking.labels, f"pool:{asking.pool}"}
    return matches(labels, asking.labels)


def _order(asking: Asking) -> list[Any]:
    if asking.pool is None:
        return []
    priority = (
        select(func.coalesce(func.max(_QUEUE.c.priority), 0))
        .join(_POOL, _POOL.c.id == _QUEUE.c.work_pool_id)
        .where(_POOL.c.name == asking.pool, _QUEUE.c.name == _RUN.c.queue)
        .scalar_subquery()
    )
    return [case((_RUN.c.queue.is_(None), 0), else_=priority)]


class _Room:
    """How many more runs limits, pools and overlap policies let begin; read when first asked, counted on from there."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.limits = label_limits(tx)
        self.used: dict[str, int] = {}
        self.pools: dict[str, Any] = {}
        if self.limits:
            for labels in tx.execute(select(_RUN.c.labels).where(_RUN.c.state.in_(HELD))).scalars():
                self._count(loaded(labels, []))

    def _count(self, labels: Iterable[str]) -> None:
        for label in labels:
            if label in self.limits:
                self.used[label] = self.used.get(label, 0) + 1

    def has_place(self, row: Any) -> bool:
        """Tell whether labels and pool of a run leave it a place."""
        if row.state == "Running":
            return True
        full = self.limits and any(
            label in self.limits and self.used.get(label, 0) >= self.limits[label] for label in loaded(row.labels, [])
        )
        return not full and (row.pool is None or self._pool_has_place(row.pool, row.queue or "default"))

    def _pool_has_place(self, pool: str, queue: str) -> bool:
        if pool not in self.pools:
            self.pools[pool] = self._read_pool(pool)
        limits, used = self.pools[pool]
        return all(limits.get(key) is None or used.get(key, 0) < limits[key] for key in (None, queue))

    def _read_pool(self, pool: str) -> tuple[dict[str | None, int | None], dict[str | None, int]]:
        row = self.tx.execute(select(_POOL).where(_POOL.c.name == pool)).first()
        if row is None:
            return {}, {}
        limits: dict[str | None, int | None] = {None: 0 if row.paused else row.limit}
        queues = select(_QUEUE.c.name, _QUEUE.c.limit).where(_QUEUE.c.work_pool_id == row.id)
        limits.update({one.name: one.limit for one in self.tx.execute(queues)})
        used: dict[str | None, int] = {}
        running = select(_RUN.c.queue, func.count()).where(_RUN.c.pool == pool, _RUN.c.state.in_(HELD))
        for queue, number in self.tx.execute(running.group_by(_RUN.c.queue)):
            used[queue] = number
            used[None] = used.get(None, 0) + number
        return limits, used

    def overlap(self, row: Any) -> str | None:
        """Return ``skip`` or ``queue`` when another run of the flow is active and the policy says so."""
        if row.state == "Running":
            return None
        policy = overlap_policy(row)
        if policy == "allow" or not is_active(self.tx, row.flow_group_id, row.id):
            return None
        return policy

    def add(self, row: Any) -> None:
        """Count a run that begins."""
        if row.state == "Running":
            return
        self._count(loaded(row.labels, []))
        if row.pool is not None:
            used = self.pools[row.pool][1]
            for key in (None, row.queue or "default"):
                used[key] = used.get(key, 0) + 1


def overlap_policy(row: Any) -> str:
    """Return what is to happen when a run of :data:`DUE_RUNS` becomes due while another one of its flow is active."""
    policy: str = row.policy or (groups.DEFAULT_SETTINGS | loaded(row.settings, {}))["overlap_policy"]
    return policy


def is_active(tx: Tx, group_id: str, besides: str) -> bool:
    """Tell whether a run of the group, other than the one given, is being executed."""
    return tx.execute(_ACTIVE, {"group_id": group_id, "besides": besides}).first() is not None


def _skip(batch: Batch, row: Any) -> None:
    message = "Skipped: another run of this flow was active when this one became due (overlap policy `skip`)."
    batch.set_flow_run(wanted_state(row.id, state_document("Cancelled", message), reason="overlap policy"))


def _take(tx: Tx, batch: Batch, row: Any, asking: Asking) -> tuple[str, bool]:
    run = batch.flow_runs[row.id]
    continues = run.state == "Running"
    if continues:
        _submit_due_tasks(tx, batch, run.id)
    else:
        inner = loaded(run.serialized_state) or state_document(run.state)
        if inner["type"] in ("Queued", "Submitted") and inner.get("state"):
            inner = inner["state"]
        document = state_document("Submitted", f"Submitted by agent {asking.agent_id}.", state=inner)
        batch.set_flow_run(wanted_state(run.id, document))
    run.run_token += 1
    run.held = True
    run.agent_id = asking.agent_id
    run.heartbeat = tx.stamp
    batch.touch(run)
    return run.id, continues


def _submit_due_tasks(tx: Tx, batch: Batch, run_id: str) -> None:
    due = select(_TASK_RUN.c.id).where(
        _TASK_RUN.c.flow_run_id == run_id, _TASK_RUN.c.state.in_(READY), _TASK_RUN.c.state_start_time <= tx.stamp
    )
    ids = list(tx.execute(due).scalars())
    batch.read_task_runs(ids)
    for id in ids:
        inner = loaded(batch.task_runs[id].serialized_state)
        inner = inner.get("state") or inner if inner["type"] == "Queued" else inner
        batch.set_task_run(wanted_state(id, state_document("Submitted", "Submitted for execution.", state=inner)))


def _handed_out(tx: Tx, run_id: str, continues: bool) -> dict[str, Any]:
    from dagflow.server.store.flow_runs import get_flow_run

    run = get_flow_run(tx.connection, run_id)
    row = tx.execute(_HANDED_OUT, {"flow_id": run["flow_id"]}).one()
    flow = records.record(row)
    settings = groups.DEFAULT_SETTINGS | (flow.pop("settings") or {})
    group_run_config = loaded(flow.pop("group_run_config"))
    return {
        "flow_run": run,
        "flow": flow,
        "run_token": run["run_token"],
        "run_config": _run_config(tx, run, group_run_config, flow["run_config"]),
        "continues": continues,
        "heartbeat_enabled": settings["heartbeat_enabled"],
    }


def _run_config(tx: Tx, run: dict[str, Any], of_group: Any, of_flow: Any) -> Any:
    """Return the effective run config, with what the pool says of fields that nobody set."""
    of_deployment = None
    if run["deployment_id"]:
        table = tables.deployment
        of_deployment = loaded(
            tx.execute(select(table.c.run_config).where(table.c.id == run["deployment_id"])).scalar()
        )
    chosen = next((one for one in (run["run_config"], of_deployment, of_group, of_flow) if one is not None), None)
    if run["pool"] is None:
        return chosen
    base = loaded(tx.execute(select(_POOL.c.base_run_config).where(_POOL.c.name == run["pool"])).scalar())
    return merged_run_config(base, chosen)


def merged_run_config(base: dict[str, Any] | None, own: dict[str, Any] | None) -> dict[str, Any] | None:
    """
    Return *own* with what it leaves open taken from *base*; environments are merged by name.

    >>> merged_run_config({"type": "DockerRun", "image": "a", "env": {"A": "1"}}, {"type": "UniversalRun", "env": {}})
    {'type': 'DockerRun', 'image': 'a', 'env': {'A': '1'}}
    """
    if not base or not own:
        return own or base
    if own.get("type") not in ("UniversalRun", base.get("type")):
        return own
    merged = base | {name: value for name, value in own.items() if value is not None and name not in ("type", "env")}
    merged["env"] = {**(base.get("env") or {}), **(own.get("env") or {})}
    return merged


def next_due(connection: Connection, now: str) -> str | None:
    """Return the moment at which the next run becomes due, ``None`` when none is planned."""
    found: str | None = connection.execute(
        select(func.min(_RUN.c.state_start_time)).where(_RUN.c.state.in_(READY), _RUN.c.state_start_time > now)
    ).scalar()
    return found


def runs_in_queue(connection: Connection, before: str, labels: list[str] | None, limit: int) -> list[str]:
    """Return the ids of runs that are due before a moment and fit the labels, oldest first; nothing is taken."""
    due_tasks = select(_TASK_RUN.c.flow_run_id).where(
        _TASK_RUN.c.state.in_(READY), _TASK_RUN.c.state_start_time <= before
    )
    statement = select(_RUN.c.id).where(
        or_(
            _RUN.c.state.in_(READY) & (_RUN.c.state_start_time <= before),
            and_(_RUN.c.state == "Running", _RUN.c.held.is_(False), _RUN.c.id.in_(due_tasks)),
        )
    )
    if labels is not None:
        statement = statement.where(*_matching(connection, labels))
    rows = connection.execute(statement.order_by(_RUN.c.state_start_time, _RUN.c.id).limit(limit))
    return list(rows.scalars())


def note_query(tx: Tx, agent_id: str) -> bool:
    """Note that an agent has been heard of; tell whether it is known."""
    table = tables.agent
    return bool(tx.execute(update(table).where(table.c.id == agent_id).values(last_queried=tx.stamp)).rowcount)
