"""
What a run's history says about how its time went: attempts of a flow run, spans of its tasks.

Pure: histories come in as lists of states, in order, each with ``state``, ``timestamp`` and perhaps ``message``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from dagflow.server.orchestration.kinds import BEGUN, FINISHED

__all__ = ["attempts_in", "spans_in"]

QUEUED = frozenset({"Submitted", "Queued"})
WAITING = frozenset({"Scheduled", "Retrying", "Paused", "Resume"})

_AGAIN = frozenset({"Scheduled", "Pending", "Submitted", "Resume"})
"""States in which a run that had begun is taken up anew."""


def attempts_in(states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the attempts of a flow run: each begins when it runs, and ends when the run ends or is taken up again.

    >>> history = [{"state": one, "timestamp": str(at)} for at, one in enumerate(["Running", "Failed", "Running"])]
    >>> [(one["number"], one["start"], one["end"]) for one in attempts_in(history)]
    [(1, '0', '1'), (2, '2', None)]
    """
    found: list[dict[str, Any]] = []
    for one in states:
        going = bool(found) and found[-1]["end"] is None
        if one["state"] == "Running" and not going:
            found.append({"number": len(found) + 1, "start": one["timestamp"], "end": None})
        elif going and (one["state"] in FINISHED or one["state"] in _AGAIN):
            found[-1]["end"] = one["timestamp"]
    return found


def spans_in(states: Sequence[dict[str, Any]], attempts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the spans in which a task run was queued, ran or waited, with the state that each led to.

    >>> history = [{"state": one, "timestamp": str(at)} for at, one in enumerate(["Running", "Retrying", "Running"])]
    >>> [(one["kind"], one["start"], one["end"], one["state"]) for one in spans_in(history, [])]
    [('running', '0', '1', 'Retrying'), ('waiting', '1', '2', 'Running'), ('running', '2', None, 'Running')]
    """
    found: list[dict[str, Any]] = []
    for place, one in enumerate(states):
        kind = _kind(one["state"])
        if kind is None:
            continue
        following = states[place + 1] if place + 1 < len(states) else None
        end = None if following is None else following["timestamp"]
        state = one["state"] if following is None else following["state"]
        before = found[-1] if found else None
        # What goes on under another name, or was said twice, is one span.
        if before is not None and before["kind"] == kind and before["end"] == one["timestamp"]:
            before["end"], before["state"] = end, state
        else:
            found.append(span(kind, one["timestamp"], end, state, attempts))
    return found


def span(kind: str, start: str, end: str | None, state: str, attempts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a span, with the attempt that it falls into."""
    number = bisect_right([one["start"] for one in attempts], start)
    return {"kind": kind, "start": start, "end": end, "attempt": max(1, number), "state": state}


def _kind(state: str) -> str | None:
    if state in BEGUN:
        return "running"
    if state in QUEUED:
        return "queued"
    return "waiting" if state in WAITING else None
