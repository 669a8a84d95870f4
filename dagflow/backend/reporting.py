"""
Telling the server of every change of state, from the process that runs a flow.

Reports are queued and sent by a thread of their own, in order, as many at once as have gathered. A body never waits for
the report of a quick one before it; but what is done and not yet recorded is bounded: when the unrecorded runs took
together more than :data:`MOST_AT_RISK` seconds, the next body starts only after they are recorded. So a process that is
killed repeats little, and 10,000 quick tasks need few requests.

Every report carries the token of this process's hold on the run, and an identity made here. A report that got lost on
its way, or whose answer did, is sent again and counts once. What the server will not take, because of its size for
instance, is sent without what it carries, so that no run is left looking as if it ran. When the server says that the
run is in other hands, this process stops.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dagflow.engine.state import Cached, Mapped, Retrying, Scheduled, State, Success
from dagflow.exceptions import AuthorizationError, ClientError, InvalidRequestError
from dagflow.serialization.common import sendable
from dagflow.serialization.result import serialize_result
from dagflow.utilities.identities import new_id, task_run_id
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.task import Task
    from dagflow.engine.plan import Plan
    from dagflow.engine.result import Result
    from dagflow.engine.run_context import TaskRun
    from dagflow.engine.state import Looped

__all__ = ["BackendReporter", "RunStopped", "Stopping"]

MOST_AT_RISK = 0.05
"""Seconds of work that may be done and not yet recorded when the next body starts."""

MOST_AT_ONCE = 500
"""States in one request."""

MOST_WAITING = 20_000
"""States that may wait to be sent before the run itself waits."""

LONGEST_MESSAGE = 100_000
"""Characters of a state's message that are recorded."""

LONGEST_WAIT_FOR_RECORD = 2.0
"""Seconds that a body waits for what was done before it to be recorded, when the server does not answer."""


class RunStopped(BaseException):
    """The run must not go on in this process; carries what is to become of it."""

    def __init__(self, stopping: Stopping) -> None:
        super().__init__(stopping.reason)
        self.stopping = stopping


class Stopping:
    """
    Why a run has to stop: ``cancelled``, ``lost`` (in other hands, or finished elsewhere), ``outage``.

    >>> Stopping("cancelled", "Cancelled by hand.").kind
    'cancelled'
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason


class Poster(Protocol):
    """What is needed of a client."""

    def post(self, path: str, params: Any = None) -> Any:
        """Send *params* and return the answer."""


class BackendReporter:
    """
    The reporter of one flow run that is known to a server.

    Args:
        client: the way to the server.
        flow_run_id: the run.
        token: of this process's hold on it.
        task_ids: what the server calls the tasks, by slug.
        limited_tags: tags that there is a limit on.
        known: the states that the server has, by task id and index.
        patience: seconds to go on without the server.
        stop: called when the run has to stop, on the thread that sends.
    """

    def __init__(
        self,
        client: Poster,
        flow_run_id: str,
        token: int,
        task_ids: Mapping[str, str],
        *,
        limited_tags: frozenset[str] = frozenset(),
        known: Mapping[tuple[str, int], str] | None = None,
        patience: float = 600.0,
        stop: Callable[[Stopping], None] = lambda stopping: None,
    ) -> None:
        self._client = client
        self._flow_run_id = flow_run_id
        self._token = token
        self._task_ids = dict(task_ids)
        self._limited = limited_tags
        self._finished = {key for key, state in (known or {}).items() if state in _FINISHED}
        self._patience = patience
        self._stop = stop
        self.stopping: Stopping | None = None
        self._steps: list[tuple[str | None, Task]] = []
        self._began: dict[tuple[int, int], float] = {}
        self._items: deque[tuple[dict[str, Any], float]] = deque()
        self._sending: list[tuple[dict[str, Any], float]] = []
        self._at_risk = 0.0
        self._changed = threading.Condition()
        self._closed = False
        self._failing_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="dagflow-reporter", daemon=True)
        self._thread.start()

    # --- the engine's side -------------------------------------------------------------------------------------

    def began(self, plan: Plan) -> None:
        """Learn which step is which task."""
        self._steps = [(self._task_ids.get(step.slug), step.task) for step in plan.steps]

    def asks_first(self, task: Task) -> bool:
        """Tell whether there is a limit on one of the task's tags."""
        return bool(self._limited and not self._limited.isdisjoint(task.tags))

    def starting(self, step: int, child: int | None) -> State | None:
        """Report that a run starts; wait until what was done before is safe, or for a slot where there are few."""
        self.check()
        task_id, task = self._steps[step]
        index = -1 if child is None else child
        if task_id is None:
            return None
        self._began[step, index] = time.monotonic()
        if (task_id, index) in self._finished:
            # It is run again for what it sets up here; the record of its success stays.
            return None
        document = _running_document(task)
        if self.asks_first(task):
            return self._ask(task_id, index, document)
        self._add(task_id, index, document, 0.0)
        if self._at_risk > MOST_AT_RISK or len(self._items) > MOST_WAITING:
            self._wait_until_recorded()
        return None

    def looped(self, run: TaskRun, state: Looped) -> None:
        """Report a round of a task that loops."""
        task_id = self._task_ids.get(run.slug or "")
        index = -1 if run.map_index is None else run.map_index
        if task_id is not None and (task_id, index) not in self._finished:
            self._add(task_id, index, document_of(state), 0.0)
            # Whoever takes the run up after this process was lost begins in that round.
            running = _running_document(run.task)
            loop = loop_document(state.loop_count + 1, state.result, state._holder)
            self._add(task_id, index, {**running, "context": {**running["context"], "task_loop": loop}}, 0.0)

    def settled(self, step: int, child: int | None, state: State) -> None:
        """Report a state in which a run ends or waits."""
        task_id, _ = self._steps[step]
        index = -1 if child is None else child
        began = self._began.pop((step, index), None)
        if task_id is None or (task_id, index) in self._finished:
            return
        seconds = 0.0 if began is None else time.monotonic() - began
        name = (state._context or {}).get("task_run_name")
        self._add(task_id, index, document_of(state), seconds, name)

    def flow_state(self, state: State) -> State:
        """Report a state of the flow run, after all that came before it; it is recorded when this returns."""
        self.flush()
        self.check()
        document = document_of(state)
        if state.is_running():
            while self._is_held_back(document):
                self.check()
        else:
            with self._changed:
                self._items.append((self._flow_item(document), 0.0))
                self._changed.notify_all()
        self.flush()
        self.check()
        return state

    def _flow_item(self, document: dict[str, Any]) -> dict[str, Any]:
        return {"flow_run_id": self._flow_run_id, "state": document, "id": new_id(), "token": self._token}

    def _is_held_back(self, document: dict[str, Any]) -> bool:
        """Report that the flow run begins; wait for a while if a limit on its labels holds it back."""
        item = self._flow_item(document)
        answer = self._send([item])
        if answer is None:
            return False
        if answer["flow_runs"][0]["status"] != "QUEUED":
            self._look_at(answer, [item])
            return False
        wait = _queue_seconds()
        get_logger("BackendReporter").info("%s Asking again in %g s.", answer["flow_runs"][0]["message"], wait)
        with self._changed:
            self._changed.wait_for(lambda: self.stopping is not None, wait)
        return True

    # --- waiting -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise :class:`RunStopped` when the run has to stop."""
        if self.stopping is not None:
            raise RunStopped(self.stopping)

    def stop_run(self, kind: str, reason: str) -> None:
        """Let the run stop for a reason."""
        with self._changed:
            if self.stopping is not None:
                return
            self.stopping = Stopping(kind, reason)
            self._changed.notify_all()
        self._stop(self.stopping)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is recorded, or the run has to stop; tell whether all is recorded."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while (self._items or self._sending) and not self._is_over():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
            return not self._items and not self._sending

    def close(self, timeout: float | None = None) -> None:
        """Send what is left, then end."""
        self.flush(timeout)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=5.0)

    def _is_over(self) -> bool:
        """Tell whether nothing more will be recorded."""
        return self._closed or (self.stopping is not None and self.stopping.kind != "cancelled")

    def _wait_until_recorded(self) -> None:
        end = time.monotonic() + LONGEST_WAIT_FOR_RECORD
        with self._changed:
            while self._at_risk > MOST_AT_RISK or len(self._items) > MOST_WAITING:
                if self.stopping is not None:
                    break
                full = len(self._items) > MOST_WAITING
                if not full and (self._failing_since is not None or time.monotonic() > end):
                    break  # the server is away: the run goes on without it for a while
                self._changed.wait(0.5)
        self.check()

    def _ask(self, task_id: str, index: int, document: dict[str, Any]) -> State | None:
        """Ask the server whether a run may start, after all that came before is recorded."""
        if not self.flush():
            self.check()
        item = self._item(task_id, index, document)
        answer = self._send([item])
        self.check()
        if answer is None:
            return None
        (one,) = answer["task_runs"]
        if one["status"] != "QUEUED":
            self._look_at(answer, [item])
            self.check()
            return None
        wait = _queue_seconds()
        # The server has it as Queued; for the engine it is a run that waits for its time, and holds no slot meanwhile.
        waiting = Scheduled("Waiting for a free slot.", start_time=time.time() + wait)
        get_logger("BackendReporter").info("%s Asking again in %g s.", one["message"], wait)
        return waiting

    # --- sending -----------------------------------------------------------------------------------------------

    def _item(self, task_id: str, index: int, document: dict[str, Any], name: str | None = None) -> dict[str, Any]:
        item = {
            "flow_run_id": self._flow_run_id,
            "task_id": task_id,
            "map_index": index,
            "state": document,
            "id": new_id(),
            "token": self._token,
        }
        if name:
            item["name"] = name
        return item

    def _add(self, task_id: str, index: int, document: dict[str, Any], seconds: float, name: str | None = None) -> None:
        item = self._item(task_id, index, document, name)
        with self._changed:
            self._items.append((item, seconds))
            self._at_risk += seconds
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._items and not self._closed:
                    self._changed.wait()
                if self._is_over():
                    self._items.clear()
                    self._at_risk = 0.0
                    self._changed.notify_all()
                    if self._closed:
                        return
                    self._changed.wait(1.0)
                    continue
                self._sending = [self._items.popleft() for _ in range(self._run_length())]
            answer = self._send([item for item, _ in self._sending])
            if answer is not None:
                self._look_at(answer, [item for item, _ in self._sending])
            with self._changed:
                self._at_risk = max(0.0, self._at_risk - sum(seconds for _, seconds in self._sending))
                if not self._items:
                    self._at_risk = 0.0
                self._sending = []
                self._changed.notify_all()

    def _run_length(self) -> int:
        """Return how many items may go in one request: one with a state of the flow run goes alone."""
        length = 0
        for item, _ in self._items:
            is_flow = "task_id" not in item
            if is_flow and length:
                break
            length += 1
            if is_flow or length == MOST_AT_ONCE:
                break
        return length

    def _send(self, items: list[dict[str, Any]]) -> Any:
        """Return the server's answer; ``None`` when it was away longer than patience lasts."""
        flow_runs = [item for item in items if "task_id" not in item]
        body = {"flow_runs": flow_runs, "task_runs": [item for item in items if "task_id" in item]}
        pause = 0.1
        while True:
            try:
                answer = self._client.post("states", body)
            except AuthorizationError as error:
                self.stop_run("outage", f"The server does not accept the key of this run any more: {error}")
                return None
            except InvalidRequestError as error:
                return self._sent_apart(items, error)
            except ClientError as error:
                if not self._is_worth_waiting(error):
                    return None
                time.sleep(pause)
                pause = min(pause * 2, 5.0)
                continue
            if self._failing_since is not None:
                get_logger("BackendReporter").info("The server answers again.")
                self._failing_since = None
            return answer

    def _sent_apart(self, items: list[dict[str, Any]], error: InvalidRequestError) -> Any:
        """Send what was refused as a whole in parts, so that one state does not take others with it."""
        if len(items) == 1:
            kind = "task_runs" if "task_id" in items[0] else "flow_runs"
            refusal = {"status": "ERROR", "code": error.code or "INVALID", "message": str(error)}
            return {"flow_runs": [], "task_runs": [], kind: [refusal]}
        middle = len(items) // 2
        parts = [self._send(items[:middle]), self._send(items[middle:])]
        if None in parts:
            return None
        return {kind: [*parts[0][kind], *parts[1][kind]] for kind in ("flow_runs", "task_runs")}

    def _is_worth_waiting(self, error: ClientError) -> bool:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            get_logger("BackendReporter").warning(
                "States could not be recorded: %s The run goes on and tries again for %g s.", error, self._patience
            )
        if self._closed:
            return False
        if now - self._failing_since > self._patience:
            self.stop_run("outage", f"The server was away for {self._patience:g} s, so the run stops here: {error}")
            return False
        return True

    def _look_at(self, answer: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """Deal with states that were not taken."""
        for one, item in zip((*answer["flow_runs"], *answer["task_runs"]), items, strict=True):
            if one["status"] != "ERROR":
                continue
            state = (one.get("detail") or {}).get("flow_run_state") or one.get("state")
            if one["code"] == "STALE_TOKEN":
                self.stop_run("lost", "The run is in other hands by now, so this process stops.")
            elif state in ("Cancelling", "Cancelled"):
                self.stop_run("cancelled", "The flow run was cancelled.")
            elif one["code"] == "REFUSED" and (one.get("detail") or {}).get("flow_run_state") in _FINISHED:
                self.stop_run("lost", f"The flow run has finished as {state} elsewhere, so this process stops.")
            elif one["code"] in _UNFIT and (bare := _bare(item["state"])) != item["state"]:
                get_logger("BackendReporter").warning(
                    "A %s state is recorded without its result and context: %s", bare["type"], one["message"]
                )
                with self._changed:
                    self._items.appendleft(({**item, "state": bare, "id": new_id()}, 0.0))
            else:
                get_logger("BackendReporter").warning("A state was not recorded: %s", one["message"])

    def task_run_id(self, task_id: str, index: int) -> str:
        """Return what the server calls a run of a task."""
        return task_run_id(self._flow_run_id, task_id, index)


def _queue_seconds() -> float:
    from dagflow.configuration import config

    return min(float(config.cloud.queue_interval), 30.0)


# --- documents -------------------------------------------------------------------------------------------------

_FINISHED = frozenset({"Success", "Cached", "Failed", "TimedOut", "TriggerFailed", "Skipped", "Mapped", "Cancelled",
                       "Looped", "ValidationFailed", "Finished"})  # fmt: skip
_UNFIT = frozenset({"INVALID", "TOO_LARGE", "BAD_REQUEST"})
"""What the server says of a document that it will not take."""
_NO_RESULT = {"type": "NoResultType"}
_RUNNING = {"type": "Running", "message": "Starting task run.", "context": {}, "_result": _NO_RESULT}


def _running_document(task: Task) -> dict[str, Any]:
    return {**_RUNNING, "context": {"tags": sorted(task.tags)}} if task.tags else _RUNNING


def _bare(document: dict[str, Any]) -> dict[str, Any]:
    """Return *document* without what may be large; another process cannot go on from its value."""
    bare = {**document, "message": _cut(document.get("message"), 1_000), "_result": _NO_RESULT, "context": {}}
    for name in ("cached_inputs", "cached_parameters", "hashed_inputs"):
        if document.get(name):
            bare[name] = {}
    if document["type"] in ("Success", "Cached"):
        bare["context"] = {"result_kept": False}
    return bare


def _cut(message: str | None, most: int = LONGEST_MESSAGE) -> str | None:
    if message is None or (len(message) <= most and message.isascii()):
        return message
    text = sendable(message)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters, cut here)"


def document_of(state: State) -> dict[str, Any]:
    """Return what the server is told of a state; most are plain successes, which are written quickly."""
    if type(state) is Success and state._context is None and state._cached_inputs is None:
        document: dict[str, Any] = {
            "type": "Success",
            "message": state.message,
            "context": {},
            "_result": serialize_result(state._holder) if state._holder is not None else _NO_RESULT,
        }
    else:
        document = _in_known_words(state).serialize()
    document["message"] = _cut(document["message"])
    if not _is_kept(state):
        document["context"] = {**(document.get("context") or {}), "result_kept": False}
    if isinstance(state, Retrying) and state.loop is not None:
        loop = loop_document(*state.loop, state.loop_kept)
        document["context"] = {**(document.get("context") or {}), "task_loop": loop}
    return document


def _in_known_words(state: State) -> State:
    """Return *state*, one of a kind of the user's own as the kind that it was made from."""
    from dagflow.engine import state as states

    kind: type[State] = next(one for one in type(state).__mro__ if getattr(states, one.__name__, None) is one)
    if kind is type(state):
        return state
    known: State = object.__new__(kind)
    for cls in kind.__mro__:
        for slot in getattr(cls, "__slots__", ()):
            object.__setattr__(known, slot, getattr(state, slot))
    return known


def loop_document(count: int, value: Any, holder: Result | None) -> dict[str, Any]:
    """Return what is told of a loop: the round to begin in, and where the value of the round before is."""
    place = holder if holder is not None and holder.location is not None else None
    result = _NO_RESULT if place is None else serialize_result(place)
    return {"count": count, "result": result, "kept": place is not None or value is None}


def _is_kept(state: State) -> bool:
    """Tell whether the value of a success can be had again: it was written somewhere, or there is none."""
    if not isinstance(state, Success | Cached) or isinstance(state, Mapped):
        return True
    if state._holder is not None and state._holder.location is not None:
        return True
    return not state.has_result() or state.carried() is None
