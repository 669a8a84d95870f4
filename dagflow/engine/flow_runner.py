"""``FlowRunner``: one pass over a flow, as Prefect 0.15 offers it; ``flow.run`` is built on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.core.typed import converted_parameters
from dagflow.engine.clock import Clock
from dagflow.engine.loop import Loop, OutOfTime, Watcher
from dagflow.engine.notify import call_handlers, tell_hooks
from dagflow.engine.outcome import cancelled_among, flow_outcome
from dagflow.engine.plan import Plan, compile_plan
from dagflow.engine.run_context import RunScope
from dagflow.engine.seeds import usable_states
from dagflow.engine.state import Failed, Pending, Running, Scheduled, State, TimedOut, unwrapped
from dagflow.utilities.context import pop_layer, push_layer
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.engine.reporter import Reporter
    from dagflow.executors.base import Executor

__all__ = ["FlowRunner"]


class FlowRunner:
    """
    Runs a flow.

    Args:
        flow: the flow.
        task_runner_cls: kept for those who pass it; task runs go through the engine.
        state_handlers: called as ``handler(flow_runner, old_state, new_state)`` after the flow's own.
    """

    patience: float | None = None
    """Seconds to sit with only dates left; ``None`` makes a single pass that waits for nothing."""

    clock: Clock = Clock()
    watcher: Watcher | None = None
    reporter: Reporter | None = None
    attempt_number: int = 1
    """Which attempt at the flow run this is; the flow says how many there may be."""

    between_passes: Callable[[Plan, dict[Any, State]], dict[Any, State] | None] | None = None
    """Asked when a pass ends unfinished: returns states to go on with, or ``None`` to leave it there."""

    def __init__(
        self,
        flow: Flow,
        task_runner_cls: type | None = None,
        state_handlers: Sequence[Callable[..., Any]] | None = None,
    ) -> None:
        self.flow = flow
        self.task_runner_cls = task_runner_cls
        self.state_handlers = list(state_handlers or ())

    def run(
        self,
        state: State | None = None,
        task_states: Mapping[Task, State] | None = None,
        return_tasks: Iterable[Task] | None = None,
        parameters: Mapping[str, Any] | None = None,
        task_runner_state_handlers: Sequence[Callable[..., Any]] | None = None,
        executor: Executor | None = None,
        context: Mapping[str, Any] | None = None,
        task_contexts: Mapping[Task, Mapping[str, Any]] | None = None,
    ) -> State:
        """
        Run the flow and return its state; ``state.result`` holds the states of *return_tasks*.

        Args:
            state: the flow's state to start in; a finished one is returned as it is.
            task_states: states from elsewhere; finished ones stand in for their runs.
            return_tasks: tasks whose states are wanted.
            parameters: values for parameters; they win over those in *context*.
            task_runner_state_handlers: called as ``handler(task_runner, old_state, new_state)``.
            executor: default is the flow's, else the configured one.
            context: extra context.
            task_contexts: extra context by task.
        """
        flow = self.flow
        known = unwrapped(state) or Pending()
        if known.is_finished() or isinstance(known, Scheduled) and not _is_due(known, self.clock):
            return known
        keys = dict(context or {})
        scope = self._scope(keys, parameters, task_runner_state_handlers, task_contexts)
        token = push_layer(scope.layer)
        logger = get_logger("FlowRunner")
        try:
            logger.info("Beginning Flow run for %r", flow.name)
            running = known if known.is_running() else self._announce(known, Running("Running flow."), scope)
            if not running.is_running():
                return running
            if flow._hooks:
                tell_hooks(flow._hooks, flow, "flow", running)
            try:
                given = {*(keys.get("parameters") or ()), *(parameters or ())}
                values = {name: value for name, value in scope.parameters.items() if name in given}
                scope.parameters.update(converted_parameters(flow, values))
                chosen = _executor(executor, flow)
                plan = flow._once("plan", lambda: compile_plan(flow))
                deadline = None if flow.timeout_seconds is None else self.clock.now() + flow.timeout_seconds
                wanted = _wanted(flow, return_tasks)
                states = usable_states(plan, task_states or {}, scope.logger)
                try:
                    with chosen.start():
                        while True:
                            loop = _loop(
                                plan, scope, chosen, states, wanted,
                                patience=self.patience, watcher=self.watcher, deadline=deadline,
                                reporter=self.reporter,
                            )  # fmt: skip
                            found = loop.drive()
                            final = self._outcome(plan, found)
                            if final.is_finished() or self.between_passes is None:
                                break
                            states = dict(zip(plan.place, found, strict=True))
                            more = self.between_passes(plan, states)
                            if more is None:
                                break
                            states.update(more)
                except OutOfTime:  # caught out here, so that the executor is told to stop
                    reason = f"The flow run took longer than its timeout of {flow.timeout_seconds:g} s."
                    logger.error(reason)
                    found, final = loop.stop(reason), TimedOut(reason)
            except Exception as error:
                if scope.raises:
                    raise
                logger.exception("Unexpected error while running flow %r: %r", flow.name, error)
                final = self._announce(
                    running, Failed(f"Unexpected error while running flow: {error!r}", error), scope
                )
                return self._ended(final, scope)
            return self._finish(running, final, plan, found, wanted, scope)
        finally:
            pop_layer(token)

    def _scope(
        self, keys: dict[str, Any], parameters: Any, handlers: Any, task_contexts: Any
    ) -> RunScope:
        # Defaults are in the context too: templates and validators read parameters there.
        defaults = {parameter.name: parameter.default for parameter in self.flow.parameters() if not parameter.required}
        values = {**defaults, **(keys.get("parameters") or {}), **(parameters or {})}
        scope = RunScope(
            self.flow.name,
            parameters=values,
            keys=keys,
            handlers=tuple(handlers or ()),
            task_contexts=task_contexts,
            flow_result=self.flow.result,
            clock=self.clock,
        )
        wanted = self.flow.log_prints
        scope.log_prints = bool(scope.setting("logging").log_prints if wanted is None else wanted)
        return scope

    def _announce(self, old: State, new: State, scope: RunScope) -> State:
        """Tell the flow's handlers, then the runner's, of a change of the flow's state."""
        ended = False
        if self.flow.state_handlers:
            new, ended = call_handlers(self.flow.state_handlers, self.flow, old, new, raises=scope.raises)
        if self.state_handlers and not ended:
            new, ended = call_handlers(self.state_handlers, self, old, new, raises=scope.raises)
        return new if self.reporter is None else self.reporter.flow_state(new)

    def _outcome(self, plan: Plan, found: list[State]) -> State:
        reference = [found[index] for index in plan.reference]
        outcome = flow_outcome([found[index] for index in plan.terminal], reference)
        if outcome.is_successful() and cancelled_among(reference):
            get_logger("FlowRunner").warning(
                "Flow run %r counts as a success although a reference task was cancelled.", self.flow.name
            )
        return outcome

    def _finish(
        self, running: State, final: State, plan: Plan, found: list[State], wanted: list[Task] | None, scope: RunScope
    ) -> State:
        """Let the terminal handler and the flow's handlers see the final state, and give it its result."""
        flow = self.flow
        results = dict(zip(plan.place, found, strict=True)) if wanted is None else {
            task: found[plan.place[task]] for task in wanted
        }
        final.result = results
        if flow.terminal_state_handler is not None:
            final = self._terminal(final, plan, found, scope)
        if final.is_finished():
            final = self._ended(self._announce(running, final, scope), scope)
        if not isinstance(final.result, dict) and not isinstance(final.result, BaseException):
            final.result = results
        final._lineage = plan.lineage
        final.run_started, final.run_ended = scope.started, self.clock.now()
        get_logger("FlowRunner").info("Flow run %s: %s", type(final).__name__.upper(), final.message)
        return final

    def _ended(self, final: State, scope: RunScope) -> State:
        """Plan another attempt at a run that failed, or tell the hooks how it ended."""
        flow = self.flow
        if final.is_failed() and self.attempt_number <= flow.retries:
            from dagflow.engine.again import flow_retry

            return self._announce(final, flow_retry(flow, final, self.attempt_number, self.clock.now()), scope)
        if flow._hooks and final.is_finished():
            tell_hooks(flow._hooks, flow, "flow", final)
        return final

    def _terminal(self, final: State, plan: Plan, found: list[State], scope: RunScope) -> State:
        flow = self.flow
        assert flow.terminal_state_handler is not None
        reference = {found[index] for index in plan.reference}
        try:
            answer = flow.terminal_state_handler(flow, final, reference)
        except Exception as error:
            if scope.raises:
                raise
            return Failed(f"Exception raised while calling the terminal state handler: {error!r}", result=error)
        return final if answer is None else answer


def _loop(
    plan: Plan, scope: RunScope, executor: Executor, states: dict[Any, State], wanted: list[Task] | None, **options: Any
) -> Loop:
    """Return the loop that suits *executor*."""
    if executor.immediate:
        return Loop(plan, scope, executor, states, **options)
    from dagflow.engine.far_loop import FarLoop

    steps = None if wanted is None else [plan.place[task] for task in wanted]
    return FarLoop(plan, scope, executor, states, wanted=steps, **options)


def _is_due(state: Scheduled, clock: Clock) -> bool:
    due = state.due()
    return due is not None and due <= clock.now()


def _wanted(flow: Flow, tasks: Iterable[Task] | None) -> list[Task] | None:
    """Return the tasks whose states are wanted, ``None`` for all of them."""
    if tasks is flow._graph:
        return None
    wanted = list(tasks or ())
    strangers = [task for task in wanted if task not in flow.slugs]
    if strangers:
        raise ValueError(f"return_tasks names {strangers[0]!r}, which is not in flow {flow.name!r}.")
    return wanted


def _executor(executor: Any, flow: Flow) -> Executor:
    """Return the executor to use: the argument, the flow's, or the configured one."""
    from dagflow.engine.defaults import get_default_executor_class

    chosen = executor if executor is not None else flow.executor
    if chosen is None:
        chosen = get_default_executor_class()
    return chosen() if isinstance(chosen, type) else chosen  # type: ignore[no-any-return]


