"""What tests of the engine use to see what happened, and to pass time."""

from __future__ import annotations

from typing import Any

from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.state import State
from dagflow.testing import FakeClock


class Changes(list[tuple[str, str]]):
    """A state handler that notes every change of state by the names of the types."""

    def __call__(self, subject: Any, old: State, new: State) -> None:
        self.append((type(old).__name__, type(new).__name__))


class Waits(FakeClock):
    """A clock for ``flow.run(runner_cls=clock.runner)``."""

    @property
    def runner(self) -> type[FlowRunner]:
        """A runner on this clock."""
        here = self

        class Runner(FlowRunner):
            clock = here

        return Runner


def names(states: list[State | None]) -> list[str]:
    """Return the types of states by name."""
    return [type(state).__name__ for state in states]
