"""
What the driver knows of values that lie on workers: who made them, who may still need them, which were lost.

What changes while a flow runs: values are added as runs report them, let go when nobody needs them, and come home at
the end when they were asked for or are few.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dagflow.engine.carried import Remote, RemoteItem
from dagflow.engine.plan import Plan
from dagflow.engine.state import Mapped, State

__all__ = ["KeptValues", "carried_of"]

_FREE = 16_000_000
"""Bytes of values nobody asked for that are kept, and fetched at the end, all the same."""

_NOT_FETCHED = (
    "The value of task {name!r} stayed on the cluster: nobody asked for it, and all such values together are more than "
    "{limit} MB. Ask for it with FlowRunner(flow).run(return_tasks=[...]), or give the task a result and turn "
    "checkpointing on, so that it can be read from there."
)


class KeptValues:
    """
    The values of one flow run that lie on workers.

    Args:
        plan: the plan.
        home: steps whose values are wanted.
        is_lost: tells of a handle whether what it stands for is gone.
        all_looked_at: whether the user gets the states of all tasks, and may look at values nobody asked for by name.
    """

    def __init__(
        self, plan: Plan, home: frozenset[int], is_lost: Callable[[Any], bool], *, all_looked_at: bool = True
    ) -> None:
        self._plan = plan
        self._free = _FREE if all_looked_at else 0
        self._home = home
        self._is_lost = is_lost
        self._made: dict[int, list[tuple[Remote, int | None]]] = {}
        self._size = 0

    def add(self, step: int, child: int | None, state: State) -> None:
        """Note the value of a run, when it lies on a worker."""
        value = carried_of(state)
        if type(value) is Remote:
            self._made.setdefault(step, []).append((value, child))
            if value.handle is None:
                value.let_go(self._words(step))
            elif value.data is None:  # what was asked for has come already
                self._size += value.size

    def may_drop(self, step: int) -> bool:
        """Tell whether the values of *step* need not be kept for the user once those that need them have them."""
        return step not in self._home and self._size > self._free

    def step_done(self, step: int, done: Callable[[int], bool]) -> None:
        """Let go of what nobody needs now that *step* is done; while it is little, it is kept for the user."""
        if self._size <= self._free:
            return
        for source in set(self._plan.steps[step].sources):
            if source not in self._home and all(done(one) for one in self._plan.steps[source].followers):
                for remote, _ in self._made.get(source, ()):
                    if remote.handle is not None:
                        self._size -= remote.size
                        remote.let_go(self._words(source))

    def _words(self, step: int) -> str:
        return _NOT_FETCHED.format(name=self._plan.steps[step].task.name, limit=_FREE // 1_000_000)

    def missing(self, values: Iterable[Any], *, trusted: bool = True) -> list[tuple[int, int | None, Remote]]:
        """
        Return the makers of those of *values* that are gone: step, child, and the reference to mend.

        Args:
            trusted: whether to believe the executor that those are there of which it does not know better.
        """
        gone = {id(one): one for one in _remotes(values) if one.is_gone or self._lost(one, trusted=trusted)}
        if not gone:
            return []
        return [
            (step, child, remote)
            for step, made in self._made.items()
            for remote, child in made
            if id(remote) in gone
        ]

    def _lost(self, remote: Remote, *, trusted: bool) -> bool:
        """Tell whether the worker that held the value is gone; one with another source takes that from now on."""
        if remote.handle is None or trusted and not self._is_lost(remote.handle):
            return False
        remote.let_go("The value was lost with the worker that held it.")
        return remote.is_gone

    def come_home(self, fetch: Callable[[list[Any]], list[Any]]) -> None:
        """Fetch what is still on workers while it is little; the rest says why it is not there."""
        waiting = [(step, remote) for step, made in self._made.items() for remote, _ in made if remote.handle]
        total = sum(remote.size for _, remote in waiting if remote.data is None)
        if total > self._free:
            for step, remote in waiting:
                remote.let_go(self._words(step))
            return
        values = _fetched({remote.key: remote.handle for _, remote in waiting if remote.data is None}, fetch)
        for _, remote in waiting:
            if remote.data is not None:
                remote.let_go("")
            elif remote.key in values:
                remote.keep(values[remote.key])
            else:
                remote.let_go("The value was lost with the worker that held it, after all that needed it had run.")


def _fetched(handles: dict[str, Any], fetch: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    """Return the values by key, without those that cannot be had."""
    with contextlib.suppress(Exception):
        return dict(zip(handles, fetch(list(handles.values())), strict=True))
    found: dict[str, Any] = {}
    for key, handle in handles.items():
        with contextlib.suppress(Exception):
            (found[key],) = fetch([handle])
    return found


def carried_of(state: State) -> Any:
    """Return the value of *state* as it came, ``None`` for a mapped parent."""
    return None if isinstance(state, Mapped) else state.carried()


def _remotes(values: Iterable[Any]) -> Iterator[Remote]:
    """Yield the references among *values*, and among the items of lists there."""
    for value in values:
        if type(value) is Remote:
            yield value
        elif type(value) is RemoteItem:
            yield value.remote
        elif type(value) is list:
            yield from _remotes(value)
