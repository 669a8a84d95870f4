"""
One attempt at one task run, wherever the executor put it.

Straight-line code: run name, target or cache, Running, the user's function, checkpoint, settle. What a task does not
use (a timeout, a cache, a target, handlers) costs it nothing.
"""

from __future__ import annotations

import copy
import random
import types
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.gates import ask_trigger
from dagflow.engine.notify import announce, log_end, tell_hooks
from dagflow.engine.settle import cached_state, retry_state
from dagflow.engine.signals import ENDRUN, PrefectStateSignal
from dagflow.engine.state import (
    Cached,
    Failed,
    Looped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    State,
    Success,
    TimedOut,
)
from dagflow.exceptions import TaskTimeoutSignal
from dagflow.utilities.context import pop_layer, push_layer, visible

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.engine.run_context import TaskRun

__all__ = ["attempt", "attempt_all", "template_values"]


def attempt_all(runs: Iterable[tuple[TaskRun, dict[Edge, State] | None]]) -> list[State]:
    """Attempt several runs one after the other; see :func:`attempt` for what comes with each."""
    states = []
    for run, upstream in runs:  # not a comprehension: it would be one more frame above the user's function
        states.append(attempt(run, upstream))
    return states


def attempt(run: TaskRun, upstream: dict[Edge, State] | None = None) -> State:
    """
    Try to run a task to its end and return the state it is in then.

    Args:
        run: the task run.
        upstream: what its trigger is asked about, when that could not be done before (targets and caches are looked
            up first).
    """
    scope, task, known = run.scope, run.task, run.state
    token = push_layer(run)
    run.started = scope.now()
    if known is not None:
        _take_up(run, known)
    if scope.logs:
        scope.logger.info("Task '%s': Starting task run...", run.full_name)
    heard = bool(task.state_handlers or scope.handlers or scope.debugs or task._hooks)
    keyed = task.cache_policy is not None
    plain = not (task.task_run_name or task.target or task.cache_for or keyed) and not isinstance(known, Cached)
    state: State = known or _PENDING
    try:
        while True:
            if not plain:
                state = _before(run, state, upstream)
                if run.ended or not isinstance(state, Pending):
                    break
            if heard:
                state = announce(run, state, Running("Starting task run."))
                if run.ended or not isinstance(state, Running):
                    break
                if task._hooks:
                    tell_hooks(task._hooks, task, "task", state)
            outcome = execute(run)
            state = announce(run, state, outcome) if heard else outcome
            if type(state) is Success and not task.cache_for:
                if keyed and not run.ended:
                    _keep(run, state)
                break
            state = _after(run, state)
            if type(state) is not Looped or run.ended:
                break
            if scope.reporter is not None:
                scope.reporter.looped(run, state)
            _next_round(run, state)
            state = Pending()
    except (PrefectStateSignal, ENDRUN) as signal:  # from a template, a validator, a store
        state = announce(run, state, signal.state)
    except Exception as error:
        if scope.raises:
            raise
        scope.logger.exception("Task '%s': Unexpected error while running task: %r", run.full_name, error)
        state = announce(run, state, Failed(f"Unexpected error: {error!r}", result=error))
    finally:
        if task._hooks and not state.is_running():
            tell_hooks(task._hooks, task, "task", state)
        pop_layer(token)
    if state is _PENDING:  # a handler gave the old state back; the one below would be everybody's
        state = Pending()
    state.run_started = run.started
    state.run_ended = scope.now()
    if known is not None:
        _remember_attempt(state, known)
    if scope.logs:
        log_end(run, state)
    return state


_PENDING = Pending()


def _remember_attempt(state: State, known: State) -> None:
    """Note on *state* when the attempt that ended in *known* ran, and those before it."""
    if known.run_started is not None and known.run_ended is not None:
        state.earlier_attempts = (
            *known.earlier_attempts,
            (known.run_started, known.run_ended, type(known).__name__),
        )


def _take_up(run: TaskRun, known: State) -> None:
    """Go on from where a known state left the run."""
    if isinstance(known, Retrying):
        run.run_count = known.run_count + 1
        if known.loop is not None:
            run.loop_count, run.loop_result = known.loop
            run.loop_kept = known.loop_kept
    else:
        run.run_count = (known._context or {}).get("task_run_count") or 1
    run.resumed = isinstance(known, Resume | Paused)
    run.resume_input = (known._context or {}).get("resume_input")


def _next_round(run: TaskRun, looped: Looped) -> None:
    """Prepare another round of a loop, which has a retry budget of its own."""
    run.loop_count, run.loop_result, run.loop_kept = looped.loop_count + 1, looped.result, looped._holder
    run.run_count = 1
    for key in ("task_loop_count", "task_loop_result", "task_run_count"):
        run.values.pop(key, None)


# --- before the code -------------------------------------------------------------------------------------------


def _before(run: TaskRun, state: State, upstream: dict[Edge, State] | None) -> State:
    """Name the run, look for a result, then ask the trigger if that was left to us."""
    task = run.task
    if task.task_run_name is not None:
        run.values["task_run_name"] = _run_name(run)
    if task.target is not None:
        state = announce(run, state, _from_target(run, state))
    elif not run.ended:
        state = announce(run, state, _from_cache(run, state))
    if upstream is not None and not run.ended:
        verdict = ask_trigger(task, upstream, raises=run.scope.raises)
        if verdict is not None:
            state = announce(run, state, verdict)
    if task.cache_policy is not None and not run.ended and isinstance(state, Pending):
        # After the trigger: a key is made of inputs, and those of a run that may not go on can be errors.
        state = announce(run, state, _from_key(run) or state)
    return state


def _run_name(run: TaskRun) -> str:
    template: Any = run.task.task_run_name
    values = template_values(run)
    return template.format(**values) if isinstance(template, str) else str(template(**values))


def template_values(run: TaskRun) -> dict[str, Any]:
    """Return what templates may name: parameters, then context, then the task's inputs, later ones winning."""
    return {**run.scope.parameters, **visible(run), **run.inputs}


def _store(run: TaskRun) -> Any:
    """Return where the run's result is written: the task's place, else the flow's."""
    if run.task.result is not None:
        return run.task.result
    return run.scope.flow_result


def _from_target(run: TaskRun, state: State) -> State:
    """Return ``Cached`` with what lies at the task's target, *state* when nothing does."""
    store = _target_store(run)
    values = template_values(run)
    # The template goes in unformatted: formatting twice would let braces in an input be read as a template.
    if not store.exists(run.task.target, **{key: value for key, value in values.items() if key != "location"}):
        return state
    formatted = store.format(**values)
    found = Cached(f"Result found at task target {formatted.location}", result=formatted.read(formatted.location))
    found.map_index = run.map_index
    return found


def _target_store(run: TaskRun) -> Any:
    """Return the run's store with the target as its location."""
    from dagflow.engine.result import Result

    if run.task.result is not None:
        return run.task.result  # its location was set to the target when the task was made
    store = (run.scope.flow_result or Result()).copy()
    target: Any = run.task.target
    store.location, store._formatter = (None, target) if callable(target) else (target, None)
    return store


def _from_cache(run: TaskRun, state: State) -> State:
    """Return the first cached state that fits, else a state to run in."""
    task = run.task
    mine = [state] if isinstance(state, Cached) else []
    if mine or task.cache_for is not None:
        for candidate in (*mine, *_fitting(run)):
            if task.cache_validator(candidate, dict(run.inputs), dict(run.scope.parameters)):
                # One kept for later runs belongs to none of them, so this run takes a copy.
                found = candidate if candidate is state else copy.copy(candidate)
                try:
                    return found.load_result(_store(run))
                except Exception as error:
                    if candidate is state:
                        raise
                    run.scope.logger.warning(
                        "Task '%s': A cached result is passed over, because it cannot be read: %r", run.full_name, error
                    )
    return Pending("Cache was invalid; ready to run.") if mine else state


def _from_key(run: TaskRun) -> State | None:
    """Return ``Cached`` with what was kept under the run's key."""
    from dagflow.engine.key_cache import cached_by_key

    return cached_by_key(run, _store(run))


def _keep(run: TaskRun, state: State) -> None:
    from dagflow.engine.key_cache import keep_by_key

    keep_by_key(run, state)


def _fitting(run: TaskRun) -> Sequence[Cached]:
    """Return the cached states this run may use: a mapped child takes only those of its own number."""
    return [one for one in run.candidates if getattr(one, "map_index", None) == run.map_index]


# --- the code --------------------------------------------------------------------------------------------------


def execute(run: TaskRun) -> State:
    """Call the user's function and return what its end means."""
    task, scope = run.task, run.scope
    try:
        if task.timeout or task.log_stdout or task.log_prints or scope.log_prints or scope.deadline is not None:
            from dagflow.engine.timeouts import call_with_limits

            value = call_with_limits(run)
        else:
            value = task.run(**run.inputs)
        if type(value) is types.CoroutineType:
            from dagflow.engine.coroutines import complete

            value = complete(value)
        state: State = Success._made("Task run succeeded.", value)
    except PrefectStateSignal as signal:
        state = signal.state
    except ENDRUN as end:
        state = end.state
    except TaskTimeoutSignal as signal:
        if scope.raises:
            raise
        state = TimedOut(str(signal) or "Task timed out during execution.", result=signal)
    except Exception as error:
        if scope.raises:
            raise
        scope.logger.exception("Task '%s': Exception encountered during task execution!", run.full_name)
        state = Failed._made(f"Error during execution of task: {error!r}", error)
    if task.tags:
        state.context["tags"] = sorted(task.tags)
    if scope.checkpointing and isinstance(state, Success | Looped):
        _checkpoint(run, state)
    return state


def _checkpoint(run: TaskRun, state: State) -> None:
    """Write the value to its place, when there is one and the task did not opt out."""
    store = _store(run)
    value = state.result
    if store is None or run.task.checkpoint is False or value is None or state.is_skipped():
        return
    from dagflow.engine.result import Result

    if type(store) is Result:
        return
    if run.task.target is not None:
        store = _target_store(run)
    values = template_values(run)
    values.pop("value_", None)
    state._result = store.write(value, **values)


# --- after the code --------------------------------------------------------------------------------------------


def _after(run: TaskRun, state: State) -> State:
    """Record a success for later runs, or plan another attempt after a failure."""
    task, scope = run.task, run.scope
    if run.ended:
        return state
    fresh = state.is_successful() and not state.is_skipped() and not isinstance(state, Cached)
    if fresh and task.cache_for is not None:
        now = scope.now()
        return announce(run, state, cached_state(task, state, run.inputs, scope.parameters, run.map_index, now))
    if isinstance(state, Failed):
        retry: State = state
        if task.retry_condition_fn is None or _asks_again(run, state):
            luck = random.random() if task.retry_jitter_factor else 0.0
            retry = retry_state(task, state, run.run_count, scope.now(), luck)
        _note_round(run, retry)
        return announce(run, state, retry)
    _note_round(run, state)
    return state


def _note_round(run: TaskRun, state: State) -> None:
    """Let the next attempt begin in the round in which this one failed."""
    if isinstance(state, Retrying) and run.loop_count is not None:
        state.loop, state.loop_kept = (run.loop_count, run.loop_result), run.loop_kept


def _asks_again(run: TaskRun, state: State) -> bool:
    """Ask the task's own condition whether to try again; one that raises says no, and the log says why."""
    from dagflow.runtime import snapshot

    if run.run_count > run.task.max_retries:
        return False
    try:
        condition: Any = run.task.retry_condition_fn
        return bool(condition(run.task, snapshot("task", state), state))
    except Exception as error:
        run.scope.logger.exception(
            "Task '%s': retry_condition_fn raised %r, so there is no other attempt.", run.full_name, error
        )
        return False
