"""
The one door through which every change of state goes: the user's handlers, then the runner's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.signals import ENDRUN, PrefectStateSignal
from dagflow.engine.state import Cancelled, Cancelling, Failed, State
from dagflow.utilities.context import pop_layer, push_layer
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.hooks import Hooks
    from dagflow.engine.run_context import TaskRun

__all__ = ["announce", "call_handlers", "log_end", "tell_hooks"]


def announce(run: TaskRun, old: State, new: State) -> State:
    """
    Tell the handlers of a task run's change of state and return the state to go on with.

    A handler that raises ends the run: ``run.ended`` is set.
    """
    if old is new:
        return new
    scope, task = run.scope, run.task
    if scope.debugs:
        scope.logger.debug(
            "Task '%s': Handling state change from %s to %s", run.full_name, type(old).__name__, type(new).__name__
        )
    if task.state_handlers:
        new, run.ended = call_handlers(task.state_handlers, task, old, new, raises=scope.raises)
    if scope.handlers and not run.ended:
        new, run.ended = call_handlers(scope.handlers, _runner_of(run), old, new, raises=scope.raises)
    return new


def log_end(run: TaskRun, state: State) -> None:
    """Write how a task run ended, in its own context, so that the record carries its names."""
    token = push_layer(run)
    try:
        run.scope.logger.info(
            "Task '%s': Finished task run for task with final state: '%s'", run.full_name, type(state).__name__
        )
    finally:
        pop_layer(token)


def _runner_of(run: TaskRun) -> Any:
    from dagflow.engine.task_runner import TaskRunner

    return TaskRunner(run.task, flow_result=run.scope.flow_result)


def call_handlers(
    handlers: Sequence[Callable[..., Any]], subject: Any, old: State, new: State, *, raises: bool
) -> tuple[State, bool]:
    """
    Call *handlers* in order, each with what the one before it returned.

    Returns:
        the state to go on with, and whether a handler ended the run by raising.
    """
    for handler in handlers:
        try:
            answer = handler(subject, old, new)
            if answer is not None and not isinstance(answer, State):
                raise TypeError(
                    f"State handler {getattr(handler, '__name__', handler)!r} returned {answer!r}; "
                    "return a State, or None to keep the state."
                )
        except PrefectStateSignal as signal:
            return signal.state, True
        except ENDRUN as end:
            return end.state, True
        except Exception as error:
            if raises:
                raise
            message = f"Unexpected error while calling state handlers: {error!r}"
            get_logger("TaskRunner").exception(message)
            return Failed(message, result=error), True
        if answer is not None:
            new = answer
    return new, False


def tell_hooks(hooks: Hooks, subject: Any, what: str, state: State) -> None:
    """
    Call the hooks for what *state* says; they change nothing, and what they raise is only logged.

    Args:
        hooks: functions with their events.
        subject: the task or flow.
        what: ``"task"`` or ``"flow"``.
        state: running or final; for any other, nobody is called.
    """
    events = _events(state)
    wanted = [hook for event, hook in hooks if event in events]
    if not wanted:
        return
    from dagflow.runtime import snapshot

    run = snapshot(what, state)
    for hook in wanted:
        try:
            hook(subject, run, state)
        except Exception as error:
            get_logger("hooks").exception(
                "Hook %s of %s %r raised %r; the run goes on.",
                getattr(hook, "__name__", hook), what, subject.name, error,
            )  # fmt: skip


def _events(state: State) -> tuple[str, ...]:
    if state.is_running():
        return () if isinstance(state, Cancelling) else ("on_running",)
    if isinstance(state, Cancelled):
        return ("on_cancellation",)
    if state.is_failed():
        return ("on_crashed", "on_failure") if state.is_crashed() else ("on_failure",)
    return ("on_completion",) if state.is_finished() and state.is_successful() and not state.is_mapped() else ()
