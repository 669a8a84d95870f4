"""
The loop: carries instructions from the progress machine to the executor, and completions back.

It is the only place where the engine waits, and it waits for whatever finishes first, so a slow branch never holds up
another. Three sources feed it: tasks that finish, verdicts that were announced, and dates that have come.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dagflow.engine.attempt import attempt, attempt_all
from dagflow.engine.notify import announce, log_end, tell_hooks
from dagflow.engine.progress import Progress, Settle, Submit, WakeAt, looks_up
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import Pending, State, Success, TimedOut
from dagflow.utilities.context import pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task
    from dagflow.engine.gates import Gate
    from dagflow.engine.plan import Plan, Step
    from dagflow.engine.reporter import Reporter
    from dagflow.executors.base import Executor

__all__ = ["Loop", "OutOfTime", "Watcher"]


class OutOfTime(Exception):
    """The flow run took longer than it may."""


class Watcher(Protocol):
    """Somebody who is told how a run goes, in the driver's thread; what it does must be quick."""

    def began(self, plan: Plan) -> None:
        """The run starts."""

    def spread(self, step: int, width: int) -> None:
        """A mapped step has become *width* children."""

    def finished(self, step: int, child: int | None, state: State) -> None:
        """A run reached a state in which it ends or waits."""

    def following(self, step: int, runs: Iterator[Any]) -> Iterator[Any]:
        """Hand *runs*, children that run here one after the other, on; each is asked for when the one before ended."""

    def children_finished(self, step: int, states: Sequence[State]) -> None:
        """Several children of a step did."""

    def ended(self, state: State) -> None:
        """The flow run reached *state*."""


class Loop:
    """
    One run of a plan on an executor.

    Args:
        plan: what to run.
        scope: what its task runs share.
        executor: started already.
        known_states: states from elsewhere, by task.
        patience: how many seconds to sit with only dates left; ``None`` for a single pass that waits for nothing.
        watcher: told how it goes.
        batch_size: children that travel together; default follows their durations.
        deadline: when to give up, in seconds since the epoch.
        reporter: told of every change of state.
    """

    def __init__(
        self,
        plan: Plan,
        scope: RunScope,
        executor: Executor,
        known_states: dict[Any, State] | None = None,
        *,
        patience: float | None = None,
        watcher: Watcher | None = None,
        batch_size: int | None = None,
        deadline: float | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.plan = plan
        self.scope = scope
        self.executor = executor
        self.progress = Progress(plan, known_states, self._decide)
        self._patience = patience
        self._watcher = watcher
        self._batch_size = batch_size
        self._deadline = deadline
        self._reporter = scope.reporter = reporter
        # Where tasks run in this thread, only they themselves can be interrupted.
        scope.deadline = deadline if executor.immediate else None
        self._packed = executor.remote
        self._clock = scope.clock
        self._constants: dict[int, dict[str, Any]] = {}
        self._timers: list[tuple[float, int, int]] = []
        self._ready: list[int] = []
        self._children: dict[int, list[int]] = {}
        self._answers: dict[tuple[int, int], State] = {}
        self._candidates: dict[int, dict[int | None, list[Any]]] = {}

    def drive(self) -> list[State]:
        """
        Run until nothing is left that this pass may do; return a state for every step.

        Raises:
            OutOfTime: at the deadline; :meth:`stop` then says how things stand.
        """
        self._tell_beginning()
        out = self.progress.begin()
        reporter = self._reporter
        finished, watcher, submit, ready = self.progress.finished, self._watcher, self.executor.submit, self._ready
        waiting: list[Any] | None = out
        deadline = self._deadline
        while waiting is not None:
            if deadline is not None:
                self._check_deadline()
            while waiting:
                waiting = self._route(waiting)
            if not ready:
                waiting = self._wake()
                continue
            index = heapq.heappop(ready)
            if index in self._children:
                children = self._children.pop(index)
                if reporter is not None:
                    waiting = self._reported_children(index, children, reporter)
                    continue
                pairs = self._pairs(index, children)
                if watcher is not None:
                    pairs = watcher.following(index, pairs)
                waiting = self._take(index, children, submit(attempt_all, pairs))
                continue
            run = self._run(index, None)
            held = None if reporter is None else reporter.starting(index, None)
            state = submit(attempt, run, self._asked(run, index)) if held is None else held
            if reporter is not None and held is None:
                reporter.settled(index, None, state)
            if watcher is not None:
                watcher.finished(index, None, state)
            waiting = finished(index, None, state)
        return self.progress.snapshot()

    def _tell_beginning(self) -> None:
        for one in (self._watcher, self._reporter):
            if one is not None:
                one.began(self.plan)

    def _reported_children(self, index: int, children: Sequence[int], reporter: Reporter) -> list[Any]:
        """Run children one by one, telling of each, so that what is done is known before the next begins."""
        out: list[Any] = []
        for child in children:
            held = reporter.starting(index, child)
            if held is None:
                run = self._run(index, child)
                state = self.executor.submit(attempt, run, self._asked(run, index))
                reporter.settled(index, child, state)
            else:
                state = held
            out += self._take(index, [child], [state])
        return out

    def stop(self, reason: str) -> list[State]:
        """End what has not ended: runs that were under way in ``TimedOut``, the others in ``Cancelled``."""
        running = self._under_way()
        for one in self.progress.cancelled(reason):
            assert isinstance(one, Settle)
            began = (one.step, one.child) in running
            verdict = TimedOut(reason) if began else one.state
            run = self._bare_run(one.step, one.child, one.old)
            token = push_layer(run)
            try:
                state = announce(run, one.old or Pending(), verdict)
            finally:
                pop_layer(token)
            if run.task._hooks:
                self._tell_hooks(run, state)
            if self._watcher is not None:
                self._watcher.finished(one.step, one.child, state)
            if self._reporter is not None:
                self._reporter.settled(one.step, one.child, state)
            self.progress.record(one.step, one.child, state)
        return self.progress.snapshot()

    def _under_way(self) -> Collection[tuple[int, int | None]]:
        """Return the runs that were sent and are not back."""
        return ()

    def _check_deadline(self) -> None:
        if self._deadline is not None and self._clock.now() >= self._deadline:
            raise OutOfTime

    # --- instructions ----------------------------------------------------------------------------------------

    def _route(self, out: list[Any]) -> list[Any]:
        """Put instructions where they belong; return those that follow from announcing verdicts."""
        more: list[Any] = []
        for one in out:
            if type(one) is Submit:
                index = one.step
                if one.children is not None:
                    children = one.children
                    if self._answers:
                        children, answered = self._split_answered(index, children)
                        more += answered
                    if children:
                        self._line_up(index, children)
                elif self.plan.steps[index].task.is_constant:
                    state = _constant_state(self.plan.steps[index].task)
                    if self._reporter is not None:
                        self._reporter.settled(index, None, state)
                    more += self.progress.finished(index, None, state)
                else:
                    heapq.heappush(self._ready, index)
            elif type(one) is Settle:
                more += self._settle(one)
            elif self._patience is not None or one.seeded:
                self._remember(one)
        return more

    def _split_answered(self, index: int, children: list[int]) -> tuple[list[int], list[Any]]:
        """Feed back the children that a worker ran already, right after what they follow; return the others."""
        ahead = [child for child in children if (index, child) in self._answers]
        if not ahead:
            return children, []
        states = [self._answers.pop((index, child)) for child in ahead]
        done = set(ahead)
        return [child for child in children if child not in done], self._take(index, ahead, states)

    def _line_up(self, index: int, children: list[int]) -> None:
        """Note children to run; those of one step go together."""
        if index in self._children:
            self._children[index] += children
        else:
            self._children[index] = children
            heapq.heappush(self._ready, index)

    def _settle(self, one: Settle) -> list[Any]:
        """Announce a verdict and feed what came of it back."""
        run = self._bare_run(one.step, one.child, one.old)
        token = push_layer(run)
        try:
            state = announce(run, one.old or Pending(), one.state)
        finally:
            pop_layer(token)
        if self.scope.logs and not state.is_mapped():
            log_end(run, state)
        if run.task._hooks:
            self._tell_hooks(run, state)
        if self._reporter is not None:
            self._reporter.settled(one.step, one.child, state)
        if self._watcher is not None:
            width = len(state.map_states) if state.is_mapped() else None  # type: ignore[attr-defined]
            if width is not None and one.child is None:
                self._watcher.spread(one.step, width)
            else:
                self._watcher.finished(one.step, one.child, state)
        return self.progress.finished(one.step, one.child, state)

    def _tell_hooks(self, run: TaskRun, state: State) -> None:
        token = push_layer(run)
        try:
            tell_hooks(run.task._hooks, run.task, "task", state)
        finally:
            pop_layer(token)

    def _remember(self, one: WakeAt) -> None:
        child = -1 if one.child is None else one.child
        heapq.heappush(self._timers, (one.time, one.step, child))

    def _decide(
        self, step: Step, child: int | None, known: State | None, upstream: dict[Edge, State], gates: tuple[Gate, ...]
    ) -> State | None:
        """Ask the gates where triggers find the context of the run."""
        from dagflow.engine.gates import judge

        run = self._bare_run(step.index, child, known)
        token = push_layer(run)
        try:
            return judge(step.task, upstream, gates, raises=self.scope.raises)
        finally:
            pop_layer(token)

    def _bare_run(self, index: int, child: int | None, known: State | None) -> TaskRun:
        from dagflow.engine.state import Paused, Resume

        step = self.plan.steps[index]
        run = TaskRun(self.scope, step.task, step.slug, child, known, {})
        run.resumed = isinstance(known, Resume | Paused)
        return run

    # --- runs ------------------------------------------------------------------------------------------------

    def _run(self, index: int, child: int | None) -> TaskRun:
        """Gather what one task run needs."""
        step, progress = self.plan.steps[index], self.progress
        task, packed = step.task, self._packed
        # Constant arguments are with the task already where it runs in another process.
        inputs = self._constants_of(index).copy() if task in self.plan.constants and not packed else {}
        if child is None:
            if step.sources:
                inputs = {**inputs, **progress.inputs(index, packed)} if inputs else progress.inputs(index, packed)
            known = progress.states[index] or progress.known_state(index, None)
        else:
            for column in progress.columns(index):
                if column.key is not None:
                    inputs[column.key] = column.value_of(child, packed)
            known = progress.known_state(index, child)
        run = TaskRun(self.scope, task, step.slug, child, known, inputs)
        if task.cache_for is not None:
            run.candidates = self._candidates_of(index, task).get(child, ())
        return run

    def _candidates_of(self, index: int, task: Task) -> dict[int | None, list[Any]]:
        """Return the cached states of earlier runs by the number of the child that made them."""
        found = self._candidates.get(index)
        if found is None:
            found = self._candidates[index] = {}
            for one in self.scope.candidates(task):
                found.setdefault(getattr(one, "map_index", None), []).append(one)
        return found

    def _pairs(
        self, index: int, children: Iterable[int | None]
    ) -> Iterator[tuple[TaskRun, dict[Edge, State] | None]]:
        """Yield the runs of a batch, made one at a time, each with what its trigger is asked about."""
        return ((run, self._asked(run, index)) for run in (self._run(index, child) for child in children))

    def _asked(self, run: TaskRun, index: int) -> dict[Edge, State] | None:
        """Return what the worker asks the trigger about, for a run that looks for its result first."""
        if not looks_up(run.task, run.state):
            return None
        return self.progress.upstream(index, run.map_index)

    def _constants_of(self, index: int) -> dict[str, Any]:
        """Return copies of the constant arguments, so that a task that changes one changes no later run."""
        found = self._constants.get(index)
        if found is None:
            values = self.plan.constants.get(self.plan.steps[index].task)
            found = self._constants[index] = {key: fresh(value) for key, value in values.items()} if values else {}
        return found

    def _take(self, index: int, children: Sequence[int], states: Sequence[State]) -> list[Any]:
        """Feed the states of a batch back."""
        if self._watcher is not None:
            self._watcher.children_finished(index, states)
        return self.progress.children_finished(index, zip(children, states, strict=True))

    # --- dates -----------------------------------------------------------------------------------------------

    def _due(self) -> list[Any]:
        """Wake the runs whose time has come."""
        out: list[Any] = []
        while self._timers and self._timers[0][0] <= self._clock.now():
            _, index, child = heapq.heappop(self._timers)
            out += self.progress.woken(index, None if child < 0 else child)
        return out

    def _wake(self) -> list[Any] | None:
        """Wake what is due; wait for the next date when patience allows; ``None`` when there is nothing to wait for."""
        if not self._timers:
            return None
        wait = self._timers[0][0] - self._clock.now()
        if wait > 0:
            if self._patience is None or wait > self._patience:
                return None
            if self._deadline is not None and self._timers[0][0] > self._deadline:
                self._clock.sleep(max(0.0, self._deadline - self._clock.now()))
                raise OutOfTime
            self.scope.logger.info("Waiting %.1f s for the next task run to be due.", wait)
            self._clock.sleep(wait)
        return self._due()


def _constant_state(task: Any) -> State:
    state: State = Success._made("Constant.", fresh(task.value))
    return state


def fresh(value: Any) -> Any:
    """
    Return a copy of a plain list, dict or set, plain containers inside copied too; anything else as it is.

    >>> numbers = [1, [2]]
    >>> fresh(numbers) == numbers, fresh(numbers)[1] is numbers[1]
    (True, False)
    """
    kind = type(value)
    if kind is list:
        return [fresh(item) if type(item) in _CONTAINERS else item for item in value]
    if kind is dict:
        return {key: fresh(item) if type(item) in _CONTAINERS else item for key, item in value.items()}
    return set(value) if kind is set else value


_CONTAINERS = (list, dict, set)
