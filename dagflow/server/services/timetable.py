"""
When each service runs.

A service is a plain function of the backend; one pass is one call, so tests need no waiting. An error ends a pass,
never the service. With several servers on one PostgreSQL each service holds a lease, and only the holder runs it.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from dagflow.server.backend import Backend
from dagflow.server.clock import shifted, stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Refusal
from dagflow.server.services import automations, retention, scheduler, sweep
from dagflow.utilities.logging import get_logger

__all__ = ["Service", "Services"]


@dataclasses.dataclass
class Service:
    """Something that is done again and again: what, and after how many seconds."""

    name: str
    interval: float
    run: Callable[[Backend], None]
    due: float = 0.0
    everywhere: bool = False
    """Whether every server has to do it, rather than one of several."""
    last: float | None = None
    """When its last pass began."""
    seconds: float | None = None
    """How long that took."""
    problem: str | None = None
    """What went wrong in it."""


class Services:
    """What a server does by itself, on a thread of its own."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.holder = uuid.uuid4().hex
        settings = backend.settings
        self.services = [
            # What was said to this server only this server can write down.
            Service("heartbeats", settings.sweep_interval, sweep.write_heartbeats, everywhere=True),
            Service("sweep", settings.sweep_interval, sweep.run),
            Service("scheduler", settings.scheduler_interval, scheduler.run),
            Service("automations", settings.automation_interval, automations.run),
            Service("retention", settings.retention_interval, retention.run),
        ]
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, others: bool = True) -> None:
        """Begin; without *others* only with what every server has to do."""
        if not others:
            self.services = [one for one in self.services if one.everywhere]
        self._thread = threading.Thread(target=self._work, name="dagflow-services", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the pass that goes on."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_due(self) -> None:
        """Run each service whose time has come by the server's clock."""
        for service in self.services:
            now = self.backend.clock.now()
            if service.due <= now:
                self.run_once(service)
                # From the time it should have run, so that the beat stays even; what was missed is not made up for.
                service.due = max(service.due + service.interval, now)

    def passes(self) -> list[dict[str, Any]]:
        """Return, for each service, when its last pass here began, how long it took, and what went wrong in it."""
        return [
            {
                "name": one.name,
                "last": None if one.last is None else stamp(one.last),
                "interval": one.interval,
                "seconds": one.seconds,
                "problem": one.problem,
            }
            for one in self.services
        ]

    def run_once(self, service: Service) -> None:
        """Run one pass of a service, if it is this server's turn."""
        began = time.monotonic()
        problem = None
        try:
            if not self._has_lease(service):
                return
            service.last = self.backend.clock.now()
            service.run(self.backend)
        except Refusal as refusal:
            problem = str(refusal)
            get_logger("server").warning("Service %s could not do its work now: %s", service.name, refusal)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            get_logger("server").exception("Service %s failed; it goes on at its next turn.", service.name)
        took = time.monotonic() - began
        service.seconds, service.problem = round(took, 6), problem
        if took > service.interval:
            get_logger("server").warning(
                "Service %s took %.1f s, longer than the %.1f s between its turns.",
                service.name,
                took,
                service.interval,
            )

    def _has_lease(self, service: Service) -> bool:
        if service.everywhere or self.backend.database.is_sqlite:
            return True
        return self.backend.database.write(lambda tx: _take_lease(tx, service, self.holder))

    def _work(self) -> None:
        while not self._end.is_set():
            self.run_due()
            wait = min(service.due for service in self.services) - self.backend.clock.now()
            self._end.wait(max(0.05, min(wait, 5.0)))


def _take_lease(tx: Tx, service: Service, holder: str) -> bool:
    """Take or keep the lease of a service; tell whether it is ours."""
    table = tables.lease
    expires = shifted(tx.stamp, 3 * service.interval + 10)
    statement = tx.insert(table).values(name=service.name, holder=holder, expires=expires)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.name],
        set_={"holder": holder, "expires": expires},
        where=(table.c.holder == holder) | (table.c.expires < tx.stamp),
    )
    tx.execute(statement)
    return bool(tx.execute(table.select().where(table.c.name == service.name, table.c.holder == holder)).first())
