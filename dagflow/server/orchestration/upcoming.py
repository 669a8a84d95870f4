"""
Which runs a schedule asks for next.

Pure: the schedule and the moments come in, the runs to make go out. The same moment gives the same key, whoever asks,
so a run is made once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.server.clock import at, stamp

if TYPE_CHECKING:
    from dagflow.schedules import Schedule

__all__ = ["PlannedRun", "missing_defaults", "planned_runs"]

MOST_RUNS = 100
"""Runs made ahead at most, however many the schedule has in the time to be covered."""


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """A run that a schedule asks for."""

    start_time: str
    key: str
    parameters: dict[str, Any]
    labels: list[str] | None


def planned_runs(
    schedule: Schedule, now: float, latest: str | None, count: int, ahead: float, source: str = ""
) -> list[PlannedRun]:
    """
    Return the runs to be made: those of the next *ahead* seconds, at least *count* of them and never more than 100.

    Args:
        schedule: the schedule.
        now: seconds since the epoch; what is past is not made up for.
        latest: the start of the latest run that was planned before; events up to it were dealt with, save those with
            parameters or labels of their own, of which several may fall on one moment.
        count: how many runs to plan at least.
        ahead: seconds to plan ahead.
        source: what the schedule belongs to, when a flow has several.
    """
    import pendulum

    runs = []
    for number, event in enumerate(schedule.events(pendulum.from_timestamp(now))):
        start = stamp(event.start_time.timestamp())
        special = bool(event.parameter_defaults) or event.labels is not None
        if latest is None or start > latest or special:
            defaults = dict(event.parameter_defaults or {})
            labels = None if event.labels is None else list(event.labels)
            runs.append(PlannedRun(start, _key(source, start, defaults, labels), defaults, labels))
        # The first one beyond the time to be covered is made too, so that it is seen to be covered.
        if number + 1 >= MOST_RUNS or (number + 1 >= count and at(start) > now + ahead):
            break
    return runs


def _key(source: str, start: str, defaults: Mapping[str, Any], labels: list[str] | None) -> str:
    key = f"auto-scheduled:{source + ':' if source else ''}{start}"
    if not defaults and labels is None:
        return key
    text = json.dumps([defaults, labels], sort_keys=True, default=str)
    return f"{key}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def missing_defaults(
    parameters: list[dict[str, Any]], schedule: Mapping[str, Any] | None, defaults: Mapping[str, Any]
) -> list[str]:
    """
    Return the required parameters that scheduled runs would lack: in no default, and not in every clock's.

    >>> missing_defaults([{"name": "x", "required": True}], {"clocks": [{"parameter_defaults": {"x": 1}}, {}]}, {})
    ['x']
    """
    required = [one["name"] for one in parameters if one.get("required") and one["name"] not in defaults]
    clocks = (schedule or {}).get("clocks") or []
    return sorted(
        name for name in required if not all(name in (clock.get("parameter_defaults") or {}) for clock in clocks)
    )
