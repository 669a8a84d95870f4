"""
Triggers: whether a task runs, decided from the states of what it waits for.

A trigger takes ``{edge: state}`` and returns true to go. It may raise a signal, which becomes the task's state; a false
answer or any other exception is ``TriggerFailed``. A mapped upstream task stands here as its children. A skip counts
as success; with ``skip_on_upstream_skip=True`` skips are dealt with before the trigger is asked.

The names and the meaning are those of Prefect 0.15, save that :func:`not_all_skipped` runs a task that waits for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.engine.state import State

    Upstream = Mapping[Edge, State]

__all__ = [
    "all_failed",
    "all_finished",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "manual_only",
    "not_all_skipped",
    "some_failed",
    "some_successful",
]


def _states(upstream: Upstream) -> set[State]:
    """Return the states to judge: the children in place of a mapped state, one task feeding two arguments once."""
    found: set[State] = set()
    for state in upstream.values():
        found.update(_leaves(state))
    return found


def _leaves(state: State) -> Iterable[State]:
    children = getattr(state, "map_states", None)
    return [state] if children is None else [child for child in children if child is not None]


def _refuse(name: str, fault: str) -> None:
    from dagflow.engine.signals import TRIGGERFAIL

    raise TRIGGERFAIL(f'Trigger was "{name}" but {fault}.')


def all_finished(upstream_states: Upstream) -> bool:
    """Go when all upstream tasks have finished, however they ended."""
    if not all(state.is_finished() for state in _states(upstream_states)):
        _refuse("all_finished", "some of the upstream tasks were not finished")
    return True


always_run = all_finished


def all_successful(upstream_states: Upstream) -> bool:
    """Go when all upstream tasks succeeded."""
    if not all(state.is_successful() for state in _states(upstream_states)):
        _refuse("all_successful", "some of the upstream tasks failed")
    return True


def all_failed(upstream_states: Upstream) -> bool:
    """Go when all upstream tasks failed."""
    if not all(state.is_failed() for state in _states(upstream_states)):
        _refuse("all_failed", "some of the upstream tasks succeeded")
    return True


def any_successful(upstream_states: Upstream) -> bool:
    """Go when an upstream task succeeded, or when there is none."""
    if upstream_states and not any(state.is_successful() for state in _states(upstream_states)):
        _refuse("any_successful", "none of the upstream tasks succeeded")
    return True


def any_failed(upstream_states: Upstream) -> bool:
    """Go when an upstream task failed, or when there is none."""
    if upstream_states and not any(state.is_failed() for state in _states(upstream_states)):
        _refuse("any_failed", "none of the upstream tasks failed")
    return True


def not_all_skipped(upstream_states: Upstream) -> bool:
    """Go when all upstream tasks succeeded and one of them was not skipped; skip when all of them were."""
    if not upstream_states:
        return True
    states = _states(upstream_states)
    if all(state.is_skipped() for state in states):
        from dagflow.engine.signals import SKIP

        raise SKIP("All upstream tasks were skipped.", result=None)
    if not all(state.is_successful() for state in states):
        _refuse("not_all_skipped", "some of the upstream tasks failed")
    return True


def manual_only(upstream_states: Upstream) -> bool:
    """Wait until somebody resumes the task."""
    if not context.get("resume"):
        from dagflow.engine.signals import PAUSE

        raise PAUSE('Trigger was "manual_only": waiting to be resumed.')
    return True


class _Some:
    """A trigger that counts; an object rather than a closure, so that it pickles."""

    def __init__(self, name: str, at_least: int | float | None, at_most: int | float | None) -> None:
        self.__name__ = name
        self.at_least = at_least
        self.at_most = at_most

    def __call__(self, upstream_states: Upstream) -> bool:
        states = _states(upstream_states)
        if not upstream_states:
            return True
        failed = self.__name__ == "some_failed"
        count = sum(state.is_failed() if failed else state.is_successful() for state in states)
        least = _bound(self.at_least, len(states), 0)
        most = _bound(self.at_most, len(states), len(states))
        if not least <= count <= most:
            verb = "failed" if failed else "succeeded"
            _refuse(self.__name__, f"{count} of {len(states)} upstream tasks {verb}, not {least:g} to {most:g}")
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Some) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.__name__, self.at_least, self.at_most))

    def __repr__(self) -> str:
        return f"{self.__name__}(at_least={self.at_least}, at_most={self.at_most})"


def _bound(number: int | float | None, total: int, default: int) -> float:
    if number is None:
        return default
    return number * total if 0 < number < 1 else number


def some_failed(at_least: int | float | None = None, at_most: int | float | None = None) -> Callable[[Any], bool]:
    """
    Make a trigger that goes when the number of failed upstream tasks lies within the bounds, both included.

    Args:
        at_least: a number below 1 is a fraction of the upstream tasks, from 1 on a count.
        at_most: likewise.
    """
    return _Some("some_failed", at_least, at_most)


def some_successful(at_least: int | float | None = None, at_most: int | float | None = None) -> Callable[[Any], bool]:
    """
    Make a trigger that goes when the number of successful upstream tasks lies within the bounds, both included.

    Args:
        at_least: a number below 1 is a fraction of the upstream tasks, from 1 on a count.
        at_most: likewise.
    """
    return _Some("some_successful", at_least, at_most)
