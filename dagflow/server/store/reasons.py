"""
Why runs that are due are not being executed.

What the reasons follow from - agents, limits, pools, active runs - is read once (:class:`Surroundings`), for however
many runs are asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from dagflow.server.database import tables
from dagflow.server.database.statements import among
from dagflow.server.orchestration.kinds import HELD, READY
from dagflow.server.store import agents, groups
from dagflow.server.store.claims import matches
from dagflow.server.text import loaded

__all__ = ["Reason", "Surroundings", "reasons_for"]

_RUN, _GROUP, _DEPLOYMENT = tables.flow_run, tables.flow_group, tables.deployment
_LIMIT, _POOL = tables.concurrency_limit, tables.work_pool

_POLICIES = (
    select(_RUN.c.id, _DEPLOYMENT.c.overlap_policy, _GROUP.c.settings)
    .join(_GROUP, _GROUP.c.id == _RUN.c.flow_group_id)
    .outerjoin(_DEPLOYMENT, _DEPLOYMENT.c.id == _RUN.c.deployment_id)
    .where(among(_RUN.c.id))
)
_HELD_LABELS = select(_RUN.c.labels).where(_RUN.c.state.in_(HELD), _RUN.c.labels != "[]")
_ACTIVE_GROUPS = select(_RUN.c.flow_group_id).where(_RUN.c.state.in_(HELD)).distinct()
_LABEL_LIMITS = select(_LIMIT.c.name, _LIMIT.c.limit).where(_LIMIT.c.kind == "flow_label")
_POOLS = select(_POOL.c.name, _POOL.c.limit, _POOL.c.paused)
_POOL_USE = (
    select(_RUN.c.pool, func.count()).where(_RUN.c.state.in_(HELD), _RUN.c.pool.is_not(None)).group_by(_RUN.c.pool)
)


class Reason(NamedTuple):
    """Why a run is not being executed: a word for programs, a sentence for people."""

    code: str
    text: str


class Surroundings:
    """What keeps runs waiting, each part read when it is first needed."""

    def __init__(self, connection: Connection, now: str) -> None:
        self.connection = connection
        self.now = now

    @cached_property
    def agents(self) -> list[dict[str, Any]]:
        """The agents heard of within a day."""
        return agents.agents_heard_of(self.connection, self.now)

    def agents_of(self, pool: str | None) -> list[dict[str, Any]]:
        """Return the agents that serve a pool, or that serve none."""
        return [one for one in self.agents if one["pool"] == pool]

    @cached_property
    def limits(self) -> dict[str, int]:
        """The limits on labels."""
        return dict(self.connection.execute(_LABEL_LIMITS).all())

    @cached_property
    def used(self) -> Counter[str]:
        """How many runs with a label go on."""
        texts = self.connection.execute(_HELD_LABELS).scalars() if self.limits else ()
        return Counter(label for text in texts for label in loaded(text, []))

    @cached_property
    def pools(self) -> dict[str, Any]:
        """The pools by name."""
        return {row.name: row for row in self.connection.execute(_POOLS)}

    @cached_property
    def pool_use(self) -> dict[str, int]:
        """How many runs of a pool go on."""
        return dict(self.connection.execute(_POOL_USE).all())

    @cached_property
    def active_groups(self) -> set[str]:
        """The flow groups of which a run goes on."""
        return set(self.connection.execute(_ACTIVE_GROUPS).scalars())

    def policies(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return what is to happen when runs become due while another one of their flow is active."""
        rows = self.connection.execute(_POLICIES, {"ids": list(run_ids)})
        return {
            row.id: row.overlap_policy or (groups.DEFAULT_SETTINGS | loaded(row.settings, {}))["overlap_policy"]
            for row in rows
        }


def reasons_for(around: Surroundings, runs: Sequence[dict[str, Any]]) -> dict[str, list[Reason]]:
    """Return, by id, the reasons why each of *runs* is not being executed; the records have their labels read."""
    found: dict[str, list[Reason]] = {run["id"]: _of_state(run, around.now) for run in runs}
    due = [run for run in runs if not found[run["id"]]]
    policies = around.policies(run["id"] for run in due) if due else {}
    for run in due:
        reasons = [
            *_of_agents(run, around.agents_of(run["pool"])),
            *_of_labels(run, around),
            *_of_pool(run, around),
            *_of_overlap(run, policies.get(run["id"], "allow"), around),
        ]
        found[run["id"]] = reasons or [
            Reason("READY", "An agent that fits is there; it is expected to take the run at once.")
        ]
    return found


def _of_state(run: dict[str, Any], now: str) -> list[Reason]:
    state, start = run["state"], run["state_start_time"]
    if state in HELD:
        return [Reason("HELD", f"The run is {state}.")]
    if state not in READY:
        return [Reason("ENDED", f"The run has ended as {state}.")]
    if start is None:
        return [Reason("PAUSED", "The run is paused until somebody approves it.")]
    return [Reason("PLANNED", f"The run is planned for {start}.")] if start > now else []


def _of_agents(run: dict[str, Any], here: list[dict[str, Any]]) -> list[Reason]:
    labels = set(run["labels"])
    where = "without a pool" if run["pool"] is None else f"of pool {run['pool']!r}"
    has = f"The run has {_listed(labels)}."
    if not here:
        start = "dagflow agent local start" if run["pool"] is None else f"dagflow worker start --pool {run['pool']}"
        flags = "".join(f" -l {label}" for label in sorted(labels) if not label.startswith("pool:"))
        text = f"{has} No agent {where} was heard of today. Start one with `{start}{flags}`."
        return [Reason("NO_AGENT", text)]
    served = {f"pool:{run['pool']}"} if run["pool"] else set()
    fitting = [one for one in here if _fits(run, labels, {*one["labels"], *served})]
    if any(one["healthy"] for one in fitting):
        return []
    if fitting:
        names = ", ".join(repr(one["name"]) for one in fitting[:5])
        return [Reason("SILENT_AGENTS", f"{has} The agents that fit were not heard of lately: {names}.")]
    return [Reason("LABELS", f"{has} {_missing(one, labels)}") for one in here[:5]]


def _fits(run: dict[str, Any], labels: set[str], has: set[str]) -> bool:
    return labels <= has if run["pool"] else matches(labels, has)


def _missing(agent: dict[str, Any], labels: set[str]) -> str:
    name = f"Agent {agent['name']!r}"
    if not labels:
        return f"{name} has {_listed(agent['labels'])}, and an agent with labels takes no run without."
    lacking = labels - set(agent["labels"])
    return f"{name} has {_listed(agent['labels'])}; it lacks {', '.join(map(repr, sorted(lacking)))}."


def _listed(labels: Any) -> str:
    return "the labels " + ", ".join(map(repr, sorted(labels))) if labels else "no labels"


def _of_labels(run: dict[str, Any], around: Surroundings) -> list[Reason]:
    return [
        Reason("LABEL_LIMIT", f"The limit of {around.limits[label]} on the label {label!r} is reached.")
        for label in sorted(run["labels"])
        if label in around.limits and around.used[label] >= around.limits[label]
    ]


def _of_pool(run: dict[str, Any], around: Surroundings) -> list[Reason]:
    name = run["pool"]
    if name is None:
        return []
    pool = around.pools.get(name)
    if pool is None:
        return [Reason("POOL_GONE", f"The pool {name!r} is gone.")]
    reasons = []
    if pool.paused:
        reasons.append(Reason("POOL_PAUSED", f"The pool {name!r} is paused: `dagflow work-pool resume {name}`."))
    in_use = around.pool_use.get(name, 0)
    if pool.limit is not None and in_use >= pool.limit:
        reasons.append(Reason("POOL_FULL", f"The pool {name!r} is full: {in_use} of {pool.limit} runs."))
    return reasons


def _of_overlap(run: dict[str, Any], policy: str, around: Surroundings) -> list[Reason]:
    if policy != "queue" or run["flow_group_id"] not in around.active_groups:
        return []
    text = "Another run of this flow is active, and the overlap policy `queue` lets them run one after the other."
    return [Reason("OVERLAP", text)]
