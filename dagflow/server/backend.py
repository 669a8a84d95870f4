"""What a running server consists of: its settings, its clock, its database, what is only in memory, and who waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from dagflow.server.clock import Clock, SystemClock, stamp
from dagflow.server.database.engine import Bulk, Database, Tx
from dagflow.server.settings import ServerSettings
from dagflow.server.store import logs, requests, states
from dagflow.server.store.schedules import Limits

__all__ = ["Backend", "Broker"]

T = TypeVar("T")

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The identity of the request that is being answered, if its sender gave it one."""

STATES: Bulk[Any] = Bulk(states.set_many)
LOGS: Bulk[Any] = Bulk(logs.add_logs)


class Broker:
    """Wakes up whoever waits for news, on the loop of the server."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._all: set[asyncio.Event] = set()

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Let news go to those who wait on *loop*."""
        self._loop = loop

    def hear(self, news: list[tuple[str, ...]]) -> None:
        """Pass on the news of a transaction; called on the thread of the writer."""
        loop = self._loop
        if loop is not None and (self._waiting or self._followers or self._all):
            loop.call_soon_threadsafe(self._spread, news)

    def _spread(self, news: list[tuple[str, ...]]) -> None:
        for one in news:
            kind, subject = one[0], one[1] if len(one) > 1 else ""
            if kind in ("flow_run", "ready"):
                for event in self._waiting:
                    event.set()
            if kind == "flow_run":
                for event in self._all:
                    event.set()
            for event in self._followers.get(subject, ()):
                event.set()

    def wake_all(self) -> None:
        """Wake up everybody who waits."""
        for event in (*self._waiting, *self._all, *(one for events in self._followers.values() for one in events)):
            event.set()

    def wait_for_work(self) -> asyncio.Event:
        """Return an event that is set when a run may have become ready; give it back with :meth:`forget`."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def follow(self, flow_run_id: str | None) -> asyncio.Event:
        """Return an event that is set when something happens to a flow run, to any without an id."""
        event = asyncio.Event()
        (self._all if flow_run_id is None else self._followers.setdefault(flow_run_id, set())).add(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        """Set *event* no more."""
        self._waiting.discard(event)
        self._all.discard(event)
        for run_id, events in list(self._followers.items()):
            events.discard(event)
            if not events:
                del self._followers[run_id]


class Backend:
    """
    One server without its HTTP.

    Args:
        settings: what it was told.
        clock: tells the time.
    """

    def __init__(self, settings: ServerSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.broker = Broker()
        self.database = Database(settings.database_url, self.clock, self.broker.hear)
        self.started = self.clock.now()
        self.limits = Limits(settings.max_scheduled_runs_per_flow, settings.schedule_ahead)
        self.stopping = False
        self._deaf_until = self.started
        self._beats: dict[str, float] = {}
        self._beats_lock = threading.Lock()

    @property
    def now(self) -> str:
        """The present moment as text."""
        return stamp(self.clock.now())

    async def read(self, do: Callable[[Connection], T]) -> T:
        """Return what *do* reads from the database."""
        found: T = await asyncio.wrap_future(self.database.submit_read(do))
        return found

    async def write(self, do: Callable[[Tx], T], *, once: bool = True) -> T:
        """
        Do a write and return its outcome after the commit.

        Args:
            do: what to do.
            once: whether a request that is sent again (its ``X-DAGFLOW-REQUEST-ID`` says so) is to have the first
                outcome instead.
        """
        request_id = REQUEST_ID.get() if once else None
        work = do if request_id is None else partial(requests.once, request_id, do)
        outcome: T = await self.database.ask(work)
        return outcome

    async def set_states(self, request: states.Request) -> dict[str, list[dict[str, Any]]]:
        """Set the states of a request, together with those of other requests that come at the same time."""
        outcome: dict[str, list[dict[str, Any]]] = await self.database.ask(STATES, request)
        return outcome

    async def add_logs(self, lines: list[Any]) -> dict[str, Any]:
        """Keep log lines."""
        argument = (lines, self.settings.max_logs_per_run)
        outcome: dict[str, Any] = await self.database.ask(LOGS, argument)
        return outcome

    # --- heartbeats --------------------------------------------------------------------------------------------

    def beat(self, flow_run_id: str) -> None:
        """Note in memory that the process of a run lives."""
        with self._beats_lock:
            self._beats[flow_run_id] = self.clock.now()

    def last_beat(self, flow_run_id: str) -> float | None:
        """Return when a process was heard of, if that is not written down yet."""
        return self._beats.get(flow_run_id)

    def unwritten_beats(self) -> dict[str, float]:
        """Return the heartbeats that are not written down yet."""
        with self._beats_lock:
            return dict(self._beats)

    def forget_beats(self, written: dict[str, float]) -> None:
        """Forget heartbeats that are written down now; those that came meanwhile stay."""
        with self._beats_lock:
            self._beats = {run: seen for run, seen in self._beats.items() if written.get(run) != seen}

    @property
    def listening_since(self) -> float:
        """Since when heartbeats could be heard: before, silence proves nothing."""
        return max(self.started, self._deaf_until)

    def note_deafness(self) -> None:
        """Note that the database could not be reached until now, so that heartbeats may have been turned away."""
        self._deaf_until = self.clock.now()

    def stop_waiting(self) -> None:
        """Answer those who wait for news, because the server is about to stop; called on its loop."""
        self.stopping = True
        self.broker.wake_all()

    def close(self) -> None:
        """Finish what is queued and close the database."""
        self.stopping = True
        self.broker.attach(None)
        self.database.close()
