"""
Gates: what decides, before a task's code runs, whether it runs.

Each is a pure function of the run and the states upstream of it; it answers ``None`` to let the run pass, or the state
it ends in. They are tried in the order of the tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dagflow.engine.signals import ENDRUN, PrefectStateSignal
from dagflow.engine.state import Mapped, Skipped, State, TriggerFailed

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task

    Upstream = Mapping[Edge, State]

__all__ = ["MAP_GATES", "RUN_GATES", "ask_trigger", "judge"]


def upstream_skipped(task: Task, upstream: Upstream, *, raises: bool = False) -> State | None:
    """Skip a task when a task upstream of it was skipped, unless it asked not to."""
    if not task.skip_on_upstream_skip:
        return None
    for state in upstream.values():
        if _any_skipped(state):
            return Skipped(
                "Upstream task was skipped; if this was not the intended behavior, consider changing "
                "`skip_on_upstream_skip=False` for this task."
            )
    return None


def _any_skipped(state: State) -> bool:
    if isinstance(state, Mapped):
        return any(child is not None and child.is_skipped() for child in state.map_states)
    return state.is_skipped()


def map_source_skipped(task: Task, upstream: Upstream, *, raises: bool = False) -> State | None:
    """Skip a mapped task when something it does not map child by child was skipped."""
    whole = {
        edge: state for edge, state in upstream.items() if not (edge.mapped and isinstance(state, Mapped))
    }
    return upstream_skipped(task, whole)


def ask_trigger(task: Task, upstream: Upstream, *, raises: bool = False) -> State | None:
    """Ask the task's trigger; whatever it raises becomes a state, unless *raises* lets an exception through."""
    try:
        go = bool(task.trigger(upstream))
    except PrefectStateSignal as signal:
        return signal.state
    except ENDRUN as end:
        return end.state
    except Exception as error:
        if raises:
            raise
        return TriggerFailed(f"Unexpected error while checking task trigger: {error!r}", result=error)
    return None if go else TriggerFailed("Trigger failed")


Gate = Callable[..., "State | None"]
"""``gate(task, upstream, raises=False)``"""

RUN_GATES: tuple[Gate, ...] = (upstream_skipped, ask_trigger)
MAP_GATES: tuple[Gate, ...] = (map_source_skipped,)


def judge(
    task: Task, upstream: Upstream, gates: tuple[Gate, ...] = RUN_GATES, *, raises: bool = False
) -> State | None:
    """Return the first verdict of *gates*, ``None`` when the task may run."""
    for gate in gates:
        verdict = gate(task, upstream, raises=raises)
        if verdict is not None:
            return verdict
    return None
