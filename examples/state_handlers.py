"""
Functions that see every change of state, and may change it.

A handler takes the task (or flow), the old state and the new one; what it returns is the new state.

Expected output:

    Pending -> Running
    Running -> Failed
    replaced: 0.0
    told of: risky
"""

from __future__ import annotations

from typing import Any

from dagflow import Flow, Task, task
from dagflow.engine.state import Failed, State, Success
from dagflow.utilities.notifications import callback_factory

told: list[str] = []


def show(task: Task, old: State, new: State) -> None:
    """Print the change; returning nothing keeps the new state."""
    print(type(old).__name__, "->", type(new).__name__)


def replace_failure(task: Task, old: State, new: State) -> State:
    """Take a default instead of failing."""
    return Success("took the default", result=0.0) if isinstance(new, Failed) else new


def tell(thing: Any, state: State) -> None:
    """Stand for a message to somebody; there are notifiers for Slack and mail in dagflow.utilities.notifications."""
    told.append(thing.name)


notify = callback_factory(tell, check=lambda state: state.is_failed())


@task(state_handlers=[show, notify, replace_failure])
def risky() -> float:
    """Divide by zero."""
    return 1 / 0


with Flow("state handlers") as flow:
    value = risky()


if __name__ == "__main__":
    print("replaced:", flow.run().result[value].result)
    print("told of:", ", ".join(told))
