"""
Settlers: what becomes of a state after a task's code has run.

Each is a pure function of the task, the new state and the time; it answers the state to go on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.engine.state import Cached, Failed, Retrying, State

if TYPE_CHECKING:
    from dagflow.core.task import Task

__all__ = ["cached_state", "retry_state"]


def cached_state(
    task: Task, state: State, inputs: dict[str, Any], parameters: dict[str, Any], map_index: int | None, now: float
) -> State:
    """Return the ``Cached`` state that records a success for later runs."""
    from dagflow.engine.cache_validators import hash_inputs

    assert task.cache_for is not None
    cached = Cached(
        state.message,
        cached_parameters=dict(parameters),
        hashed_inputs=hash_inputs(inputs),
    )
    cached._expiration = now + task.cache_for.total_seconds()
    cached._value, cached._holder = state._value, state._holder
    cached.context.update(state.context)
    cached.map_index = map_index
    return cached


def retry_state(task: Task, state: State, run_count: int, now: float, luck: float = 0.0) -> State:
    """
    Return ``Retrying`` when attempts are left for a failed run, else *state*.

    Args:
        task: the task.
        state: how attempt number *run_count* ended.
        now: seconds since the epoch.
        luck: from 0 to 1, how much of the task's jitter is added to the delay.
    """
    if run_count > task.max_retries or not isinstance(state, Failed):
        return state
    if task.retry_on is not None and not isinstance(state.result, task.retry_on):
        return state
    retry = Retrying._made(f"Retrying Task (after attempt {run_count} of {task.max_retries + 1})", state._value)
    retry._holder = state._holder
    retry._start = now + retry_delay_seconds(task, run_count) * (1 + luck * (task.retry_jitter_factor or 0.0))
    retry.run_count = run_count
    retry.loop = retry.loop_kept = None
    return retry  # type: ignore[no-any-return]


def retry_delay_seconds(task: Task, run_count: int) -> float:
    """Return how long to wait after attempt number *run_count*; a list that is too short repeats its last delay."""
    delay: Any = task.retry_delay
    if isinstance(delay, list):
        delay = delay[min(run_count, len(delay)) - 1]
    elif callable(delay):
        delay = delay(run_count)
    return float(delay) if isinstance(delay, int | float) else float(delay.total_seconds())
