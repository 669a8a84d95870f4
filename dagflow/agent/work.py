"""Asking for work: requests that wait at the server, with pauses when there is nothing or nobody to ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dagflow.agent.claimed import ClaimedRun
from dagflow.exceptions import ObjectNotFoundError

if TYPE_CHECKING:
    from dagflow.agent.agent import Agent

__all__ = ["PAUSES", "Work"]

PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Seconds between polls, by the number of empty ones in a row."""
AT_ONCE = 25
"""How many runs are claimed at a time."""
WAIT = 10.0
"""Seconds that a claim may wait at the server."""
UNHURRIED = 0.2
"""An empty answer that comes sooner did not wait at the server, so we wait here."""
LAST_ANSWER = 0.5
"""Seconds that a stopping agent waits for the answer to its last claim."""


class Work:
    """
    Claims runs for an agent.

    Attributes:
        polls: how often it has asked.
        claimed: how many runs it was given.
    """

    wait_seconds = WAIT

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.polls = 0
        self.claimed = 0
        self._empty = 0
        self._last = time.monotonic()
        self._wake = threading.Event()
        self._error: BaseException | None = None

    def poke(self) -> None:
        """Ask for work now."""
        self._empty = 0
        self._wake.set()

    def wake(self) -> None:
        """End a pause."""
        self._wake.set()

    @property
    def seconds_since_poll(self) -> float:
        """How long ago the server answered last."""
        return time.monotonic() - self._last

    @property
    def is_alive(self) -> bool:
        """Whether the server answered within the time of three polls."""
        return self.seconds_since_poll <= 3 * max(self.wait_seconds, PAUSES[-1])

    def until_stopped(self, launch: Callable[[ClaimedRun], Any]) -> None:
        """Claim runs and hand each to *launch*, until the agent stops or has asked often enough."""
        self._last = time.monotonic()
        asking = threading.Thread(target=self._ask, args=(launch,), name="agent-poll", daemon=True)
        asking.start()
        # In slices, because a signal is noticed by the main thread only between waits.
        while asking.is_alive() and not self.agent.is_stopping:
            asking.join(0.2)
        # A claim that waits at the server cannot be called back; what it still brings is given back by its thread.
        asking.join(LAST_ANSWER)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _ask(self, launch: Callable[[ClaimedRun], Any]) -> None:
        try:
            asked = 0
            while not self.agent.is_stopping and (self.agent.max_polls is None or asked < self.agent.max_polls):
                if self._wait_for_room():
                    asked += 1
                    self._poll(launch, is_last=asked == self.agent.max_polls)
        except BaseException as error:
            self._error = error

    def _wait_for_room(self) -> bool:
        if self.agent.hand.room(AT_ONCE):
            return True
        self.agent.hand.wait_for_change(1.0)
        # Having its hands full, it need not ask; it is well all the same.
        self._last = time.monotonic()
        return False

    def _poll(self, launch: Callable[[ClaimedRun], Any], *, is_last: bool) -> None:
        self._wake.clear()
        began = time.monotonic()
        runs = self.claim()
        if self.agent.is_stopping:
            self._give_back(runs)
            return
        for run in runs:
            self.agent.hand.take(run)
        for run in runs:
            launch(run)
        self._empty = 0 if runs else self._empty + 1
        has_waited = time.monotonic() - began >= UNHURRIED
        if not is_last and (self.agent.max_polls is not None or not (runs or has_waited)):
            self._wake.wait(pause(self._empty))

    def claim(self) -> list[ClaimedRun]:
        """Ask once; trouble is logged and counts as nothing to do."""
        agent = self.agent
        self.polls += 1
        # An agent that asks a given number of times is not to wait; others wait where the work arrives.
        wait = 0.0 if agent.max_polls is not None else self.wait_seconds
        body = {
            "labels": sorted(agent.labels),
            "limit": agent.hand.room(AT_ONCE),
            "wait_seconds": wait,
            "pool": agent.pool,
            "queues": agent.queues,
            "flow_ids": agent.flow_ids,
        }
        path = f"agents/{agent.agent_id}/claim"
        try:
            answer = agent.client._request("POST", path, body=body, timeout=wait + 15.0, retries=0)
        except ObjectNotFoundError:
            agent.logger.warning("The server does not know this agent any more; it is made known again.")
            agent._guarded(agent.register)
            return []
        except Exception as error:
            agent.logger.error("Asking for work failed: %s Trying again in %g s.", error, pause(self._empty + 1))
            # Waiting for the refusal took time, but nobody waited for work in it.
            self._wake.wait(pause(self._empty + 1))
            return []
        self._last = time.monotonic()
        runs = [ClaimedRun.of(one) for one in answer["runs"]]
        self.claimed += len(runs)
        return runs

    def _give_back(self, runs: list[ClaimedRun]) -> None:
        for run in runs:
            body = {"token": run.token, "reschedule": True}
            self.agent._guarded(self.agent.client.post, f"flow_runs/{run.id}/release", body)


def pause(empty: int) -> float:
    """
    Return the seconds before the next poll after *empty* polls without work.

    >>> [pause(number) for number in (0, 1, 2, 99)]
    [0.25, 0.25, 0.5, 10.0]
    """
    return PAUSES[min(max(empty - 1, 0), len(PAUSES) - 1)]
