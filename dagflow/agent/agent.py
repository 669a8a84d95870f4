"""
What all agents do: make themselves known, claim runs, start each, tell how it ended.

Three kinds of threads work here. One asks the server for work, by requests that wait there until there is some; a few
start runs; one gives signs of life and looks which runs are to be stopped. A kind of agent overrides the hooks at the
end of :class:`Agent`. What changes while an agent runs is its :class:`~dagflow.agent.claimed.Hand` and three events.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from dagflow.agent.claimed import ClaimedRun, Hand
from dagflow.agent.ends import Ends
from dagflow.agent.environment import Told
from dagflow.agent.faults import is_transient
from dagflow.agent.identity import Identity
from dagflow.agent.pool import check_pool
from dagflow.agent.work import Work
from dagflow.configuration import config
from dagflow.run_configs import RunConfig, UniversalRun, deserialize
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["Agent"]

TRIES = 4
"""How often starting a run is tried when what fails may pass."""
FIRST_WAIT = 1.0
"""Seconds before the second try; each later wait is twice as long."""


class Agent:
    """
    Claim runs from the server and start them.

    Args:
        agent_config_id: the configuration on the server that groups agents.
        name: default ``config.cloud.agent.name``.
        labels: a run is taken if all its labels are among these; a run without any only if there are none.
        env_vars: variables for the environment of each run.
        max_polls: end after asking this often.
        agent_address: where ``/api/health`` and ``/api/poke`` are answered, such as ``http://127.0.0.1:8080``.
        no_cloud_logs: the log lines of runs do not go to the server.
        limit: how many runs there may be at once.
        pool: take runs of this pool, and no others.
        queues: only of these queues of the pool.
        flow_ids: take runs of these flows only.
        api_key: the key for the server.
    """

    kind: ClassVar[str] = "agent"
    """What the server calls it."""
    pool_type: ClassVar[str | None] = None
    """The type of the pools that it can serve."""
    run_config_class: ClassVar[type[RunConfig]] = UniversalRun
    keeps_hold: ClassVar[bool] = False
    """Whether it sees the end of what it starts; then a run stays in hand until it has ended."""
    beat_seconds: float = 5.0
    """Between signs of life; with each of them it is seen which runs are to be stopped."""
    cancel_grace: float = 60.0
    """Seconds that a run which is to be cancelled has for doing so itself."""

    def __init__(
        self,
        agent_config_id: str | None = None,
        name: str | None = None,
        labels: Iterable[str] | None = None,
        env_vars: Mapping[str, str] | None = None,
        max_polls: int | None = None,
        agent_address: str | None = None,
        no_cloud_logs: bool | None = None,
        *,
        limit: int | None = None,
        pool: str | None = None,
        queues: Iterable[str] = (),
        flow_ids: Iterable[str] = (),
        api_key: str | None = None,
    ) -> None:
        from dagflow.client.client import Client

        if isinstance(labels, str):
            raise TypeError(f"labels must be a list of strings, found the string {labels!r}; use [{labels!r}].")
        settings = config.cloud.agent
        self.agent_config_id = agent_config_id
        self.has_own_name = name is not None
        self.name: str = name or str(settings.name or "agent")
        self.labels: list[str] = list(dict.fromkeys(settings.labels if labels is None else labels))
        self.env_vars: dict[str, str] = dict(settings.env_vars if env_vars is None else env_vars)
        self.max_polls = max_polls
        self.agent_address: str = agent_address or str(settings.agent_address or "")
        self.send_logs = bool(config.cloud.send_flow_run_logs) if no_cloud_logs is None else not no_cloud_logs
        self.limit = limit
        self.pool = pool
        self.queues = list(queues)
        self.flow_ids = list(flow_ids)
        self.logger = get_logger(self.name)
        self.client: Client = Client(api_key=api_key)
        self.agent_id: str | None = None
        self.hand = Hand(limit)
        self.ends = Ends(self)
        self.work = Work(self)
        self._stop = threading.Event()
        self._identity: Identity | None = None
        self._clock: Callable[[], float] = time.monotonic

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"

    # --- life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """
        Work until told to stop, by :meth:`stop`, a signal, or after ``max_polls``.

        Raises:
            RuntimeError: when the server cannot be reached, with its address, or does not let us in.
            ValueError: for a pool that does not exist or is of another type.
        """
        self._stop.clear()
        with contextlib.ExitStack() as exits:
            exits.enter_context(self._signals())
            exits.callback(self._leave)
            self.register()
            exits.callback(self.logger.info, "Agent %s has stopped.", self.name)
            exits.callback(self._guarded, self.on_shutdown)
            self.on_startup()
            self._say_hello()
            exits.enter_context(self._health())
            beats = threading.Thread(target=self._beat, name="agent-heartbeat", daemon=True)
            beats.start()
            exits.callback(beats.join, 1.0)
            exits.callback(self.stop)
            starters = ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 4), thread_name_prefix="agent-start")
            exits.callback(starters.shutdown)
            self.work.until_stopped(lambda run: starters.submit(self._launch, run))

    def stop(self) -> None:
        """End the work; what was started goes on where it can."""
        self._stop.set()
        self.work.wake()
        self.hand.wake()

    @property
    def is_stopping(self) -> bool:
        """Whether the agent has been told to stop."""
        return self._stop.is_set()

    def register(self) -> str:
        """Make the agent known to the server and return its id there, which goes with all its requests."""
        if self._identity is None and self.agent_id is None:
            self._identity = Identity(self.kind, self.name, self.client.api_server)
        known = self.agent_id or (self._identity.id if self._identity else None)
        check_pool(self)
        self.agent_id = self.client.register_agent(
            self.kind, self.name, self.labels, self.agent_config_id, id=known, pool=self.pool, limit=self.limit
        )
        self.client.attach_headers({"X-DAGFLOW-AGENT-ID": self.agent_id})
        return self.agent_id

    def _leave(self) -> None:
        if self._identity is not None:
            self._identity.give_back()
            self._identity = None

    def _say_hello(self) -> None:
        served = f"pool {self.pool!r}" if self.pool else f"labels {self.labels}"
        at_once = "" if self.limit is None else f", at most {self.limit} runs at once"
        self.logger.info("Agent %s asks %s for work: %s%s.", self.name, self.client.api_server, served, at_once)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the work in order; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        # Without the log: its lock may be held by what the signal interrupted. A second Ctrl-C ends the wait for order.
        if self._stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.stop()

    @contextlib.contextmanager
    def _health(self) -> Iterator[None]:
        if not self.agent_address:
            yield
            return
        from dagflow.agent.health import HealthServer

        server = HealthServer(self.agent_address, self.health, self.work.poke)
        self.logger.info("Health of the agent: %s/api/health", server.url)
        self.health_url = server.url
        try:
            yield
        finally:
            server.stop()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the server was asked for work of late, and facts."""
        return self.work.is_alive, {
            "agent_id": self.agent_id,
            "runs": len(self.hand),
            "limit": self.limit,
            "polls": self.work.polls,
            "claimed": self.work.claimed,
            "seconds_since_poll": round(self.work.seconds_since_poll, 3),
        }

    # --- starting one run ------------------------------------------------------------------------------------

    def _launch(self, run: ClaimedRun) -> None:
        """Start *run*; whatever happens, the agent goes on."""
        try:
            info = self._deployed(run)
        except Exception as error:
            self.hand.drop(run)
            self._guarded(self._refuse, run, error)
            return
        self.hand.started(run)
        if not self.keeps_hold:
            self.hand.drop(run)
        self.logger.info("Started %s: %s", run, info)
        self._guarded(self.log_to_run, run, f"Submitted for execution: {info}", "INFO")

    def _deployed(self, run: ClaimedRun) -> str:
        wait = FIRST_WAIT
        for _ in range(TRIES - 1):
            try:
                return self.deploy_flow(run)
            except Exception as error:
                if not is_transient(error) or self.is_stopping:
                    raise
                self.logger.warning("Starting %s failed: %s; trying again in %g s.", run, error, wait)
            self._stop.wait(wait)
            wait *= 2
        return self.deploy_flow(run)

    def _refuse(self, run: ClaimedRun, error: Exception) -> None:
        text = f"{error}" or type(error).__name__
        if "State update failed" in text:
            self.logger.debug("Another agent has %s.", run)
            return
        self.logger.error("Starting %s failed: %s", run, text)
        self.log_to_run(run, f"The agent could not start this run: {text}", "ERROR")
        self.set_state(run, "Failed", text)

    def set_state(self, run: ClaimedRun, kind: str, message: str) -> None:
        """Set the state of a run that this agent still has the newest token of."""
        from dagflow.engine import state

        document = getattr(state, kind)(message).serialize()
        self.client.post(f"flow_runs/{run.id}/states", {"state": document, "token": run.token, "reason": message})

    def log_to_run(self, run: ClaimedRun, text: str, level: str) -> None:
        """Write a line into the log of a run."""
        from datetime import UTC, datetime

        from dagflow.client.connection import iso

        record = {"flow_run_id": run.id, "timestamp": iso(datetime.now(UTC)), "name": self.name}
        self.client.write_run_logs([{**record, "level": level, "message": text}])

    def run_config_of(self, run: ClaimedRun) -> Any:
        """
        Return the run config of *run* as one of this agent's kind.

        Raises:
            TypeError: when it is for another kind.
        """
        kind = self.run_config_class
        if run.run_config is None:
            return kind()
        found = deserialize(dict(run.run_config))
        if isinstance(found, kind):
            return found
        if isinstance(found, UniversalRun):
            return kind(env=found.env, labels=found.labels)
        raise TypeError(
            f"Flow run {run.id} has a run config of type {type(found).__name__}, but this agent, a "
            f"{type(self).__name__}, starts runs by {kind.__name__}. Change the run config, or its labels so that "
            "another agent takes it."
        )

    def told(self, api: str | None = None) -> Told:
        """Return what is told to all runs; *api* is the server's address as they see it."""
        return Told(
            api=api or self.client.api_server,
            api_key=self.client.api_key or None,
            labels=tuple(self.labels),
            send_logs=self.send_logs,
            log_level=str(config.logging.level),
            env_vars=self.env_vars,
        )

    # --- signs of life ---------------------------------------------------------------------------------------

    def _beat(self) -> None:
        while not self._stop.wait(self.beat_seconds):
            self._guarded(self.beat_once)
            self._guarded(self.heartbeat)

    def beat_once(self) -> None:
        """Tell the server that the agent lives, and stop what is to be stopped and does not do so itself."""
        runs = self.hand.runs()
        ids = sorted({run.id for run in runs})
        answer = self.client._request(
            "POST", f"agents/{self.agent_id}/heartbeat", body={"flow_run_ids": ids}, retries=0
        )
        for run in self.hand.starting():
            # Until its process has begun, nobody else says that the run is not lost: an image may take minutes.
            self._guarded(self.keep_alive, run)
        now = self._clock()
        self.hand.note_asked_to_stop(set(answer.get("cancel", ())), now)
        for run in self.hand.overdue(now, self.cancel_grace):
            self.logger.warning("%s does not react to its cancellation and is ended.", run)
            self.ends.expect_cancelled(run)
            self._guarded(self.kill, run)

    def keep_alive(self, run: ClaimedRun) -> None:
        """Give a sign of life of a run that nothing executes yet."""
        self.client._request("POST", f"flow_runs/{run.id}/heartbeat", body={"token": run.token}, retries=0)

    def _guarded(self, do: Callable[..., Any], *args: Any) -> None:
        try:
            do(*args)
        except Exception as error:
            self.logger.error("%s failed: %s", getattr(do, "__name__", do), error, exc_info=not is_transient(error))

    # --- hooks -----------------------------------------------------------------------------------------------

    def deploy_flow(self, run: ClaimedRun) -> str:
        """Start *run*, and return what is to be said of it; an error makes the run fail with its text."""
        raise RuntimeError(f"{type(self).__name__} does not say how a run is started; use one of its subclasses.")

    def kill(self, run: ClaimedRun) -> None:
        """End what executes *run*, at once if need be."""

    def heartbeat(self) -> None:
        """Do what is to be done every few seconds; errors are logged."""

    def on_startup(self) -> None:
        """Do what is to be done before work is asked for; an error ends the agent."""

    def on_shutdown(self) -> None:
        """Do what is to be done at the end."""
