"""
``flow.run()``: what surrounds a run on this machine.

Parameters are checked, dates of a schedule waited for, approvals of paused tasks asked for, cached states kept for
later runs. The run itself is :class:`~dagflow.engine.flow_runner.FlowRunner`'s.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.configuration import config
from dagflow.core.blame import user_location
from dagflow.core.options import checked_executor, checked_handlers, checked_schedule
from dagflow.core.typed import converted_parameters
from dagflow.engine.base_state import utc
from dagflow.engine.clock import Clock
from dagflow.engine.display import display_for
from dagflow.engine.run_context import new_id
from dagflow.engine.state import Cached, Mapped, Paused, Pending, Resume, Retrying, Scheduled, State
from dagflow.exceptions import ParameterError, near_match
from dagflow.utilities.context import context, current_layer
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.engine.plan import Plan

__all__ = ["run_flow", "run_name_of"]

_OPTIONS = (
    "context",
    "executor",
    "flow_run_id",
    "flow_run_name",
    "state",
    "task_contexts",
    "task_runner_state_handlers",
    "task_states",
)


def run_flow(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    run_on_schedule: bool | None,
    runner_cls: type | None,
    options: dict[str, Any],
) -> State | None:
    """Run *flow* as :meth:`Flow.run` describes."""
    if context.get("loading_flow"):
        warnings.warn(
            f"Flow {flow.name!r} is being loaded from its file, so the call of flow.run() there is passed over. "
            'Put it under `if __name__ == "__main__":`.',
            stacklevel=3,
        )
        return None
    values = _sort_out(flow, _as_dict(parameters, "parameters"), options)
    given = _as_dict(options.pop("context", None), "context")
    _check_options(options)
    given["parameters"] = {**_outer_parameters(), **_as_dict(given.get("parameters"), "context['parameters']")}
    names = {key: options.pop(key, None) for key in ("flow_run_id", "flow_run_name")}
    scheduled = config.flows.run_on_schedule if run_on_schedule is None else run_on_schedule
    checked_executor(options.get("executor", flow.executor))
    runner = _runner(flow, runner_cls)
    clock = getattr(runner, "clock", None) or Clock()
    approvals = Approvals()
    runner.watcher = display = display_for(flow)
    runner.between_passes = approvals if display is None else display.stepping_aside(approvals)
    state: State | None = None
    for event in _events(flow, bool(scheduled), clock):
        defaults = dict(event.parameter_defaults or {}) if event is not None else {}
        _check_parameters(flow, {**given["parameters"], **defaults, **values})
        checked = {**values, **converted_parameters(flow, {**defaults, **given["parameters"], **values})}
        keys = _keys(given, names, event)
        keys["parameters"] = {**defaults, **given["parameters"]}
        if flow.flow_run_name is not None and "flow_run_name" not in keys:
            keys["flow_run_name"] = run_name_of(flow, {**keys["parameters"], **checked})
        keys["caches"] = _caches()
        start = options.pop("state", None) or Scheduled(start_time=clock.now() if event is None else event.start_time)
        _wait_for(start, clock)
        # A frame of our own here would be one more between the user's script and the user's function.
        runner.attempt_number = 1
        while True:
            try:
                state = runner.run(parameters=checked, context=keys, return_tasks=flow._graph, state=start, **options)
            finally:
                if display is not None:
                    display.close()
            if display is not None:
                display.ended(state)
            if not isinstance(state, Retrying) or runner.attempt_number > flow.retries:
                break
            start = _next_attempt(flow, runner, state, keys, options, clock)
        if approvals.closed is not None:
            raise approvals.closed
        _keep_caches(state, keys["caches"], clock.now())
        options.pop("task_states", None)
        _complete(state, flow)
    return state


# --- what was given --------------------------------------------------------------------------------------------


def _as_dict(given: Any, what: str) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    raise TypeError(f"flow.run() takes {what} as a dict, found {given!r}{user_location()}. Write {{name: value}}.")


def _check_options(options: dict[str, Any]) -> None:
    """Refuse states and contexts of the wrong shape before anything runs."""
    for name in ("task_states", "task_contexts"):
        if options.get(name) is not None:
            options[name] = _as_dict(options[name], name)
    for one in (options.get("state"), *(options.get("task_states") or {}).values()):
        if one is not None and not isinstance(one, State):
            raise TypeError(
                f"flow.run() takes states such as Success(result=...), found {one!r} of type {type(one).__name__}"
                f"{user_location()}."
            )
    checked_handlers(options.get("task_runner_state_handlers"), None, "flow.run(), for task runners")


def _outer_parameters() -> dict[str, Any]:
    """Return parameters from ``with dagflow.context(parameters=...)``; those of a run around this one do not count."""
    if "task_name" in context:
        return {}
    return _as_dict(context.get("parameters"), "context['parameters']")


def _sort_out(flow: Flow, values: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Move keywords that name a parameter from *options* to *values*; refuse what is neither."""
    known = {parameter.name for parameter in flow.parameters()}
    for name in known & options.keys():
        values[name] = options.pop(name)
    if "return_tasks" in options:
        raise ValueError(
            f"flow.run() returns the states of all tasks, so it takes no return_tasks{user_location()}. "
            "Use FlowRunner(flow).run(return_tasks=...) to choose."
        )
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(
                f"Flow {flow.name!r} has no parameter and flow.run() no option {name!r}"
                f"{user_location()}.{near_match(name, [*known, *_OPTIONS])} Parameters: {_listed(known)}."
            )
    for name in values:
        if name not in known:
            raise ParameterError(
                f"Flow {flow.name!r} has no parameter {name!r}{user_location()}.{near_match(name, known)} "
                f"Parameters: {_listed(known)}."
            )
    return values


def _check_parameters(flow: Flow, values: Mapping[str, Any]) -> None:
    missing = sorted(p.name for p in flow.parameters() if p.required and p.name not in values)
    if missing:
        example = ", ".join(f"{name}=..." for name in missing)
        raise ParameterError(
            f"Flow {flow.name!r} needs a value for the parameter{'s' * (len(missing) > 1)} "
            f"{', '.join(map(repr, missing))}{user_location()}. Write flow.run({example}), or give a default."
        )


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _runner(flow: Flow, runner_cls: type | None) -> Any:
    from dagflow.engine.defaults import get_default_flow_runner_class

    if runner_cls is not None and not callable(runner_cls):
        raise TypeError(f"runner_cls must be a class such as FlowRunner, found {runner_cls!r}{user_location()}.")
    runner = (runner_cls or get_default_flow_runner_class())(flow=flow)
    runner.patience = math.inf
    return runner


def _keys(given: Mapping[str, Any], names: Mapping[str, Any], event: Any) -> dict[str, Any]:
    keys = dict(given)
    for name, value in names.items():
        if value is not None:
            keys[name] = value
        elif event is not None:
            keys[name] = new_id()
    if event is not None:
        keys["scheduled_start_time"] = event.start_time
    return keys


def run_name_of(flow: Flow, values: Mapping[str, Any]) -> str:
    """
    Return the name of a run as the flow's template or function says.

    Raises:
        ParameterError: when the template names what is no parameter.
    """
    template = flow.flow_run_name
    if callable(template):
        return str(template())
    defaults = {one.name: one.default for one in flow.parameters()}
    try:
        return str(template).format(**{**defaults, **values})
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise ParameterError(
            f"Flow {flow.name!r}: flow_run_name {template!r} cannot be filled in: {error!r}. "
            f"Parameters: {_listed(defaults)}."
        ) from error


# --- schedules -------------------------------------------------------------------------------------------------


def _events(flow: Flow, scheduled: bool, clock: Any) -> Iterator[Any]:
    """Yield the dates to run at; one ``None`` for a single run at once."""
    if not scheduled or checked_schedule(flow.schedule) is None:
        yield None
        return
    after = None
    count = 0
    while True:
        import pendulum

        found = flow.schedule.next(1, after=after or pendulum.from_timestamp(clock.now()), return_events=True)
        if not found:
            break
        count += 1
        yield found[0]
        after = max(found[0].start_time, pendulum.from_timestamp(clock.now()))
    if not count:
        raise ValueError(
            f"The schedule of flow {flow.name!r} has no date left{user_location()}. "
            "Run it now with flow.run(run_on_schedule=False), or change the schedule."
        )


def _wait_for(start: State, clock: Any) -> None:
    due = start.due() if isinstance(start, Scheduled) else None
    if due is None:
        return
    seconds = due - clock.now()
    if seconds > 0:
        get_logger("Flow").info("Waiting for the next scheduled run at %s.", utc(due))
        clock.sleep(seconds)


def _complete(state: State | None, flow: Flow) -> None:
    """Let a run that ended before its tasks had their turn say so of each, so that every task can be looked up."""
    if state is not None and state.result is None:
        state.result = {task: Pending("Task not run.") for task in flow._graph}


def _next_attempt(
    flow: Flow, runner: Any, state: Retrying, keys: dict[str, Any], options: dict[str, Any], clock: Any
) -> State:
    """Wait until a flow run is to be tried again, keep what need not run again, and return the state to start in."""
    from dagflow.engine.again import states_to_keep

    known = state.result if isinstance(state.result, dict) else options.get("task_states") or {}
    options["task_states"] = states_to_keep(flow, known)
    due = state.due()
    seconds = 0.0 if due is None else due - clock.now()
    get_logger("Flow").info("%s The next attempt starts in %.1f s.", state.message, max(0.0, seconds))
    if seconds > 0:
        clock.sleep(seconds)
    runner.attempt_number += 1
    keys["flow_run_count"] = runner.attempt_number
    return state


# --- caches ----------------------------------------------------------------------------------------------------

def _caches() -> dict[str, list[Any]]:
    """Return the caches in force, making them in the outermost context when there are none."""
    found = context.get("caches")
    if found is None:
        found = {}
        layer = current_layer()
        if layer is None:
            context["caches"] = found
        else:
            while layer.parent is not None:
                layer = layer.parent
            layer.values["caches"] = found
    return found  # type: ignore[no-any-return]


def _keep_caches(state: State | None, caches: dict[str, list[Any]], now: float) -> None:
    """Keep the cached states of a run that have not expired, for later runs in this process."""
    result = state.result if state is not None else None
    if not isinstance(result, dict):
        return
    for task, one in result.items():
        if task.cache_for is None:
            continue
        kept = caches.setdefault(task.cache_key or task.name, [])
        _add_new(kept, _cached_in(one))
        ends = [(one, one.cached_result_expiration) for one in kept]
        kept[:] = [one for one, end in ends if end is None or end.timestamp() > now]


def _add_new(kept: list[Any], found: list[Cached]) -> None:
    """Add what is not there; a hit is a copy of what it hit, or came back from another process, so marks decide."""
    from dagflow.engine.cache_validators import same_values

    there: dict[Any, list[Any]] = {}
    for one in kept:
        there.setdefault(_marks(one), []).append(one)
    for one in found:
        alike = there.setdefault(_marks(one), [])
        if not any(same_values(one.cached_parameters, other.cached_parameters) for other in alike):
            alike.append(one)
            kept.append(one)


def _marks(cached: Cached) -> Any:
    end = cached.cached_result_expiration
    inputs = tuple(sorted((cached.hashed_inputs or {}).items()))
    return getattr(cached, "map_index", None), None if end is None else end.timestamp(), inputs


def _cached_in(state: State) -> list[Cached]:
    children = state.map_states if isinstance(state, Mapped) else [state]
    return [child for child in children if isinstance(child, Cached)]


# --- approvals -------------------------------------------------------------------------------------------------


class Approvals:
    """
    Asks somebody at standard input about each paused run.

    Attributes:
        closed: the ``EOFError`` of an input that ended; kept, so that the engine can finish what it was doing.
    """

    def __init__(self) -> None:
        self.closed: EOFError | None = None

    def __call__(self, plan: Plan, states: dict[Task, State]) -> dict[Task, State] | None:
        """Return states to go on with, ``None`` when nobody can be asked."""
        paused = _paused_among(states)
        if not paused or not _somebody_is_there():
            return None
        try:
            return _ask(paused, states)
        except EOFError as end:
            self.closed = end
            return None


def _paused_among(states: dict[Task, State]) -> list[tuple[Task, int]]:
    return [
        (task, number)
        for task, state in states.items()
        for number, one in enumerate(state.map_states if isinstance(state, Mapped) else [state])
        if isinstance(one, Paused)
    ]


def _ask(paused: list[tuple[Task, int]], states: dict[Task, State]) -> dict[Task, State]:
    changed: dict[Task, State] = {}
    for task, number in paused:
        state = states[task]
        name = f"{task.name}[{number}]" if isinstance(state, Mapped) else task.name
        if input(f"Task {name!r} is paused. Resume it? [y/n] ").strip().lower() != "y":
            continue
        if isinstance(state, Mapped):
            state.map_states[number] = Resume("Resumed by hand.")
            changed[task] = state
        else:
            changed[task] = Resume("Resumed by hand.")
    return changed


def _somebody_is_there() -> bool:
    """Tell whether standard input can answer: a terminal, or text that a program such as a test put in its place."""
    import io
    import sys

    return sys.stdin is not None and (isinstance(sys.stdin, io.StringIO) or sys.stdin.isatty())
