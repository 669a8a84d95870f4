"""``TaskRunner``: run one task by itself, as Prefect 0.15 offers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.attempt import attempt
from dagflow.engine.gates import MAP_GATES, judge
from dagflow.engine.mapping import plain_value, spread_over
from dagflow.engine.notify import announce
from dagflow.engine.progress import gates_for, looks_up
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import Cached, Mapped, Pending, Scheduled, State, unwrapped
from dagflow.utilities.context import pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task

__all__ = ["TaskRunner"]


class TaskRunner:
    """
    Runs one task.

    Args:
        task: the task.
        state_handlers: called as ``handler(task_runner, old_state, new_state)``.
        flow_result: where the result is written when the task names no place.

    >>> from dagflow.utilities.tasks import task
    >>> TaskRunner(task(lambda: 7, name="seven")).run().result
    7
    """

    def __init__(
        self,
        task: Task,
        state_handlers: Sequence[Callable[..., Any]] | None = None,
        flow_result: Any = None,
    ) -> None:
        from dagflow.engine.result import Result

        self.task = task
        self.state_handlers = list(state_handlers or ())
        self.flow_result = flow_result
        self.result = task.result or (flow_result.copy() if flow_result is not None else Result())

    def run(
        self,
        state: State | None = None,
        upstream_states: Mapping[Edge, State] | None = None,
        context: Mapping[str, Any] | None = None,
        is_mapped_parent: bool = False,
    ) -> State:
        """
        Run the task once and return its state.

        Args:
            state: the state to start in; default ``Pending``.
            upstream_states: what it sees upstream, by edge; edges with a key give the arguments.
            context: extra context.
            is_mapped_parent: only decide whether, and into how many children, the task spreads.
        """
        upstream = dict(upstream_states or {})
        keys = dict(context or {})
        scope = RunScope(
            keys.get("flow_name", ""),
            parameters=dict(keys.get("parameters") or {}),
            keys=keys,
            handlers=tuple(self.state_handlers),
            flow_result=self.flow_result,
        )
        known = unwrapped(state)
        inputs = {edge.key: plain_value(edge, one) for edge, one in upstream.items() if edge.key is not None}
        run = TaskRun(scope, self.task, keys.get("task_slug"), keys.get("map_index"), known, inputs)
        run.resumed = type(known).__name__ in ("Paused", "Resume")
        if known is not None and not _may_start(known, scope.clock.now()):
            return known
        if not all(one.is_finished() for one in _settled(upstream)):
            return known or Pending()
        if is_mapped_parent:
            return self._verdict(run, _spread(self.task, upstream, raises=scope.raises))
        token = push_layer(run)
        try:
            verdict = judge(self.task, upstream, gates_for(self.task, known), raises=scope.raises)
        finally:
            pop_layer(token)
        if verdict is not None:
            return self._verdict(run, verdict)
        run.candidates = scope.candidates(self.task)
        return attempt(run, upstream if looks_up(self.task, known) else None)

    def _verdict(self, run: TaskRun, verdict: State) -> State:
        token = push_layer(run)
        try:
            return announce(run, run.state or Pending(), verdict)
        finally:
            pop_layer(token)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.task.name}>"


def _may_start(state: State, now: float) -> bool:
    if isinstance(state, Scheduled):
        due = state.due()
        return due is not None and due <= now
    return isinstance(state, Pending | Cached | Mapped)


def _settled(upstream: Mapping[Edge, State]) -> list[State]:
    """Return the states that must have finished: children stand for a mapped state that is taken as a whole."""
    found: list[State] = []
    for edge, state in upstream.items():
        if isinstance(state, Mapped) and not edge.mapped:
            found += [child or Pending() for child in state.map_states]
        else:
            found.append(state)
    return found


def _spread(task: Task, upstream: dict[Edge, State], *, raises: bool) -> State:
    """Return the state of a mapped parent."""
    edges, states = list(upstream), list(upstream.values())
    return judge(task, upstream, MAP_GATES, raises=raises) or spread_over(edges, states)[0]
