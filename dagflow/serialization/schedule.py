"""
Schedules as documents: clocks with their settings, filters and adjustments by name.

Only the filters and adjustments of dagflow can be written: a server must be able to apply them, and it runs no code of
its users. Dates keep the name of their time zone, because a daily clock follows it over daylight saving.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION, read_zoned, zoned
from dagflow.serialization.rrule import read_rule, written_rule

if TYPE_CHECKING:
    from dagflow.schedules import Schedule
    from dagflow.serialization.models import ClockDocument, ScheduleDocument

__all__ = ["deserialize_schedule", "serialize_schedule"]

SHORTEST_INTERVAL = datetime.timedelta(minutes=1)
"""A server plans runs ahead; shorter beats would flood it."""
HOMES = {"filters": "dagflow.schedules.filters", "adjustments": "dagflow.schedules.adjustments"}


def serialize_schedule(schedule: Schedule) -> dict[str, Any]:
    """
    Return *schedule* as JSON-ready data.

    Raises:
        ValueError: for an interval under a minute, a clock, filter or adjustment that is not one of dagflow's, and
            parameter defaults that are not JSON.

    >>> from dagflow.schedules import CronSchedule
    >>> serialize_schedule(CronSchedule("0 9 * * *"))["clocks"][0]["cron"]
    '0 9 * * *'
    """
    return {
        "type": "Schedule",
        "clocks": [_clock(clock) for clock in schedule.clocks],
        "filters": [_named(one, "filters") for one in schedule.filters],
        "or_filters": [_named(one, "filters") for one in schedule.or_filters],
        "not_filters": [_named(one, "filters") for one in schedule.not_filters],
        "adjustments": [_named(one, "adjustments") for one in schedule.adjustments],
        "__version__": VERSION,
    }


def _interval(clock: Any) -> dict[str, Any]:
    return {"interval": _long_enough(clock.interval).total_seconds()}


def _long_enough(interval: datetime.timedelta) -> datetime.timedelta:
    if interval < SHORTEST_INTERVAL:
        raise ValueError(
            f"An IntervalClock that goes off every {interval.total_seconds():g} s cannot be sent to a server; "
            "the shortest interval there is a minute. Shorter ones work with flow.run() only."
        )
    return interval


_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "IntervalClock": _interval,
    "CronClock": lambda clock: {"cron": clock.cron, "day_or": clock.day_or},
    "DatesClock": lambda clock: {"dates": [zoned(date) for date in clock.dates]},
    "RRuleClock": lambda clock: {"rrule": written_rule(clock.rrule_obj)},
}


def _clock(clock: Any) -> dict[str, Any]:
    from dagflow.schedules import clocks

    kind = type(clock).__name__
    if kind not in _WRITERS or type(clock) is not getattr(clocks, kind):
        raise ValueError(
            f"A clock of type {kind} cannot be sent to a server, which runs no code of its users; "
            f"expected one of {', '.join(_WRITERS)}."
        )
    return {
        "type": kind,
        **_WRITERS[kind](clock),
        "start_date": zoned(clock.start_date),
        "end_date": zoned(clock.end_date),
        "parameter_defaults": _json_defaults(clock),
        "labels": None if clock.labels is None else sorted(clock.labels),
        "__version__": VERSION,
    }


def _json_defaults(clock: Any) -> dict[str, Any]:
    try:
        json.dumps(clock.parameter_defaults, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The parameter_defaults of a {type(clock).__name__} cannot be written as JSON: {error}. "
            "Use text, numbers, lists and dicts."
        ) from error
    return dict(clock.parameter_defaults)


def _named(one: Any, kind: str) -> dict[str, Any]:
    """Describe one of dagflow's filters or adjustments by its name and arguments."""
    arguments = getattr(one, "arguments", None)
    maker = type(one) if callable(arguments) else one
    name = getattr(maker, "__name__", "")
    if getattr(maker, "__module__", None) != HOMES[kind] or name not in _offered(kind):
        raise ValueError(
            f"{one!r} in the schedule's {kind} cannot be sent to a server, which runs no code of its users; "
            f"expected one of {HOMES[kind]}: {', '.join(_offered(kind))}."
        )
    given = arguments() if callable(arguments) else {}
    return {"fn": f"{HOMES[kind]}.{name}", "kwargs": {key: _tagged(value) for key, value in given.items()}}


def _offered(kind: str) -> list[str]:
    from dagflow import schedules

    names: list[str] = getattr(schedules, kind).__all__
    return names


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return zoned(value)
    if isinstance(value, datetime.time):
        return {"time": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"seconds": value.total_seconds()}
    return value


def _untagged(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "time" in value:
        return datetime.time.fromisoformat(value["time"])
    if "seconds" in value:
        return datetime.timedelta(seconds=value["seconds"])
    return read_zoned(value)


# --- reading -------------------------------------------------------------------------------------------------


def deserialize_schedule(data: Mapping[str, Any]) -> Schedule:
    """
    Make a schedule from what :func:`serialize_schedule` returned.

    Raises:
        ValueError: naming what is unknown or malformed.
    """
    from dagflow.schedules import Schedule
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import ScheduleDocument

    document: ScheduleDocument = checked(ScheduleDocument, data, "schedule")
    return Schedule(
        clocks=[_read_clock(one) for one in document.clocks],
        filters=[_read_named(one, "filters") for one in document.filters],
        or_filters=[_read_named(one, "filters") for one in document.or_filters],
        not_filters=[_read_named(one, "filters") for one in document.not_filters],
        adjustments=[_read_named(one, "adjustments") for one in document.adjustments],
    )


def _read_clock(document: ClockDocument) -> Any:
    from dagflow.schedules import clocks

    if document.type not in _WRITERS:
        raise ValueError(f"Unknown clock type {document.type!r}; expected one of {', '.join(_WRITERS)}.")
    kind = getattr(clocks, document.type)
    common = {"parameter_defaults": document.parameter_defaults, "labels": document.labels}
    extra = document.model_extra or {}
    try:
        if document.type == "DatesClock":
            return kind([read_zoned(date) for date in extra["dates"]], **common)
        for name in ("start_date", "end_date"):
            date = getattr(document, name)
            common[name] = None if date is None else read_zoned(date.model_dump())
        if document.type == "IntervalClock":
            return kind(_long_enough(datetime.timedelta(seconds=extra["interval"])), **common)
        if document.type == "CronClock":
            return kind(extra["cron"], day_or=extra.get("day_or"), **common)
        return kind(read_rule(extra["rrule"]), **common)
    except KeyError as error:
        raise ValueError(f"A serialized {document.type} lacks the field {error.args[0]!r}.") from error


def _read_named(document: Any, kind: str) -> Any:
    from dagflow import schedules

    home, _, name = document.fn.rpartition(".")
    if home != HOMES[kind] or name not in _offered(kind):
        raise ValueError(f"Unknown schedule function {document.fn!r}; expected one of {HOMES[kind]}.")
    found = getattr(getattr(schedules, kind), name)
    # Arguments go by place: some names would hide modules inside the functions and differ there.
    return found(*map(_untagged, document.kwargs.values())) if isinstance(found, type) else found
