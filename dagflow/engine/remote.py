"""
The driver's end of executors in other processes; :mod:`dagflow.engine.posted` is the worker's.

What is the same for many runs (the flow run's scope, the tasks and their constant arguments) is published once to every
worker; a message for one run carries its number, its inputs and little else. Values come back packed, or stay on the
worker that made them, and are opened only by who looks at them.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.engine.carried import Remote, Stub, sealed
from dagflow.engine.plan import collector_paused
from dagflow.engine.posted import Kit, run_posted
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import State, Success
from dagflow.executors.published import process_name
from dagflow.utilities.logging import get_logger
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task
    from dagflow.engine.plan import Plan, Step

__all__ = ["Link", "Post", "Report"]

_numbers = itertools.count(1)
"""Numbers of messages, unique in this process."""


class Link:
    """
    A step that follows another child by child on the same worker.

    Args:
        keys: arguments that take the value of the one before.
        inputs: the other arguments, for each child.
        last_use: whether nobody else needs the value of the one before.
    """

    __slots__ = ("inputs", "keys", "last_use", "step")

    def __init__(self, step: int, keys: list[str], inputs: list[dict[str, Any]], last_use: bool) -> None:
        self.step = step
        self.keys = keys
        self.inputs = inputs
        self.last_use = last_use


class Report:
    """
    What a worker tells of a batch.

    Attributes:
        number: of the message that asked for it.
        begun: whether it only says that the batch begins.
        answers: place in the batch, with the steps that ran there and their states.
        given_back: places of runs that were handed back.
        records: log records.
    """

    __slots__ = ("answers", "begun", "given_back", "number", "records")

    def __init__(self, number: int, begun: bool, answers: Any, given_back: list[int], records: list[Any]) -> None:
        self.number = number
        self.begun = begun
        self.answers: list[tuple[int, list[tuple[int, State]]]] = answers
        self.given_back = given_back
        self.records = records


class Post:
    """Sends runs to an executor that can publish, and reads what comes back."""

    def __init__(self, scope: RunScope, executor: Any, plan: Plan, home: frozenset[int]) -> None:
        self._executor = executor
        self._key = f"{scope.flow_run_id}/{next(_numbers)}"
        self._scope = scope
        self._plan = plan
        self._home = home
        self._faults: dict[int, Exception] | None = None

    # --- to the workers ----------------------------------------------------------------------------------------

    def send(
        self,
        runs: list[tuple[int, TaskRun, dict[Edge, State] | None]],
        chain: list[Link],
        about: dict[str, Any],
        *,
        suspect: bool,
    ) -> tuple[int, Any]:
        """
        Send runs, each with its step; return the number of the message and the future of its report.

        Raises:
            TypeError: for what does not pickle, naming the variable at fault where it can.
            ValueLostError: for an input that is gone.
        """
        if self._faults is None:
            self._publish()
        assert self._faults is not None
        for index in (runs[0][0], *(link.step for link in chain)):
            if index in self._faults:
                raise self._faults[index]
        number = next(_numbers)
        links = [(link.step, link.keys, link.last_use) for link in chain]
        items = [
            (index, run.map_index, run.state, run.inputs, run.candidates, upstream, [one.inputs[at] for one in chain])
            for at, (index, run, upstream) in enumerate(runs)
        ]
        data, handles = sealed((number, links, items, suspect))
        about = {**about, "tells": self._executor.hands_back}
        return number, self._executor.submit(run_posted, self._key, data, handles, extra_context=about)

    def _publish(self) -> None:
        """Publish everything; a task that cannot be pickled is left out, and its runs fail alone."""
        plan = self._plan
        packs = StepPacks()
        for alike in _by_code(step for step in plan.steps if not step.task.is_constant):
            packs.add({step.index: (step.task, step.slug, plan.constants.get(step.task) or {}) for step in alike})
        outpost = self._executor.outpost
        level = get_logger().level if outpost is not None else None
        flattened = {source for step in plan.steps for edge, source in zip(step.edges, step.sources, strict=True)
                     if edge.flattened}  # fmt: skip
        kit = Kit(
            self._scope, packs.places, packs.packs,
            home=self._home, flattened=frozenset(flattened), outpost=outpost, level=level, process=process_name(),
        )  # fmt: skip
        try:
            self._executor.publish(self._key, kit)
        except Exception as error:
            self._check_scope(error)
            raise
        self._faults = packs.faults

    def _check_scope(self, error: Exception) -> None:
        try:
            dumps(self._scope)
        except Exception:
            raise TypeError(
                f"The context of the run cannot be sent to another process: {self._unpicklable_key(error)}. "
                "Make such a thing inside the task."
            ) from error

    def _unpicklable_key(self, error: Exception) -> str:
        """Return words that name the key of the context that does not pickle, else the error itself."""
        for key, value in self._scope.__getstate__()["layer"].items():
            try:
                dumps(value)
            except Exception as reason:
                return f"its key {key!r} holds a {type(value).__name__} that does not pickle ({reason})"
        return str(error)

    # --- from the workers --------------------------------------------------------------------------------------

    def read(self, data: bytes) -> Report:
        """Return what a worker told."""
        with collector_paused():
            return self._read(data)

    def _read(self, data: bytes) -> Report:
        number, begun, answers, given, records = pickle.loads(data)
        handles: dict[str, Any] = {}
        for _, chain in answers:
            for place, (index, answer) in enumerate(chain):
                chain[place] = (index, self._state(answer, handles))
        return Report(number, begun, answers, given, records)

    def _state(self, answer: Any, handles: dict[str, Any]) -> State:
        if type(answer) is tuple:
            value, started, ended = answer
            state: State = Success._made("Task run succeeded.", value)
            state.run_started, state.run_ended = started, ended
            if type(value) is Stub:
                state._value = self._remote(value, handles)
            return state
        holder = answer._holder
        if type(answer._value) is Stub:
            answer._value = self._remote(answer._value, handles)
        elif holder is not None and type(holder.value) is Stub:
            remote = self._remote(holder.value, handles)
            if holder.location is not None:
                import copy

                remote.stored = copy.copy(holder)
                remote.stored.value = None
            holder.value = remote
        return answer  # type: ignore[no-any-return]

    def _remote(self, stub: Stub, handles: dict[str, Any]) -> Remote:
        """Return a reference to a value that a worker kept; its key is empty when it was let go at once."""
        if stub.key and stub.key not in handles:
            handles[stub.key] = self._executor.kept(stub.key)
        return Remote(stub, handles.get(stub.key), self._executor.wait)


class StepPacks:
    """
    Steps in bytes: those that run the same code together, so that it is packed and opened once, others apart, so that
    what keeps one from being packed or opened concerns no other.

    Attributes:
        packs: the bytes.
        places: where each step is.
        faults: why a step is nowhere.
    """

    def __init__(self) -> None:
        self.packs: list[bytes] = []
        self.places: dict[int, int] = {}
        self.faults: dict[int, Exception] = {}

    def add(self, steps: dict[int, tuple[Task, str, dict[str, Any]]]) -> None:
        """Pack *steps* together, one by one when that fails."""
        try:
            data = dumps(steps)
        except Exception as error:
            if len(steps) > 1:
                for index, step in steps.items():
                    self.add({index: step})
            else:
                ((index, (task, _, _)),) = steps.items()
                self.faults[index] = _fault(task, error)
            return
        self.places.update(dict.fromkeys(steps, len(self.packs)))
        self.packs.append(data)


def _by_code(steps: Iterable[Step]) -> Iterable[list[Step]]:
    """Return *steps* in groups that run the same code."""
    groups: dict[Any, list[Step]] = {}
    for step in steps:
        code = step.task.__dict__.get("run") or type(step.task)
        groups.setdefault(id(code), []).append(step)
    return groups.values()


def _fault(task: Task, reason: Exception) -> Exception:
    from dagflow.engine.pickling import culprit

    error = TypeError(
        f"Task {task.name!r} cannot be sent to another process: {culprit(task.run, reason)}. "
        "Make it inside the task, or pass it as an argument that pickles."
    )
    error.__cause__ = reason
    return error
