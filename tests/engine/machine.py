"""Drives a progress machine by hand: every completion in a random order, invariants checked after every event."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dagflow.core.flow import Flow
from dagflow.engine.attempt import attempt
from dagflow.engine.loop import fresh
from dagflow.engine.plan import Plan, compile_plan
from dagflow.engine.progress import Progress, Settle, Submit, looks_up
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import State, Success

After = Callable[[Progress, int], bool]


class Machine:
    """A plan, a machine and a bag of things that may happen next."""

    def __init__(self, flow: Flow, seed: int, known: dict[Any, State] | None = None, **parameters: Any) -> None:
        self.plan: Plan = compile_plan(flow)
        self.progress = Progress(self.plan, known)
        self.scope = RunScope(flow.name, parameters=parameters)
        self.executed: list[tuple[int, int | None]] = []
        self._random = random.Random(seed)
        self._bag: list[tuple[str, int, int | None, Any]] = []

    def run(self, after: After = lambda progress, events: True) -> list[State]:
        """Run to the end, or until *after* says so; return the states."""
        self._take(self.progress.begin())
        events = 1
        self.progress.check()
        while self._bag and after(self.progress, events):
            self._take(self._happen(self._bag.pop(self._random.randrange(len(self._bag)))))
            self.progress.check()
            events += 1
        return self.progress.snapshot()

    def _take(self, out: list[Any]) -> None:
        for one in out:
            if isinstance(one, Submit):
                for child in [None] if one.children is None else one.children:
                    self._bag.append(("run", one.step, child, None))
            elif isinstance(one, Settle):
                self._bag.append(("settle", one.step, one.child, one.state))
            else:
                self._bag.append(("wake", one.step, one.child, None))

    def _happen(self, event: tuple[str, int, int | None, Any]) -> list[Any]:
        kind, step, child, state = event
        if kind == "wake":
            return self.progress.woken(step, child)
        if kind == "settle":
            return self.progress.finished(step, child, state)
        return self.progress.finished(step, child, self._execute(step, child))

    def _execute(self, index: int, child: int | None) -> State:
        step = self.plan.steps[index]
        self.executed.append((index, child))
        if step.task.is_constant:
            return Success(result=fresh(step.task.value))  # type: ignore[attr-defined]
        inputs = dict(self.plan.constants.get(step.task, {}))
        if child is None:
            inputs.update(self.progress.inputs(index))
        else:
            inputs.update({c.key: c.value_of(child) for c in self.progress.columns(index) if c.key is not None})
        known = self.progress.known_state(index, child)
        run = TaskRun(self.scope, step.task, step.slug, child, known, inputs)
        return attempt(run, self.progress.upstream(index, child) if looks_up(step.task, known) else None)
