"""
What a task answers where Python wants its value: that there is none yet, and what to do instead.

In a function under ``@flow`` a task cannot be written as text either, because ``<Task: x>`` in a path or a message
would go unnoticed. Elsewhere its text is what it always was.
"""

from __future__ import annotations

from dagflow.core.blame import user_location
from dagflow.core.scope import is_tracing
from dagflow.utilities.context import context

__all__ = ["NoValue"]


class NoValue:
    """The conversions of a :class:`~dagflow.core.task.Task`, each an error with its cure."""

    name: str

    def __str__(self) -> str:
        if is_tracing():
            cure = "Format or print in a task that takes this one; repr(task) names it."
            raise self._no_value("written as text", cure)
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __int__(self) -> int:
        raise self._no_value("made a number", "Convert it in a task that takes this one.")

    __float__ = __index__ = __int__

    def _no_value(self, what: str, cure: str) -> TypeError:
        return TypeError(
            f"What task {self.name!r} returns cannot be {what} while the flow is built{user_location()}: it is known "
            f"only when it runs. {cure}"
        )

    def __bool__(self) -> bool:
        if context.get("flow") is None:
            return True
        raise TypeError(
            f"Task {self.name!r} has no truth value while the flow is built{user_location()}: its result is known only "
            "when it runs. Branch with `with case(task, True):`, or decide inside a task; to test for a missing task "
            "write `task is None`."
        )

    def __contains__(self, item: object) -> bool:
        raise TypeError(
            f"What task {self.name!r} returns cannot be searched while the flow is built{user_location()}: it is known "
            "only when it runs. Search it in a task that takes this one."
        )

    def __len__(self) -> int:
        raise TypeError(
            f"Task {self.name!r} has no length while the flow is built{user_location()}. "
            "Compute it in a task that takes this one."
        )
