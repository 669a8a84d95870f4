"""
Doubles for tests: a clock that nobody waits for, and an executor that finishes work in an order of its own.

>>> from dagflow.core.flow import Flow
>>> from dagflow.utilities.tasks import task
>>> with Flow("sums") as flow:
...     total = task(lambda x, y: x + y, name="add")(1, 2)
>>> flow.run(executor=ScriptedExecutor(seed=1)).result[total].result
3
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Any

from dagflow.engine.clock import Clock
from dagflow.executors.base import Executor, resolve_nested

__all__ = ["FakeClock", "ScriptedExecutor"]


class FakeClock(Clock):
    """
    A clock that stands still until somebody sleeps, and then jumps.

    Args:
        start: seconds since the epoch.

    Attributes:
        slept: the lengths of the sleeps, in seconds.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the clock's own time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.slept.append(seconds)
        self.time += seconds


class _Call:
    """A submitted call that has perhaps been made."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.fn, self.args, self.kwargs = fn, args, kwargs
        self.made = False
        self.value: Any = None


class ScriptedExecutor(Executor):
    """
    Makes calls one at a time, in an order drawn from *seed*, to show that order does not matter.

    Args:
        seed: of the order; the same seed gives the same order.
        hands: how many callables it claims to run at once.

    Attributes:
        before_each: called before each call is made, if set.
    """

    def __init__(self, seed: int = 0, hands: int = 3) -> None:
        self._random = random.Random(seed)
        self._hands = hands
        self.before_each: Callable[[], None] | None = None

    @property
    def parallelism(self) -> int:
        """How many callables it claims to run at once."""
        return self._hands

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Note the call."""
        return _Call(fn, args, kwargs)

    def wait(self, futures: Any) -> Any:
        """Make the calls that are not made yet and return their values."""
        return resolve_nested(futures, lambda one: self._make(one) if isinstance(one, _Call) else one)

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        """Make one call, drawn at random."""
        waiting = list(futures)
        if not waiting:
            return []
        chosen = self._random.choice(waiting)
        self._make(chosen)
        return [chosen]

    def _make(self, call: _Call) -> Any:
        if not call.made:
            if self.before_each is not None:
                self.before_each()
            call.made = True
            call.value = call.fn(*self.wait(list(call.args)), **self.wait(call.kwargs))
        return call.value
