"""
Running a flow for a server: its states are recorded there, and it goes on from those that are.

The engine is the same as everywhere. What is added is a reporter, which is told of every state; signs of life; the
states and values that another process left; and an end for each way in which a run may have to stop.
"""

from __future__ import annotations

import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.backend.cached import EarlierRuns, KnownKeys
from dagflow.backend.heart import Heart, signs_of_life
from dagflow.backend.reporting import BackendReporter, RunStopped, Stopping
from dagflow.backend.resumption import Problems, read_values, recorded_states, runs_again
from dagflow.configuration import config
from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.signals import ENDRUN
from dagflow.engine.state import Cancelled, Failed, Paused, Pending, Retrying, Scheduled, State, Success, unwrapped
from dagflow.exceptions import ClientError, ConflictError, StaleTokenError
from dagflow.utilities.context import context
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["BackendFlowRunner", "Terminated", "stopping_on_signals"]


class Terminated(BaseException):
    """The process was told to end (SIGTERM); the run is given back."""


class BackendFlowRunner(FlowRunner):
    """
    Runs a flow as one of the server's flow runs.

    Attributes:
        client: the way to the server; made from the configuration when it is not set.
        begun: what the server told when this process took hold of the run; asked for when it is not set.
        hands_back: whether a run that has to wait for long is given back, for an agent to take up when it is due.
    """

    client: Client | None = None
    begun: dict[str, Any] | None = None
    hands_back = True

    def run(  # type: ignore[override]
        self,
        state: State | None = None,
        task_states: Mapping[Task, State] | None = None,
        parameters: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> State:
        """
        Run the flow; arguments are those of :class:`~dagflow.engine.flow_runner.FlowRunner`.

        Explicit *state*, *task_states* and *parameters* win over what the server knows; its context wins over
        *context*.
        """
        begun = self._begin(dict(context or {}))
        run = begun["flow_run"]
        known = state or unwrapped(State.deserialize(run["serialized_state"]))
        assert known is not None
        if known.is_finished():
            get_logger("CloudFlowRunner").info("Flow run %r has finished already: %s.", run["name"], run["state"])
            return known
        problem = code_problem(self.flow, begun)
        if problem is not None:
            get_logger("CloudFlowRunner").error(problem)
            return self._record_end(run["id"], begun["run_token"], Failed(problem))
        if self.hands_back:
            self.patience = float(config.cloud.outage_patience)
        return self._run_held(begun, known, task_states, parameters, dict(context or {}), options)

    def _begin(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take hold of the run."""
        from dagflow.client.client import Client

        if self.client is None:
            self.client = Client()
        if self.begun is not None:
            return self.begun
        run_id = given.get("flow_run_id") or context.get("flow_run_id")
        if not run_id:
            raise ValueError(
                "A CloudFlowRunner runs one of the server's flow runs, and there is no flow_run_id in the context. "
                "Create a run with `dagflow run --name …`, or run the flow here with flow.run()."
            )
        token = context.get("run_token")
        try:
            self.begun = self.client.post(f"flow_runs/{run_id}/begin", {"token": None if token is None else int(token)})
        except ClientError as error:
            raise ENDRUN(Failed(f"Could not read the state of flow run {run_id}: {error}")) from error
        return self.begun

    def _run_held(
        self,
        begun: dict[str, Any],
        known: State,
        task_states: Mapping[Task, State] | None,
        parameters: Mapping[str, Any] | None,
        given: dict[str, Any],
        options: dict[str, Any],
    ) -> State:
        assert self.client is not None
        run, token = begun["flow_run"], begun["run_token"]
        slugs = {slug: task for task, slug in self.flow.slugs.items()}
        states = recorded_states(slugs, begun["task_runs"])
        done = {(row["task_id"], row["map_index"]): row["state"] for row in begun["task_runs"]}
        with signs_of_life(self.client, begun):
            if isinstance(known, Retrying):
                states, done = self._try_again(known, states, done, slugs, begun)
            self._record_problems(read_values(self.flow, states), begun)
        self.reporter = reporter = BackendReporter(
            self.client,
            run["id"],
            token,
            {row["slug"]: row["id"] for row in begun["tasks"]},
            limited_tags=frozenset(begun["limited_tags"]),
            known=done,
            patience=float(config.cloud.outage_patience),
            stop=_interrupt_main(),
        )
        values = {**run["parameters"], **(parameters or {})}
        self._give_name(run, values)
        keys = {**given, **_context_of(begun)}
        heart = Heart(self.client, run["id"], token, reporter.stop_run, enabled=begun["heartbeat_enabled"])
        try:
            with heart:
                final = super().run(
                    state=_at_the_servers_time(known, begun["server_time"]),
                    task_states={**states, **(task_states or {})},
                    parameters=values,
                    context=keys,
                    **options,
                )
                reporter.close()
        except (KeyboardInterrupt, RunStopped):
            if reporter.stopping is None:
                raise
            return self._stopped(run["id"], token, reporter, reporter.stopping)
        except Terminated:
            reporter.close(timeout=3.0)
            self._release(run["id"], token, reschedule=True)
            raise
        if not final.is_finished():
            self._release(run["id"], token, reschedule=False)
        return final

    def _give_name(self, run: dict[str, Any], values: Mapping[str, Any]) -> None:
        """Give a run that starts for the first time the name that its flow says, if nobody gave it one."""
        from dagflow.engine.session import run_name_of

        assert self.begun is not None
        if self.flow.flow_run_name is None or run["start_time"] is not None or self.begun["is_named"]:
            return
        assert self.client is not None
        name = run_name_of(self.flow, values)
        try:
            self.client.set_flow_run_name(run["id"], name)
        except ClientError as error:
            get_logger("CloudFlowRunner").warning("The run could not be named %r: %s", name, error)
            return
        run["name"] = name

    def _scope(self, *args: Any) -> Any:
        scope = super()._scope(*args)
        assert self.begun is not None
        scope.task_ids = {row["slug"]: row["id"] for row in self.begun["tasks"]}
        scope.checkpointing = True
        assert self.client is not None
        now = datetime.datetime.fromisoformat(self.begun["server_time"])
        scope.earlier = EarlierRuns(self.client, self.flow, scope.task_ids, now)
        scope.known_keys = KnownKeys(self.client)
        return scope

    def _try_again(
        self, known: Retrying, states: dict[Task, State], done: dict[Any, str], slugs: Mapping[str, Task], begun: Any
    ) -> tuple[dict[Task, State], dict[Any, str]]:
        """Keep what succeeded in the attempt before; what runs again has no state on the server either."""
        from dagflow.engine.again import states_to_keep

        self.attempt_number = known.run_count + 1
        anew = {task for task in self.flow.tasks if runs_again(task)}
        kept = states_to_keep(self.flow, {**dict.fromkeys(anew, Success()), **states})
        kept = {task: state for task, state in kept.items() if task not in anew}
        ids = {row["id"]: slugs.get(row["slug"]) for row in begun["tasks"]}
        again = [
            row for row in begun["task_runs"]
            if (task := ids.get(row["task_id"])) is not None and task not in anew
            and _is_left_out(kept.get(task), row["map_index"])
        ]  # fmt: skip
        pending = {"type": "Pending", "message": "The flow run is tried again.", "_result": {"type": "NoResultType"}}
        items = [{"task_run_id": row["id"], "state": pending, "token": begun["run_token"]} for row in again]
        assert self.client is not None
        for start in range(0, len(items), 500):
            self.client.post("states", {"task_runs": items[start : start + 500]})
        for row in again:
            done.pop((row["task_id"], row["map_index"]), None)
        return kept, done

    def _record_problems(self, problems: Problems, begun: dict[str, Any]) -> None:
        """Record why tasks fail that need a value which cannot be had."""
        if not problems:
            return
        assert self.client is not None
        ids = {row["slug"]: row["id"] for row in begun["tasks"]}
        items = [
            {
                "flow_run_id": begun["flow_run"]["id"],
                "task_id": ids[self.flow.slugs[task]],
                "map_index": index,
                "state": Failed(problem).serialize(),
                "token": begun["run_token"],
            }
            for (task, index), problem in problems.items()
        ]
        self.client.post("states", {"task_runs": items})

    # --- ends --------------------------------------------------------------------------------------------------

    def _stopped(self, run_id: str, token: int, reporter: BackendReporter, stopping: Stopping) -> State:
        """Leave a run that had to stop."""
        logger = get_logger("CloudFlowRunner")
        reporter.close(timeout=3.0)
        if stopping.kind == "cancelled":
            logger.info("Flow run stopped: %s", stopping.reason)
            end = Cancelled("Flow run was cancelled.")
            assert self.client is not None
            # Before its first state is recorded, nobody waits for this process to stop: it is Cancelled already.
            is_recorded = self.client.get(f"flow_runs/{run_id}")["state"] == "Cancelled"
            return end if is_recorded else self._record_end(run_id, token, end)
        logger.warning("Flow run stopped in this process: %s", stopping.reason)
        raise ENDRUN(Failed(stopping.reason))

    def _record_end(self, run_id: str, token: int, state: State) -> State:
        """Record the state in which a run ends."""
        assert self.client is not None
        item = {"flow_run_id": run_id, "state": state.serialize(), "token": token}
        answer = self.client.post("states", {"flow_runs": [item]})["flow_runs"][0]
        if answer["status"] == "ERROR" and answer["state"] != type(state).__name__:
            get_logger("CloudFlowRunner").warning("The end of the run was not recorded: %s", answer["message"])
        return state

    def _release(self, run_id: str, token: int, *, reschedule: bool) -> None:
        """Give the run back, for another process to take up when it is due."""
        assert self.client is not None
        try:
            self.client.post(f"flow_runs/{run_id}/release", {"token": token, "reschedule": reschedule})
        except (StaleTokenError, ConflictError):
            return
        get_logger("CloudFlowRunner").info("The run is given back; an agent takes it up when it is due.")


def _at_the_servers_time(known: State, now: str) -> State:
    """Return the state to begin in: what is due is due by the server's clock, whatever the one here says."""
    if not isinstance(known, Scheduled) or isinstance(known, Paused):
        return known
    due = known.due()
    return Pending() if due is not None and due <= datetime.datetime.fromisoformat(now).timestamp() else known


def _is_left_out(kept: State | None, index: int) -> bool:
    if kept is None:
        return True
    children = getattr(kept, "map_states", None)
    return index >= 0 and children is not None and (index >= len(children) or children[index] is None)


def _context_of(begun: dict[str, Any]) -> dict[str, Any]:
    """Return what a run finds in its context under a server."""
    run, flow = begun["flow_run"], begun["flow"]
    start = run["scheduled_start_time"]
    keys = {
        **run["context"],
        "flow_id": flow["id"],
        "flow_run_id": run["id"],
        "flow_run_version": run["version"],
        "flow_run_name": run["name"],
        "project_id": flow["project_id"],
        "project_name": flow["project_name"],
        "run_token": begun["run_token"],
        "running_with_backend": True,
        "checkpointing": True,
    }
    if start is not None:
        import pendulum

        keys["scheduled_start_time"] = pendulum.parse(start)
        keys.setdefault("date", keys["scheduled_start_time"])
    return keys


def code_problem(flow: Flow, begun: dict[str, Any]) -> str | None:
    """Return what is wrong when the code that was loaded is not the flow that was registered."""
    registered = {row["slug"] for row in begun["tasks"]}
    here = set(flow.slugs.values())
    missing, new = sorted(registered - here), sorted(here - registered)
    if not missing and not new:
        return None
    parts = []
    if missing:
        parts.append(f"its code has no task {', '.join(map(repr, missing[:5]))}, which was registered")
    if new:
        parts.append(f"its code has the task {', '.join(map(repr, new[:5]))}, which was not")
    return (
        f"Flow {flow.name!r} is not the one that was registered: {'; '.join(parts)}. The code was changed: re-register "
        "the flow (`dagflow register`), or update storage so that it has the registered code."
    )


def _interrupt_main() -> Any:
    """Return what interrupts the main thread when a run has to stop, if that thread runs it."""
    if threading.current_thread() is not threading.main_thread():
        return lambda stopping: None
    ident = threading.main_thread().ident
    assert ident is not None
    return lambda stopping: signal.pthread_kill(ident, signal.SIGINT)


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Let SIGTERM raise :class:`Terminated` in the main thread inside the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
