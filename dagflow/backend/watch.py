"""Following a run from elsewhere: its states and logs, in the order of time, until it has finished."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from dagflow.backend.agents_check import check_for_compatible_agents
from dagflow.backend.flow_run import FlowRunLog, FlowRunView
from dagflow.client.connection import iso
from dagflow.engine.clock import Clock
from dagflow.exceptions import ClientError

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["stream_flow_run_logs", "watch_flow_run"]

SHORTEST_POLL, LONGEST_POLL, SLOWER = 2.0, 10.0, 1.3
"""Seconds between two looks: the shortest, the longest, and by what the wait grows while nothing happens."""
FIRST_WARNING, NEXT_WARNINGS = 15.0, 30.0
"""Seconds without an agent after which a warning says why, and between that and the following ones."""
LONGEST_WATCH = datetime.timedelta(hours=12)


def watch_flow_run(
    flow_run_id: str,
    stream_states: bool = True,
    stream_logs: bool = True,
    max_duration: datetime.timedelta = LONGEST_WATCH,
    *,
    start_time: datetime.datetime | None = None,
    clock: Clock | None = None,
) -> Iterator[FlowRunLog]:
    """
    Yield what happens to a run until it has finished.

    Each new state is one line, and each log line one; while no agent takes the run, warnings say why. Where the server
    can tell at once that something happened, nothing waits for the next look.

    Args:
        flow_run_id: the run.
        stream_states: yield a line for each state.
        stream_logs: yield the run's log.
        max_duration: how long to watch.
        start_time: tell only what happened after it; default is from the beginning.
        clock: for tests.

    Raises:
        ValueError: when there is no such run.
        RuntimeError: when the run goes on for longer than *max_duration*.
    """
    clock = clock or Clock()
    view = FlowRunView.from_flow_run_id(flow_run_id)
    if view.state.is_finished():
        yield FlowRunLog(_date(clock), logging.INFO, f"Your flow run finished {_ago(view, clock)}.")
        return
    watch = _Watch(view, stream_states, stream_logs, clock, start_time)
    with _Bell(flow_run_id, clock) as bell:
        end = clock.now() + max_duration.total_seconds()
        while True:
            yield from watch.news()
            if watch.view.state.is_finished():
                return
            if clock.now() >= end:
                raise RuntimeError(
                    f"The flow run {watch.view.name!r} ({flow_run_id}) has been watched for {max_duration} and is "
                    f"still {type(watch.view.state).__name__}. It goes on; watch it again, for longer if need be."
                )
            bell.wait(watch.patience)


def stream_flow_run_logs(flow_run_id: str, **options: Any) -> None:
    """Print what happens to a run until it has finished."""
    from dagflow.engine.summary import printable

    for line in watch_flow_run(flow_run_id, **options):
        level = logging.getLevelName(line.level)
        at = line.timestamp.astimezone().strftime("%H:%M:%S")
        print(f"└── {at} | {level:<7} | {printable(line.message)}")


class _Watch:
    """What of a run was told already; everything here changes while it is watched."""

    def __init__(
        self, view: FlowRunView, states: bool, logs: bool, clock: Clock, start_time: datetime.datetime | None
    ) -> None:
        self.view = view
        self._start_time = start_time
        self.patience = SHORTEST_POLL
        self._wants_states, self._wants_logs = states, logs
        self._clock = clock
        self._states_told = 0
        self._last_seq: int | None = None
        self._next_warning = clock.now() + FIRST_WARNING

    def news(self) -> list[FlowRunLog]:
        """Return the lines that were not told before, in the order of time."""
        # The state first: when it is final, the logs that are read afterwards are complete up to it.
        self.view = self.view.get_latest()
        lines = [*self._new_states(), *self._new_logs()]
        self.patience = SHORTEST_POLL if lines else min(self.patience * SLOWER, LONGEST_POLL)
        return [*sorted(lines, key=lambda line: line.timestamp), *self._warning()]

    def _new_states(self) -> Iterator[FlowRunLog]:
        fresh = self.view.states[self._states_told :]
        self._states_told += len(fresh)
        for timestamp, state in fresh if self._wants_states else ():
            if self._start_time is None or timestamp > self._start_time:
                yield FlowRunLog(timestamp, logging.INFO, f"Entered state <{type(state).__name__}>: {state.message}")

    def _new_logs(self) -> Iterator[FlowRunLog]:
        if not self._wants_logs:
            return
        from dagflow.backend._ask import asked_list

        path = f"flow_runs/{self.view.flow_run_id}/logs"
        for record in asked_list(path, page=1000, after_seq=self._last_seq, since=iso(self._start_time)):
            self._last_seq = record["seq"]
            yield FlowRunLog.of(record)

    def _warning(self) -> Iterator[FlowRunLog]:
        state = self.view.state
        now = self._clock.now()
        due = getattr(state, "start_time", None)
        if due is not None:
            # One that is to start later misses no agent yet.
            self._next_warning = max(self._next_warning, due.timestamp() + FIRST_WARNING)
        if not state.is_scheduled() or now < self._next_warning:
            return
        self._next_warning = now + NEXT_WARNINGS
        waiting = "No agent has submitted your flow run yet. "
        yield FlowRunLog(_date(self._clock), logging.WARNING, waiting + check_for_compatible_agents(self.view.labels))


class _Bell:
    """Rings when the server tells that something happened to a run; where it cannot, waits end by time alone."""

    def __init__(self, flow_run_id: str, clock: Clock) -> None:
        import threading

        self._flow_run_id = flow_run_id
        self._clock = clock
        self._rung = threading.Event()
        self._client: Client | None = None

    def __enter__(self) -> Self:
        from dagflow.client.client import Client

        client = Client()
        # A pretended clock waits for nobody, and a server in this process gives its answers whole.
        if type(self._clock) is Clock and client._transport.is_network:
            import threading

            self._client = client
            threading.Thread(target=self._listen, args=(client,), name="dagflow-watch", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._client is not None:
            self._client.close()

    def _listen(self, client: Client) -> None:
        try:
            for event in client._transport.events("events", {"flow_run_id": self._flow_run_id}):
                if event.kind != "ping":
                    self._rung.set()
        except (ClientError, OSError, RuntimeError, ValueError):
            return  # Looking from time to time does it too.

    def wait(self, seconds: float) -> None:
        """Return when the bell rings, at the latest after *seconds*."""
        if self._client is None:
            self._clock.sleep(seconds)
            return
        if self._rung.wait(seconds):
            # A little later, so that what happens together is told together.
            time.sleep(0.1)
        self._rung.clear()


def _date(clock: Clock) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock.now(), datetime.UTC)


def _ago(view: FlowRunView, clock: Clock) -> str:
    finished = view.states[-1].timestamp if view.states else view.updated_at
    seconds = max(clock.now() - finished.timestamp(), 0.0)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"


