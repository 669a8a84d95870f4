"""
Who is told of every change of state in a run, besides the user's handlers: a backend, when there is one.

The loop tells it in the driver, wherever the tasks themselves run. A reporter may also keep a run from starting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dagflow.core.task import Task
    from dagflow.engine.plan import Plan
    from dagflow.engine.run_context import TaskRun
    from dagflow.engine.state import Looped, State

__all__ = ["Reporter"]


class Reporter(Protocol):
    """Told of states, in the order in which they follow each other for one run."""

    def began(self, plan: Plan) -> None:
        """A pass over *plan* starts."""

    def flow_state(self, state: State) -> State:
        """The flow run is in *state*; return the state to go on with."""

    def asks_first(self, task: Task) -> bool:
        """Tell whether runs of *task* must be let start one by one, because there is a limit on how many may."""

    def starting(self, step: int, child: int | None) -> State | None:
        """A run is about to start; return ``None`` to let it, or the state in which it has to wait."""

    def looped(self, run: TaskRun, state: Looped) -> None:
        """A run that loops has ended a round; told on the thread that runs it, and only where that is this process."""

    def settled(self, step: int, child: int | None, state: State) -> None:
        """A run is in *state*, in which it ends or waits."""
