"""
Taking up a run where another process left it: which states stand, and with which values.

What has finished stays finished. Its value is read from where it was written, when something that has yet to run needs
it; a value that cannot be had fails those who need it, with the reason. A loop goes on in the round it had reached.
Parameters, constants, secrets and the set-up and clean-up of resources run again: what they make lives in a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.state import Cached, Failed, Mapped, Pending, Retrying, Skipped, State, Success, unwrapped
from dagflow.serialization.result import deserialize_result
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.engine.result import Result

__all__ = ["Problems", "read_values", "recorded_states", "runs_again"]


def runs_again(task: Task) -> bool:
    """Tell whether a task runs in every process that executes the flow."""
    from dagflow.core.parameter import Parameter

    return isinstance(task, Parameter) or task.is_constant or bool(getattr(task, "always_reruns", False))


def recorded_states(slugs: Mapping[str, Task], rows: list[dict[str, Any]]) -> dict[Task, State]:
    """
    Return the states that the server has of the tasks of a run, without their values.

    Args:
        slugs: the tasks of the flow by slug.
        rows: the task runs that the server knows.
    """
    whole: dict[Task, State] = {}
    children: dict[Task, dict[int, State]] = {}
    for row in rows:
        task = slugs.get(row["task_slug"])
        if task is None or runs_again(task) or row["serialized_state"] is None:
            continue
        state = _state_of(row)
        if row["map_index"] >= 0:
            children.setdefault(task, {})[row["map_index"]] = state
        else:
            whole[task] = state
    found = {task: _with_children(state, children.get(task, {})) for task, state in whole.items()}
    # What has not begun needs no state to begin in.
    return {task: state for task, state in found.items() if type(state) is not Pending}


def _state_of(row: dict[str, Any]) -> State:
    document = row["serialized_state"]
    state = unwrapped(State.deserialize(document)) or Pending()
    loop = state.context.get("task_loop")
    if loop is not None and not loop["kept"]:
        name = f"{row['task_slug']}[{row['map_index']}]" if row["map_index"] >= 0 else row["task_slug"]
        _starts_over(name, "the value of its last round was kept nowhere; give the task a result (result=...)")
        loop = None
    if state.is_running() or state.is_submitted():
        # Its process is gone: the server has left it to us.
        state = Pending("Its process was lost; it runs again.")
    if loop is not None and type(state) is Pending:
        state = Retrying(state.message, start_time=0.0, run_count=0)
    if loop is not None and isinstance(state, Retrying):
        state.loop, state.loop_kept = (loop["count"], None), deserialize_result(loop["result"])
    return state


def _starts_over(name: str, why: str) -> None:
    get_logger("FlowRunner").warning("The loop of task %r starts over: %s.", name, why)


def _with_children(state: State, children: dict[int, State]) -> State:
    if not isinstance(state, Mapped):
        return state
    states: list[Any] = list(state.map_states)
    for index, child in children.items():
        if index < len(states) and type(child) is not Pending:
            states[index] = child
    state.map_states = states
    return state


# --- values ----------------------------------------------------------------------------------------------------


Problems = dict[tuple["Task", int], str]
"""Why runs of tasks cannot go on, by task and number of the child; -1 is the task as a whole."""


def read_values(flow: Flow, states: dict[Task, State]) -> Problems:
    """
    Read the values that runs which have yet to come need.

    Who needs one that cannot be had fails: its state is put among *states*, and the reason is returned. Of a map these
    are the children that need it.
    """
    problems: Problems = {}
    terminal = flow.reference_tasks()
    for task in flow.sorted_tasks():
        state = states.get(task)
        for one in state.map_states if isinstance(state, Mapped) else [state]:
            if isinstance(one, Retrying) and one.loop is not None:
                _read_loop(flow, task, one)
        # Of a map that is not done, those children count that are.
        if state is None or not (_is_done(state) or isinstance(state, Mapped)):
            continue
        takers = [edge for edge in flow.edges_from(task) if _takes(edge, states)]
        if takers or task in terminal:
            _read(flow, task, state, takers, states, problems)
    for (task, index), problem in problems.items():
        name = task.name if index < 0 else f"{task.name}[{index}]"
        get_logger("FlowRunner").error("Task %r cannot run: %s", name, problem)
        if index < 0:
            states[task] = Failed(problem)
        else:
            _children_of(states[task])[index] = Failed(problem)
    return problems


def _takes(edge: Edge, states: Mapping[Task, State]) -> bool:
    return edge.key is not None and not _is_done(states.get(edge.downstream_task))


def _read(
    flow: Flow, task: Task, state: State, takers: list[Edge], states: Mapping[Task, State], problems: Problems
) -> None:
    """Read the value of a finished run, those of all children of a mapped one; note who cannot do without."""
    is_mapped = isinstance(state, Mapped)
    for index, one in enumerate(_children_of(state) if is_mapped else [state]):
        problem = _read_one(flow, task, f"{task.name}[{index}]" if is_mapped else task.name, one)
        if problem is None:
            continue
        for edge in takers:
            child = _child_that_takes(edge, index if is_mapped else -1, states)
            if child is not None:
                problems.setdefault((edge.downstream_task, child), problem)


def _child_that_takes(edge: Edge, index: int, states: Mapping[Task, State]) -> int | None:
    """Return who takes the value of child *index*: a child, -1 for the whole task, or nobody who has yet to run."""
    taker = states.get(edge.downstream_task)
    if index < 0 or not edge.mapped or edge.flattened or not isinstance(taker, Mapped):
        return -1
    child = taker.map_states[index] if index < len(taker.map_states) else None
    return None if _is_done(child) else index


def _children_of(state: State) -> list[Any]:
    assert isinstance(state, Mapped)
    return state.map_states


def _read_loop(flow: Flow, task: Task, state: Retrying) -> None:
    """Read what the round to begin in takes from the round before; without it the loop starts over."""
    holder = state.loop_kept
    assert state.loop is not None
    if holder is None or holder.location is None:
        return
    try:
        state.loop = (state.loop[0], _reader(flow, task, holder).read(holder.location).value)
    except Exception as error:
        _starts_over(task.name, f"the value of its last round cannot be read from {holder.location!r}: {error!r}")
        state.loop = state.loop_kept = None


def _reader(flow: Flow, task: Task, holder: Result) -> Result:
    """Return what reads the value that *holder* tells of."""
    store = task.result or flow.result
    # The store knows how to get in; the document knows what is to be there.
    return holder if store is None else store.expecting(holder)


def _is_done(state: State | None) -> bool:
    if isinstance(state, Mapped):
        return all(child is not None and child.is_finished() for child in state.map_states)
    return state is not None and state.is_finished()


def _read_one(flow: Flow, task: Task, name: str, state: State | None) -> str | None:
    if not isinstance(state, Success | Cached) or isinstance(state, Skipped | Mapped):
        return None
    location = getattr(state._result, "location", None)
    if location is None:
        if state.context.get("result_kept", True):
            state.result = None
            return None
        return (
            f"the result of task {name!r} was kept nowhere, and its process is gone. Give the task a result "
            "(result=...), so that it can be read again, or restart the run from that task."
        )
    store = _reader(flow, task, state._result)
    kind = type(store).__name__
    try:
        state.load_result(store)
    except Exception as error:
        return (
            f"failed to retrieve the result of task {name!r} from {location!r} ({kind}): {error!r}. Restore the file, "
            "or restart the run from that task."
        )
    return None
