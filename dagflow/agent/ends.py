"""What an agent tells the server when what executed a run has ended."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagflow.agent.claimed import ClaimedRun
from dagflow.exceptions import ConflictError, ObjectNotFoundError, ServerUnreachableError

if TYPE_CHECKING:
    from dagflow.agent.agent import Agent

__all__ = ["LAST_LINES", "Ends", "describe_exit"]

LAST_LINES = 50
"""How much of a lost run's output goes into its log."""
LONGEST_LINE = 10_000
BETWEEN_TRIES = 5.0
"""Seconds before a server that is away is told again."""


class Ends:
    """Tells of ends, each until the server has heard it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._cancelled: set[tuple[str, int]] = set()
        self._stop = threading.Event()

    def expect_cancelled(self, run: ClaimedRun) -> None:
        """Note that *run* is being ended because it is to be cancelled."""
        self._cancelled.add(run.key)

    def tell(self, run: ClaimedRun, reason: str, lines: Sequence[str] = ()) -> None:
        """
        Tell that what executed *run* is gone, for *reason*; *lines* are the last it printed.

        A run that was finished or given back, and one that others have by now, stays as it is.
        """
        try:
            while not self._told(run, reason, lines):
                self._stop.wait(BETWEEN_TRIES)
        finally:
            self._cancelled.discard(run.key)
            self.agent.hand.drop(run)

    def _told(self, run: ClaimedRun, reason: str, lines: Sequence[str]) -> bool:
        try:
            self._settle(run, reason, lines)
        except ServerUnreachableError as error:
            self.agent.logger.error("%s ended, and the server cannot be told: %s", run, error)
            return False
        except (ConflictError, ObjectNotFoundError) as error:
            self.agent.logger.debug("%s is no longer ours: %s", run, error)
        except Exception as error:
            self.agent.logger.error("Telling that %s ended failed: %s", run, error)
        return True

    def _settle(self, run: ClaimedRun, reason: str, lines: Sequence[str]) -> None:
        now = self.agent.client.get(f"flow_runs/{run.id}")
        if now["run_token"] != run.token or is_finished(now["state"]):
            return
        if run.key in self._cancelled:
            grace = self.agent.cancel_grace
            self.agent.set_state(
                run, "Cancelled", f"Cancelled; it did not react for {grace:g} s and its agent ended it."
            )
        elif now["state"] == "Cancelling":
            # Told to stop from outside, a process gives its run back; cancelled it is all the same.
            self.agent.set_state(run, "Cancelled", f"Cancelled; {reason}")
        elif now["held"]:
            self.agent.logger.error("%s is lost: %s", run, reason)
            log = [line[:LONGEST_LINE] for line in lines[-LAST_LINES:]]
            self.agent.client.post(f"flow_runs/{run.id}/lost", {"token": run.token, "reason": reason, "log": log})


def is_finished(state: str) -> bool:
    """
    Tell whether a run in a state of this name has ended.

    >>> is_finished("TimedOut"), is_finished("Running")
    (True, False)
    """
    from dagflow.engine import state as states

    kind = getattr(states, state, None)
    return isinstance(kind, type) and issubclass(kind, states.Finished)


def describe_exit(what: str, code: int) -> str:
    """
    Return in words how a process ended.

    >>> describe_exit("The process", 3)
    'The process ended with exit code 3 before the run was finished.'
    >>> describe_exit("The process", -9)
    'The process was ended by signal 9 (SIGKILL), as happens when memory runs out, before the run was finished.'
    """
    if code >= 0:
        return f"{what} ended with exit code {code} before the run was finished."
    import signal

    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    hint = ", as happens when memory runs out," if code == -signal.SIGKILL else ""
    return f"{what} was ended by signal {-code}{name}{hint} before the run was finished."
