"""
The loop: carries instructions from the progress machine to the executor, and completions back.

It is the only place where the engine waits, and it waits for whatever finishes first, so a slow branch never holds up
another. Three sources feed it: tasks that finish, verdicts that were announced, and dates that have come.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dagflow.engine.attempt import attempt, attempt_all
from dagflow.engine.notify import announce, log_end
from dagflow.engine.plan import GO_ON_SUCCESS
from dagflow.engine.progress import Progress, Settle, Submit, WakeAt, looks_up
from dagflow.engine.remote import Link, Post
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.settle import retry_state
from dagflow.engine.sizes import BatchSize
from dagflow.engine.state import Failed, Pending, State, Success
from dagflow.utilities.context import pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task
    from dagflow.engine.gates import Gate
    from dagflow.engine.plan import Plan, Step
    from dagflow.executors.base import Executor

__all__ = ["Loop", "Watcher"]


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
    ) -> None:
        self.plan = plan
        self.scope = scope
        self.executor = executor
        self.progress = Progress(plan, known_states, self._decide)
        self._patience = patience
        self._watcher = watcher
        self._batch_size = batch_size
        self._clock = scope.clock
        self._constants: dict[int, dict[str, Any]] = {}
        self._timers: list[tuple[float, int, int]] = []
        self._ready: list[int] = []
        self._children: dict[int, list[int]] = {}
        self._flights: dict[int, tuple[int, list[int] | None, Any]] = {}
        self._batches = 0
        self._undeliverable: list[tuple[int, list[int] | None, Exception]] = []
        self._backlog: dict[int, deque[int]] = {}
        self._sizes: dict[int, BatchSize] = {}
        self._answers: dict[tuple[int, int], State] = {}
        self._candidates: dict[int, dict[int | None, list[Any]]] = {}
        if executor.remote:
            self._post: Any = Post(scope, executor)

    def drive(self) -> list[State]:
        """Run until nothing is left that this pass may do; return a state for every step."""
        if self._watcher is not None:
            self._watcher.began(self.plan)
        out = self.progress.begin()
        if not self.executor.immediate:
            self._drive_elsewhere(out)
            return self.progress.snapshot()
        finished, watcher, submit, ready = self.progress.finished, self._watcher, self.executor.submit, self._ready
        waiting: list[Any] | None = out
        while waiting is not None:
            while waiting:
                waiting = self._route(waiting)
            if not ready:
                waiting = self._wake()
                continue
            index = heapq.heappop(ready)
            if index in self._children:
                children = self._children.pop(index)
                pairs = self._pairs(index, children)
                if watcher is not None:
                    pairs = watcher.following(index, pairs)
                waiting = self._take(index, children, submit(attempt_all, pairs))
                continue
            run = self._run(index, None)
            state = submit(attempt, run, self._asked(run, index))
            if watcher is not None:
                watcher.finished(index, None, state)
            waiting = finished(index, None, state)
        return self.progress.snapshot()

    def _drive_elsewhere(self, out: list[Any] | None) -> None:
        """The loop for executors that run several things at once."""
        while out is not None:
            while out:
                out = self._route(out)
            while self._ready:
                self._launch(heapq.heappop(self._ready))
            self._fill()
            out = self._land()

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
                    more += self.progress.finished(index, None, _constant_state(self.plan.steps[index].task))
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
        if self._watcher is not None:
            width = len(state.map_states) if state.is_mapped() else None  # type: ignore[attr-defined]
            if width is not None and one.child is None:
                self._watcher.spread(one.step, width)
            else:
                self._watcher.finished(one.step, one.child, state)
        return self.progress.finished(one.step, one.child, state)

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
        task, packed = step.task, self.executor.remote
        inputs = self._constants_of(index).copy() if task in self.plan.constants else {}
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
            for one in self.scope.caches.get(task.cache_key or task.name, ()):
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

    # --- executors that run elsewhere ------------------------------------------------------------------------

    def _launch(self, index: int) -> None:
        """Submit a plain run; line up children, which travel in batches."""
        children = self._children.pop(index, None)
        if children is None:
            self._submit(index, None)
        else:
            self._backlog.setdefault(index, deque()).extend(children)

    def _fill(self) -> None:
        """Keep two batches for every hand under way, those of later steps first, so that chains run depth first."""
        hands = self.executor.parallelism
        while self._backlog and self._batches < 2 * hands:
            index = max(self._backlog)
            line = self._backlog[index]
            size = self._batch_size or self._sizes.setdefault(index, BatchSize()).next(len(line), hands)
            batch = [line.popleft() for _ in range(min(size, len(line)))]
            if not line:
                del self._backlog[index]
            self._submit(index, batch)

    def _submit(self, index: int, children: list[int] | None) -> None:
        task = self.plan.steps[index].task
        about = {"task_name": task.name, "task_tags": task.tags, "task_index": children[0] if children else None}
        try:
            pairs = list(self._pairs(index, [None] if children is None else children))
            if self.executor.remote:
                future = self._post.submit(index, pairs, about, self._chain(index, children))
            else:
                future = self.executor.submit(attempt_all, pairs, extra_context=about)
        except Exception as error:
            self._undeliverable.append((index, children, error))
            return
        self._flights[id(future)] = (index, children, future)
        self._batches += children is not None

    def _chain(self, index: int, children: list[int] | None) -> list[Link]:
        """
        Return what may run on the same worker right after *children*, each child following its own.

        A value then goes from one step to the next without leaving the worker. That is sound where the machine can have
        no other verdict once the child before has plainly succeeded: the follower is spread, follows this step alone,
        asks a trigger that goes on success, looks nothing up and starts afresh.
        """
        links: list[Link] = []
        while children is not None:
            follower = next((one for one in self.plan.steps[index].followers if self._may_follow(one, index)), None)
            if follower is None:
                break
            if max(children) >= (self.progress.width(follower) or 0):
                break
            if any(self.progress.known_state(follower, child) is not None for child in children):
                break
            step = self.plan.steps[follower]
            keys = [edge.key for edge, source in zip(step.edges, step.sources, strict=True) if source == index]
            inputs = [self._inputs_beside(follower, child, keys) for child in children]
            links.append(Link(follower, step.task, step.slug, [key for key in keys if key is not None], inputs))
            index = follower
        return links

    def _may_follow(self, follower: int, index: int) -> bool:
        step = self.plan.steps[follower]
        task = step.task
        return (
            step.wide == {index}
            and self.progress.width(follower) is not None
            and task.trigger in GO_ON_SUCCESS
            and not looks_up(task, None)
            and self.progress.plain_beside(follower, index)
        )

    def _inputs_beside(self, index: int, child: int, keys: list[str | None]) -> dict[str, Any]:
        """Return the inputs of a child other than *keys*."""
        inputs = dict(self._constants_of(index))
        for column in self.progress.columns(index):
            if column.key is not None and column.key not in keys:
                inputs[column.key] = column.value_of(child, packed=True)
        return inputs

    def _land(self) -> list[Any] | None:
        """Wait for whatever comes first and feed it back; ``None`` when nothing is under way."""
        out: list[Any] = []
        lost, self._undeliverable = self._undeliverable, []
        for index, children, error in lost:
            out += self._lost(index, children, error, "could not be sent")
        if lost:
            return out
        if not self._flights:
            return self._wake()
        futures = () if self.executor.tracks else [future for _, _, future in self._flights.values()]
        for future in self.executor.as_completed(futures, timeout=self._until_next_date()):
            index, children, _ = self._flights.pop(id(future))
            self._batches -= children is not None
            out += self._arrived(index, children, future)
        return out + self._due()

    def _arrived(self, index: int, children: list[int] | None, future: Any) -> list[Any]:
        try:
            states = self.executor.wait(future)
        except Exception as error:
            return self._lost(index, children, error, "was lost")
        if self.executor.remote:
            states = self._unchained(states, children)
        if self._watcher is not None:
            if children is None:
                self._watcher.finished(index, None, states[0])
            else:
                self._watcher.children_finished(index, states)
        if children is None:
            return self.progress.finished(index, None, states[0])
        seconds = sum((state.run_ended or 0) - (state.run_started or 0) for state in states)
        self._sizes.setdefault(index, BatchSize()).learn(len(children), seconds)
        return self.progress.children_finished(index, zip(children, states, strict=True))

    def _unchained(self, chains: list[list[tuple[int, State]]], children: list[int] | None) -> list[State]:
        """Keep what ran ahead until the machine asks for it; return the states of the runs that were asked for."""
        for child, chain in zip(children or (), chains, strict=False):
            for follower, state in chain[1:]:
                self._answers[follower, child] = state
        return [chain[0][1] for chain in chains]

    def _lost(self, index: int, children: list[int] | None, error: Exception, how: str) -> list[Any]:
        """Deal with runs that never came back: a batch is split so that only the culprit fails."""
        if self.scope.raises:
            raise error
        if children is not None and len(children) > 1:
            for child in children:
                self._submit(index, [child])
            return []
        culprit = children[0] if children else None
        known = self.progress.known_state(index, culprit)
        run = self._bare_run(index, culprit, known)
        self.scope.logger.error("Task '%s': the run %s: %r", run.full_name, how, error)
        token = push_layer(run)
        try:
            state: State = announce(run, known or Pending(), Failed(f"The task run {how}: {error}", result=error))
            if not run.ended:
                count = getattr(known, "run_count", 0) + 1
                state = announce(run, state, retry_state(run.task, state, count, self._clock.now()))
        finally:
            pop_layer(token)
        if self._watcher is not None:
            self._watcher.finished(index, culprit, state)
        return self.progress.finished(index, culprit, state)

    # --- dates -----------------------------------------------------------------------------------------------

    def _until_next_date(self) -> float | None:
        return max(0.0, self._timers[0][0] - self._clock.now()) if self._timers else None

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
