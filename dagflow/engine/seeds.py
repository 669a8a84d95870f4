"""States that are given to a run, of tasks that need not run again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.carried import is_gone
from dagflow.engine.state import Mapped, State

if TYPE_CHECKING:
    import logging

    from dagflow.engine.plan import Plan

__all__ = ["usable_states"]


def usable_states(plan: Plan, states: Mapping[Any, State], logger: logging.Logger) -> dict[Any, State]:
    """
    Return *states* without those whose value stayed on a cluster that is gone, and is needed: their tasks run again.

    A value is needed while a task that takes it has not ended.
    """
    found = dict(states)
    if not any(_has_gone(state) for state in found.values()):
        return found
    for step in reversed(plan.steps):
        state = found.get(step.task)
        if state is None or not _has_gone(state):
            continue
        if all(_has_ended(found.get(plan.steps[follower].task)) for follower in step.followers):
            continue
        logger.warning("The value of task %r stayed on a cluster, so the task runs again.", step.task.name)
        if isinstance(state, Mapped):
            found[step.task] = _with_holes(state)
        else:
            del found[step.task]
    return found


def _has_gone(state: Any) -> bool:
    if isinstance(state, Mapped):
        return any(_has_gone(child) for child in state.map_states)
    return isinstance(state, State) and is_gone(state.carried())


def _has_ended(state: State | None) -> bool:
    if isinstance(state, Mapped):
        return all(_has_ended(child) for child in state.map_states)
    return state is not None and state.is_finished()


def _with_holes(parent: Mapped) -> Mapped:
    """Return a mapped state that does not know the children whose value is gone."""
    other = copy.copy(parent)
    other.map_states = [None if _has_gone(child) else child for child in parent.map_states]
    return other
