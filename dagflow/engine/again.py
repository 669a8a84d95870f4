"""
Which states of a failed run stand in for their tasks when the flow is tried again.

What succeeded is kept. What failed runs again, and with it everything after it, also what had made do with the failure.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.state import Mapped, Retrying, State

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["flow_retry", "states_to_keep"]


def states_to_keep(flow: Flow, states: Mapping[Task, State]) -> dict[Task, State]:
    """Return the states of tasks that need not run again; a mapped one may lack some of its children."""
    again: dict[Task, set[int] | None] = {}
    kept: dict[Task, State] = {}
    for task in flow.sorted_tasks():
        state = states.get(task)
        children = _drawn_in(flow, task, state, again)
        if isinstance(state, Mapped) and children is not None:
            children |= {number for number, one in enumerate(state.map_states) if not _is_good(one)}
            kept[task] = _without(state, children)
        elif _is_good(state) and children is not None:
            assert state is not None
            kept[task] = state
        else:
            children = None
        again[task] = children
    return kept


def _drawn_in(flow: Flow, task: Task, state: State | None, again: Mapping[Task, set[int] | None]) -> set[int] | None:
    """Return the children that must run again because of what is upstream; ``None`` for the whole task."""
    found: set[int] = set()
    for edge in flow.edges_to(task):
        children = again[edge.upstream_task]
        if children is None:
            return None
        if children and not (edge.mapped and not edge.flattened and isinstance(state, Mapped)):
            return None
        found |= children
    return found


def _is_good(state: State | None) -> bool:
    return state is not None and state.is_finished() and state.is_successful()


def _without(parent: Mapped, children: set[int]) -> Mapped:
    if not children:
        return parent
    other = copy.copy(parent)
    other.map_states = [None if number in children else one for number, one in enumerate(parent.map_states)]
    return other


def flow_retry(flow: Flow, failed: State, attempt: int, now: float) -> Any:
    """Return ``Retrying`` for a flow run that failed in attempt number *attempt*; the flow says for when."""
    delay = flow.retry_delay_seconds
    if isinstance(delay, list):
        delay = delay[min(attempt, len(delay)) - 1]
    retry = Retrying(
        f"Retrying Flow (after attempt {attempt} of {flow.retries + 1}): {failed.message}",
        start_time=now + delay.total_seconds(),
        run_count=attempt,
    )
    retry.result = failed.result
    return retry
