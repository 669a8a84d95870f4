"""What an agent has in hand: the runs that it claimed and whose end it has not seen yet."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["ClaimedRun", "Hand"]


@dataclasses.dataclass(frozen=True)
class ClaimedRun:
    """
    A flow run that the server gave to this agent.

    Attributes:
        flow_run: its record.
        flow: the record of its flow, with the storage.
        token: tells this taking of the run from earlier and later ones.
        run_config: the document that says how it is started, ``None`` for the agent's own way.
        continues: it has run before and goes on now.
    """

    flow_run: Mapping[str, Any]
    flow: Mapping[str, Any]
    token: int
    run_config: Mapping[str, Any] | None = None
    continues: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> ClaimedRun:
        """Read one of the runs in the server's answer to a claim."""
        return cls(
            answer["flow_run"],
            answer["flow"],
            int(answer["run_token"]),
            answer.get("run_config"),
            bool(answer.get("continues")),
        )

    @property
    def id(self) -> str:
        """The id of the flow run."""
        return str(self.flow_run["id"])

    @property
    def flow_id(self) -> str:
        """The id of the flow's version."""
        return str(self.flow["id"])

    @property
    def name(self) -> str:
        """The name of the flow run."""
        return str(self.flow_run.get("name") or self.id)

    @property
    def storage(self) -> Mapping[str, Any]:
        """The document of the flow's storage."""
        return self.flow.get("storage") or {}

    @property
    def key(self) -> tuple[str, int]:
        """What tells this taking of the run from others."""
        return self.id, self.token

    def __str__(self) -> str:
        return f"flow run {self.name!r} ({self.id})"


@dataclasses.dataclass
class _Held:
    run: ClaimedRun
    starting: bool = True
    asked_to_stop: float | None = None
    killed: bool = False


class Hand:
    """
    The runs in hand, by id and token; it may be used from any thread.

    Args:
        limit: how many there may be at once, ``None`` for any number.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._held: dict[tuple[str, int], _Held] = {}
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, run: ClaimedRun) -> bool:
        return run.key in self._held

    def room(self, most: int) -> int:
        """Return how many more runs can be taken, at most *most*."""
        return most if self.limit is None else max(0, min(most, self.limit - len(self._held)))

    def take(self, run: ClaimedRun) -> None:
        """Have *run* from now on."""
        with self._changed:
            self._held[run.key] = _Held(run)

    def started(self, run: ClaimedRun) -> None:
        """Note that what executes *run* has been started."""
        held = self._held.get(run.key)
        if held is not None:
            held.starting = False

    def drop(self, run: ClaimedRun) -> None:
        """Have *run* no more."""
        with self._changed:
            self._held.pop(run.key, None)
            self._changed.notify_all()

    def wait_for_change(self, seconds: float) -> None:
        """Wait until a run has been dropped, but not longer than *seconds*."""
        with self._changed:
            self._changed.wait(seconds)

    def wake(self) -> None:
        """End the waits of others."""
        with self._changed:
            self._changed.notify_all()

    def runs(self) -> list[ClaimedRun]:
        """Return the runs in hand."""
        return [held.run for held in list(self._held.values())]

    def starting(self) -> list[ClaimedRun]:
        """Return the runs for which nothing executes yet, so that nobody else gives signs of life of them."""
        return [held.run for held in list(self._held.values()) if held.starting]

    def started_runs(self) -> list[ClaimedRun]:
        """Return the runs that something was started for."""
        return [held.run for held in list(self._held.values()) if not held.starting]

    def note_asked_to_stop(self, ids: set[str], now: float) -> None:
        """Note since when the runs with *ids*, and no others, have been asked to stop."""
        for held in list(self._held.values()):
            if held.run.id not in ids:
                held.asked_to_stop = None
            elif held.asked_to_stop is None:
                held.asked_to_stop = now

    def overdue(self, now: float, grace: float) -> list[ClaimedRun]:
        """Return the runs that were asked to stop at least *grace* seconds ago, each once."""
        found = []
        for held in list(self._held.values()):
            if held.asked_to_stop is not None and not held.killed and now - held.asked_to_stop >= grace:
                held.killed = True
                found.append(held.run)
        return found
