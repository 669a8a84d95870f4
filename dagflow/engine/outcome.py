"""What the states of its tasks make of a flow run."""

from __future__ import annotations

from collections.abc import Iterable

from dagflow.engine.state import Cancelled, Failed, Mapped, Pending, Running, State, Success

__all__ = ["flow_outcome", "leaves"]


def leaves(states: Iterable[State]) -> Iterable[State]:
    """Yield the states, children in place of mapped ones; a child that is not known yet is ``Pending``."""
    for state in states:
        if isinstance(state, Mapped):
            yield state
            yield from (Pending("Task not run.") if child is None else child for child in state.map_states)
        else:
            yield state


def flow_outcome(terminal: Iterable[State], reference: Iterable[State]) -> State:
    """
    Return the flow's state, without a result.

    Args:
        terminal: states of the tasks that none waits for; one of them unfinished leaves the flow running.
        reference: states of the tasks that decide between success and failure.
    """
    if not all(state.is_finished() for state in leaves(terminal)):
        return Running("Flow run in progress: terminal tasks are incomplete.")
    decisive = list(leaves(reference))
    if any(isinstance(state, Failed) for state in decisive):
        return Failed("Some reference tasks failed.")
    if all(state.is_successful() for state in decisive):
        return Success("All reference tasks succeeded.")
    return Success("No reference tasks failed.")


def cancelled_among(reference: Iterable[State]) -> bool:
    """Tell whether a reference task was cancelled, which a plain success would hide."""
    return any(isinstance(state, Cancelled) for state in leaves(reference))
