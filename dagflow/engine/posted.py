"""
The worker's end of :mod:`dagflow.engine.remote`: runs what was posted and reports.

What is the same for many runs comes once, as a :class:`Kit`. A message asks for a batch of runs, one after the other;
each has its own state, context, handlers, limits and checkpoint. Where the executor has an outpost on the worker, a
batch whose current run turns out slow reports what is done and hands back the runs that have not begun, so that nobody
waits behind it; and values that are large stay on the worker.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from dagflow.engine.attempt import attempt
from dagflow.engine.carried import Broken, opened
from dagflow.engine.forwarding import collecting, follow_level
from dagflow.engine.luggage import Luggage, failed, packed
from dagflow.engine.monitor import Monitor
from dagflow.engine.run_context import RunScope, TaskRun
from dagflow.engine.state import Failed, Pending, Running, State, Success
from dagflow.exceptions import WorkerLostError
from dagflow.executors.published import fetch, is_there, process_name
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.core.task import Task

__all__ = ["Kit", "Outpost", "run_posted"]

_SLOW = 0.05
"""Seconds after which a run is slow, and those behind it are handed back."""

_LONG = 0.5
"""Seconds after which a batch is cut short, however quick its runs."""

_LOG_PAUSE = 1.0
"""Seconds that log lines of a run may wait to be sent."""

_MANY_RECORDS = 500
"""Log lines after which they are sent without waiting."""

_SUCCEEDED = "Task run succeeded."
"""The message of a plain success."""


class Outpost(Protocol):
    """What an executor offers to runs on its workers; it travels with the kit."""

    def arrive(self) -> Outpost:
        """Return one that knows the worker of this thread; the others are methods of that."""

    def size_of(self, value: Any) -> int:
        """Return about how many bytes *value* takes, quickly."""

    def keep(self, values: dict[str, Any]) -> None:
        """Keep *values* on this worker, for other workers and the driver to fetch."""

    def tell(self, message: bytes) -> None:
        """Send *message* to the driver; messages and the end of the call arrive in order."""

    def confirm(self, message: bytes) -> None:
        """Send *message* and return when it can no longer be lost with this worker."""


class Kit:
    """
    What the runs of one flow run share on a worker.

    What changes: packs are opened when a run first needs them, and ``checked`` notes of which step and type a large
    value was found to pickle.

    Args:
        scope: the flow run's.
        places: in which of the packs each step is.
        packs: task, slug and constant arguments by step, in bytes.
        home: steps whose values the driver wants.
        flattened: steps whose values are flattened, so that the driver must know how many items their items have.
        outpost: the executor's; ``None`` where there is none.
        level: of the driver's log; ``None`` leaves the worker's logging alone.
        process: the driver's: workers in it log there anyway.
    """

    def __init__(
        self,
        scope: RunScope,
        places: dict[int, int],
        packs: list[bytes],
        *,
        home: frozenset[int] = frozenset(),
        flattened: frozenset[int] = frozenset(),
        outpost: Outpost | None = None,
        level: int | None = None,
        process: str = "",
    ) -> None:
        self.scope = scope
        self.home = home
        self.flattened = flattened
        self.checked: set[tuple[int, type]] = set()
        self.outpost = outpost
        self.level = level
        self.process = process
        self._places = places
        self._packs = packs
        self._steps: dict[int, tuple[Task, str, dict[str, Any]]] = {}

    def step(self, index: int) -> tuple[Task, str, dict[str, Any]]:
        """Return the task, the slug and the constant arguments of a step; raises what opening its pack raises."""
        if index not in self._steps:
            self._steps.update(pickle.loads(self._packs[self._places[index]]))
        return self._steps[index]


def run_posted(key: str, data: bytes, values: Any = ()) -> bytes | None:
    """
    Run what :meth:`Post.send` sent; called on the worker.

    Returns:
        the report, ``None`` when it was told already.
    """
    return _Batch(key, fetch(key), *opened(data, values)).run()


_monitor = Monitor()


class _Batch:
    """
    Runs that came in one message.

    What changes while it runs: the place of the next run, the end, which moves forward when runs are handed back, and
    what is still to be reported. The thread that runs and the one that watches both touch these, under a lock.
    """

    def __init__(
        self, key: str, kit: Kit, number: int, links: list[Any], items: list[Any], suspect: bool
    ) -> None:
        self._key = key
        self._kit = kit
        self._outpost: Outpost | None = None
        self._number = number
        self._links = links
        self._items = items
        self._suspect = suspect
        self._lock = threading.Lock()
        self._telling = threading.RLock()
        self._place = 0
        self._end = len(items)
        self._since = self._began = time.monotonic()
        self._told = self._began
        self._done: list[tuple[int, list[tuple[int, State]]]] = []
        self._luggage = Luggage(kit)
        self.records: list[dict[str, Any]] = []

    def run(self) -> bytes | None:
        """Run one after the other; return or tell the report."""
        kit = self._kit
        if kit.outpost is None:
            self._run_items()
            return self._report()
        outpost = self._outpost = kit.outpost.arrive()
        with self._logging():
            if self._suspect:
                outpost.confirm(dumps((self._number, True, [], [], [])))
            with _monitor.watching(self):
                self._run_items()
            self._tell(hand_back=False)
        return None

    def _logging(self) -> contextlib.AbstractContextManager[None]:
        """Send log lines to the driver, unless it is here."""
        level = self._kit.level
        if level is None or self._kit.process == process_name():
            return contextlib.nullcontext()
        follow_level(level)
        return collecting(self)

    def _run_items(self) -> None:
        while (place := self._next()) is not None:
            chain = self._run_item(self._items[place])
            with self._lock:
                self._done.append((place, chain))
                self._luggage.item_done()

    def _next(self) -> int | None:
        with self._lock:
            if self._place >= self._end or not is_there(self._key):  # done, or the flow run was broken off
                return None
            self._place += 1
            self._since = time.monotonic()
            return self._place - 1

    # --- one run -----------------------------------------------------------------------------------------------

    def _run_item(self, item: Any) -> list[tuple[int, State]]:
        """Run a step, and those that follow it child by child as long as all goes well."""
        index, child, known, inputs, candidates, upstream, beside = item
        chain: list[tuple[int, State]] = []
        links = self._links
        for place in range(len(links) + 1):
            try:
                task, slug, constants = self._kit.step(index)
            except Exception as error:
                chain.append((index, _not_opened(error)))
                break
            run = TaskRun(self._kit.scope, task, slug, child, known, {**constants, **inputs} if constants else inputs)
            run.candidates = candidates
            state = self._attempt(run, upstream)
            if place and type(state) is Success and links[place - 1][2]:
                self._luggage.drop(chain[-1][1])
            goes_on = type(state) is Success and place < len(links)
            value = state.result if goes_on else None
            sent = packed(state, run) if self._outpost is None else self._luggage.carry(state, index, run)
            chain.append((index, sent))
            if not goes_on or type(sent) is not Success:
                break
            index, keys, _ = links[place]
            inputs = {**beside[place], **dict.fromkeys(keys, value)}
            known = upstream = None
            candidates = ()
        return chain

    def _attempt(self, run: TaskRun, upstream: Any) -> State:
        """Attempt a run whose inputs came in a message."""
        for key, value in run.inputs.items():
            if type(value) is Broken:
                words = f"Input {key!r} of task {run.full_name!r} cannot be had: {value.error!r}"
                return failed(run, Pending(), Failed(words, result=value.error))
        try:
            return attempt(run, upstream)
        except SystemExit as error:  # it would end the worker, and all that lies there
            words = f"Task {run.full_name!r} called sys.exit({error.code!r}), which would end the worker it ran on. "
            hint = "Return, or raise an exception or a signal."
            return failed(run, Running(), Failed(words + hint, result=WorkerLostError(words)))

    # --- reports -----------------------------------------------------------------------------------------------

    def _report(self, *, hand_back: bool = False) -> bytes:
        """Return what was done since the last report; *hand_back* gives up the runs that have not begun."""
        with self._lock:
            done, self._done = self._done, []
            bag = self._luggage.taken()
            records, self.records = self.records, []
            given = []
            if hand_back:
                given = list(range(self._place, self._end))
                self._end = self._place
            self._told = time.monotonic()
        large = bag.to_keep()
        if large:
            assert self._outpost is not None
            self._outpost.keep(large)
        answers = [(place, [(index, _lean(state)) for index, state in chain]) for place, chain in done]
        return dumps((self._number, False, answers, given, records))

    def note(self, record: dict[str, Any]) -> None:
        """Take a log record along; called in the thread that runs."""
        with self._lock:
            self.records.append(record)
            many = len(self.records) >= _MANY_RECORDS
        if many:
            self._tell(hand_back=False)

    def _tell(self, *, hand_back: bool) -> None:
        """Report in the middle of the batch; one after the other, because the last report has to come last."""
        outpost = self._outpost
        if outpost is not None and is_there(self._key):  # else nobody listens any more
            with self._telling:
                outpost.tell(self._report(hand_back=hand_back))

    def look(self, now: float) -> None:
        """Hand back or report what should not wait; called by the thread that watches."""
        slow = now - self._since > _SLOW or now - self._began > _LONG
        waits = self._place < self._end or self._done
        if slow and waits and len(self._items) > 1:
            self._tell(hand_back=True)
        elif self.records and now - self._told > _LOG_PAUSE:
            self._tell(hand_back=False)


def _not_opened(error: Exception) -> State:
    return Failed(
        f"The task could not be opened on the worker: {error!r}. What it imports must be installed there, in the same "
        "versions.",
        result=error,
    )


def _lean(state: State) -> Any:
    """Return a plain success as three values: most states are one, and a tuple travels at a third of the cost."""
    plain = type(state) is Success and state._holder is None and state._context is None and not state.earlier_attempts
    if plain and state.message == _SUCCEEDED and state._cached_inputs is None:
        return state._value, state.run_started, state.run_ended
    return state
