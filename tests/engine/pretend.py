"""A cluster inside the test process: several workers that hold values, tell things, and die, all from one seed."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from dagflow.exceptions import ValueLostError, WorkerLostError
from dagflow.executors import published
from dagflow.executors.base import Executor, resolve_nested
from dagflow.utilities.pickling import dumps

ran: Counter[Any] = Counter()
"""How often bodies were called; they are pickled, so they count here and not in a variable of theirs."""


def count(name: Any) -> int:
    """Note a call of the body *name*; return how many there were."""
    ran[name] += 1
    return ran[name]


class Death(BaseException):
    """Raised by a body that takes its worker down."""


class Call:
    """A call that was submitted."""

    def __init__(self, fn: Any, args: Any) -> None:
        self.fn = fn
        self.args = args
        self.answer: Any = None
        self.error: Exception | None = None


class Kept:
    """A value on a worker, by its key."""

    def __init__(self, key: str) -> None:
        self.key = key


_clusters: dict[int, PretendCluster] = {}


class Outpost:
    """What runs find on a worker of the pretended cluster."""

    def __init__(self, cluster: int) -> None:
        self.cluster = cluster
        self.weight = 100

    def arrive(self) -> Outpost:
        return self

    def size_of(self, value: Any) -> int:
        return len(value) if isinstance(value, bytes | str) else self.weight

    def keep(self, values: dict[str, Any]) -> None:
        cluster = _clusters[self.cluster]
        cluster.values[cluster.worker].update(values)

    def tell(self, message: bytes) -> None:
        _clusters[self.cluster].told.append(message)

    def confirm(self, message: bytes) -> None:
        self.tell(message)


class PretendCluster(Executor):
    """
    Runs calls one at a time, in random order on random workers.

    Args:
        seed: of all that is random.
        deaths: how likely a worker is to die around a call, half of the times before it begins.
        forgets: how likely a worker is to lose all it holds, between two calls.
    """

    remote = True
    tracks = True
    resends = True

    def __init__(self, seed: int = 0, *, deaths: float = 0.0, forgets: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.deaths = deaths
        self.forgets = forgets
        self.outpost = Outpost(id(self))  # type: ignore[misc]
        self.values: list[dict[str, Any]] = [{}, {}, {}]
        self.worker = 0
        self.pending: list[Call] = []
        self.told: list[bytes] = []
        self.calls = 0
        self.killed = 0
        self.fetched: list[str] = []
        self._keys: list[str] = []

    @contextlib.contextmanager
    def start(self) -> Iterator[None]:
        _clusters[id(self)] = self
        try:
            yield
        finally:
            del _clusters[id(self)]
            for key in self._keys:
                published.withdraw(key)

    @property
    def parallelism(self) -> int:
        return 3

    def publish(self, key: str, value: Any) -> None:
        published.receive(key, dumps(value))
        self._keys.append(key)

    def submit(self, fn: Any, *args: Any, extra_context: Any = None, **kwargs: Any) -> Call:
        self.calls += 1
        self.pending.append(Call(fn, args))
        return self.pending[-1]

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        if not self.pending:
            return []
        call = self.pending.pop(self.random.randrange(len(self.pending)))
        self.worker = self.random.randrange(len(self.values))
        if self.random.random() < self.forgets:
            self.values[self.worker].clear()
        dies = self.random.random() < self.deaths
        try:
            if dies and self.random.random() < 0.5:
                raise Death
            args = resolve_nested(list(call.args), self._found)
            call.answer = call.fn(*args)
            if dies:
                raise Death
        except ValueLostError as error:
            call.error = error
        except Death:
            self.killed += 1
            self.values[self.worker].clear()
            call.error = WorkerLostError("The worker is gone.")
        told, self.told = self.told, []
        if dies and told:  # what was told last may be lost on the way; what came before it is not
            told.pop()
        return [*told, call]

    def _found(self, one: Any) -> Any:
        if not isinstance(one, Kept):
            return one
        for values in self.values:
            if one.key in values:
                return pickle.loads(dumps(values[one.key]))
        raise ValueLostError("An input is gone.")

    def wait(self, futures: Any) -> Any:
        def resolve(one: Any) -> Any:
            if isinstance(one, Kept):
                self.fetched.append(one.key)
                return self._found(one)
            if isinstance(one, Call):
                if one.error is not None:
                    raise one.error
                return one.answer
            return one

        return resolve_nested(futures, resolve)

    def kept(self, key: str) -> Kept:
        return Kept(key)

    def is_lost(self, future: Any) -> bool:
        return not any(future.key in values for values in self.values)
