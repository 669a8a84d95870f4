"""What the function of a flow returned: tasks in lists and dicts, and the values that a run gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.task import Task
from dagflow.engine.state import Failed, Mapped, TimedOut, TriggerFailed
from dagflow.exceptions import FlowError, TaskTimeoutSignal

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.engine.state import State

__all__ = ["exchanged", "failure_of", "tasks_in", "value_of"]


def exchanged(returned: Any, exchange: Callable[[Task], Any]) -> Any:
    """Return *returned* with each task in it replaced by what *exchange* says."""
    if isinstance(returned, Task):
        return exchange(returned)
    if isinstance(returned, EdgeAnnotation):
        return exchanged(returned.value, exchange)
    if type(returned) is dict:
        return {exchanged(key, exchange): exchanged(value, exchange) for key, value in returned.items()}
    if type(returned) in (list, tuple, set):
        return type(returned)(exchanged(one, exchange) for one in returned)
    return returned


def tasks_in(returned: Any) -> list[Task]:
    """Return the tasks in *returned*."""
    found: list[Task] = []
    exchanged(returned, found.append)
    return found


def value_of(flow: Flow, returned: Any, state: State) -> Any:
    """
    Return *returned* with the values of a run in place of tasks.

    Raises:
        BaseException: what made the run fail.
        FlowError: when the run has not ended.
    """
    if not state.is_finished():
        raise FlowError(
            f"The run of flow {flow.name!r} did not finish: {state.message} Call it with return_state=True to see "
            "where it stands."
        )
    if not state.is_successful():
        raise failure_of(flow, state)
    return exchanged(returned, lambda task: state.result[task].result)


def failure_of(flow: Flow, state: State) -> BaseException:
    """Return the exception of the task that made the run fail, the first one in the order of the flow."""
    if isinstance(state.result, BaseException):
        return _raisable(state.result)
    if isinstance(state, TimedOut):
        return TimeoutError(f"Flow {flow.name!r}: {state.message}")
    states = state.result if isinstance(state.result, dict) else {}
    guilty = _to_blame(flow, states)
    failed = [one for task in flow.sorted_tasks() if task in guilty for one in _failures(states.get(task))]
    for one in sorted(failed, key=lambda one: isinstance(one, TriggerFailed)):
        if isinstance(one.result, BaseException):
            return _raisable(one.result)
    reasons = "; ".join(str(one.message) for one in failed[:3]) or state.message
    return FlowError(f"The run of flow {flow.name!r} ended in {type(state).__name__}: {reasons}")


def _raisable(error: BaseException) -> BaseException:
    """Return *error*; a signal for a time limit as the error that people catch."""
    return TimeoutError(str(error)) if isinstance(error, TaskTimeoutSignal) else error


def _to_blame(flow: Flow, states: dict[Task, State]) -> set[Task]:
    """Return the failed reference tasks, and the failed tasks whose failure kept those from running."""
    open_ = [task for task in flow.reference_tasks() if any(_failures(states.get(task)))]
    found: set[Task] = set()
    while open_:
        task = open_.pop()
        if task in found:
            continue
        found.add(task)
        if any(isinstance(one, TriggerFailed) for one in _failures(states.get(task))):
            open_ += [one for one in flow.upstream_tasks(task) if any(_failures(states.get(one)))]
    return found


def _failures(state: State | None) -> Iterator[State]:
    """Yield the failed states that *state* is or holds."""
    if isinstance(state, Mapped):
        for child in state.map_states:
            yield from _failures(child)
    elif isinstance(state, Failed):
        yield state
