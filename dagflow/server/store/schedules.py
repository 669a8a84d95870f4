"""Schedules of flows, groups and deployments, and the runs made for them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import func, or_, select, update

from dagflow.exceptions import PrefectException
from dagflow.schedules.clocks import RRuleClock
from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.database.statements import among
from dagflow.server.errors import Invalid, Refusal
from dagflow.server.orchestration.upcoming import PlannedRun, missing_defaults, planned_runs
from dagflow.server.store import archives, creation, groups, records
from dagflow.utilities.deadline import within

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "activate_if_possible",
    "check_schedule",
    "is_paused",
    "make_planned_runs",
    "plan_many",
    "preview",
    "scheduled_flows",
    "set_active",
    "set_group_schedule",
]

_FLOW, _GROUP, _RUN, _DEPLOYMENT = tables.flow, tables.flow_group, tables.flow_run, tables.deployment


T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Limits:
    """How far ahead runs are made."""

    count: int = 10
    ahead: float = 86_400.0


DEFAULT_LIMITS = Limits()
PLANNING_SECONDS = 2.0
"""How long the next runs of a schedule may take to find; everybody who writes waits meanwhile."""


def check_schedule(document: Any) -> Any:
    """
    Return the schedule that *document* describes.

    Raises:
        Invalid: when it describes none.
    """
    from dagflow.serialization.schedule import deserialize_schedule

    try:
        return deserialize_schedule(document)
    except (*_FAULTS, PrefectException) as error:
        raise Invalid(f"The schedule could not be read: {error}") from error


_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What documents that nobody's client wrote bring about when they are read and followed."""


def _planned(document: Any, now: float, latest: str | None, limits: Limits, source: str) -> list[PlannedRun]:
    """
    Return the runs that a schedule asks for next.

    Raises:
        Invalid: when it cannot be read or followed, or not in time.
    """
    schedule = check_schedule(document)
    return _followed_in_time(schedule, lambda: planned_runs(schedule, now, latest, limits.count, limits.ahead, source))


def preview(document: Any, timezone: str | None, now: float, count: int) -> list[dict[str, Any]]:
    """
    Return the next moments that a schedule would have if it were set now, in UTC and in its own time zone.

    Raises:
        Invalid: when it cannot be read or followed, or not in time.
    """
    schedule = check_schedule(_started_now(document, timezone, now))

    def next_moments() -> list[dict[str, Any]]:
        import pendulum

        events = schedule.events(pendulum.from_timestamp(now))
        return [_moment(event, timezone) for event in itertools.islice(events, count)]

    return _followed_in_time(schedule, next_moments)


def _moment(event: Any, timezone: str | None) -> dict[str, Any]:
    start = event.start_time if timezone is None else event.start_time.in_timezone(timezone)
    return {
        "utc": stamp(start.timestamp()),
        "local": start.isoformat(),
        "timezone": start.timezone_name or timezone or "UTC",
        "parameters": dict(event.parameter_defaults or {}),
        "labels": None if event.labels is None else list(event.labels),
    }


def _followed_in_time(schedule: Any, plan: Callable[[], list[T]]) -> list[T]:
    """
    Return what *plan* finds by following a schedule.

    Raises:
        Invalid: when the schedule cannot be followed, or not in time.
    """
    try:
        # Only recurrence rules, which are dateutil's, may look for a next moment without end.
        has_rules = any(isinstance(clock, RRuleClock) for clock in schedule.clocks)
        return within(PLANNING_SECONDS, plan) if has_rules else plan()
    except TimeoutError as error:
        raise Invalid(
            f"The schedule could not be followed: its next moments were not found within {PLANNING_SECONDS:g} s. "
            "A recurrence rule counts from its dtstart: give it a later one, or a rule that comes true more often."
        ) from error
    except _FAULTS as error:
        raise Invalid(f"The schedule could not be followed: {type(error).__name__}: {error}") from error


def set_group_schedule(tx: Tx, id: str, document: Any, timezone: str | None, limits: Limits) -> dict[str, Any]:
    """Give a group a schedule of its own, ``None`` for that of its flow, and make its runs anew."""
    group = groups.get_group(tx.connection, id)
    if document is not None:
        document = _started_now(document, timezone, tx.now)
        check_schedule(document)
    records.change(tx, _GROUP, group["id"], schedule=document, schedule_problem=None)
    archives.delete_planned_runs(tx, _RUN.c.flow_group_id == group["id"], _RUN.c.deployment_id.is_(None))
    live = groups.live_version(tx.connection, group["id"])
    if live is not None and not is_paused(live, group):
        activate_if_possible(tx, live["id"], limits)
    return groups.get_group(tx.connection, group["id"])


def is_paused(flow: dict[str, Any], group: dict[str, Any]) -> bool:
    """Tell whether somebody wants the schedule of a version not to be followed, though there is one that could be."""
    has_one = (group["schedule"] or flow["schedule"]) is not None
    return has_one and not flow["is_schedule_active"] and group["schedule_problem"] is None


def _started_now(document: Any, timezone: str | None, now: float) -> Any:
    """Let every clock that has no start begin now, in the time zone that was asked for."""
    import pendulum

    if not isinstance(document, dict) or not isinstance(document.get("clocks"), list):
        raise Invalid("A schedule has a list of clocks.")
    try:
        moment = pendulum.from_timestamp(now, tz=timezone or "UTC")
    except Exception as error:
        raise Invalid(f"There is no time zone {timezone!r}.") from error
    start = {"dt": moment.naive().isoformat(), "tz": timezone or "UTC"}
    clocks = []
    for clock in document["clocks"]:
        if not isinstance(clock, dict):
            raise Invalid(f"A clock of a schedule is a document with a type, found {clock!r}.")
        clocks.append(clock if clock.get("start_date") and timezone is None else clock | {"start_date": start})
    return {"type": "Schedule", **document, "clocks": clocks}


def activate_if_possible(tx: Tx, flow_id: str, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Follow the schedule of a version; a problem is kept with the group instead of raised."""
    try:
        return set_active(tx, flow_id, True, limits)
    except Refusal as problem:
        set_active(tx, flow_id, False, limits)
        note_problem(tx, flow_id, problem.message)
        return False


def set_active(tx: Tx, flow_id: str, active: bool, limits: Limits = DEFAULT_LIMITS) -> bool:
    """
    Follow the schedule of a version, or no longer; return whether it is followed now.

    Raises:
        Invalid: when its runs would lack a required parameter.
    """
    flow = records.fetch(tx.connection, _FLOW, flow_id)
    if not active:
        records.change(tx, _FLOW, flow_id, is_schedule_active=False)
        records.change(tx, _GROUP, flow["flow_group_id"], schedule_problem=None)
        archives.delete_planned_runs(tx, _RUN.c.flow_id == flow_id, _RUN.c.deployment_id.is_(None))
        return False
    group = records.fetch(tx.connection, _GROUP, flow["flow_group_id"])
    schedule = group["schedule"] or flow["schedule"]
    if schedule is None:
        return False
    _refuse_missing(flow["name"], flow["parameters"], schedule, group["default_parameters"])
    records.change(tx, _FLOW, flow_id, is_schedule_active=True)
    records.change(tx, _GROUP, group["id"], schedule_problem=None)
    make_planned_runs(tx, flow_id, limits)
    return True


def _refuse_missing(name: str, parameters: Any, schedule: Any, defaults: Any) -> None:
    lacking = missing_defaults(parameters or [], schedule, defaults or {})
    if lacking:
        raise Invalid(
            f"Runs that the schedule of flow {name!r} makes would lack the required parameters {', '.join(lacking)}. "
            "Give every clock parameter_defaults with them, or give the flow group default parameters."
        )


# --- making runs -----------------------------------------------------------------------------------------------


def scheduled_flows(connection: Any) -> list[str]:
    """Return the live versions that have a schedule to be followed, their own or a deployment's."""
    deployed = (
        select(_DEPLOYMENT.c.id)
        .where(
            _DEPLOYMENT.c.flow_group_id == _FLOW.c.flow_group_id,
            _DEPLOYMENT.c.schedule.is_not(None),
            _DEPLOYMENT.c.is_schedule_active.is_(True),
        )
        .exists()
    )
    found = select(_FLOW.c.id).where(_FLOW.c.archived.is_(False), or_(_FLOW.c.is_schedule_active.is_(True), deployed))
    return list(connection.execute(found).scalars())


_LIVE_FLOWS = select(*records.light_columns(_FLOW)).where(among(_FLOW.c.id, "flow_ids"), _FLOW.c.archived.is_(False))
_GROUPS = select(_GROUP).where(among(_GROUP.c.id, "group_ids"))
_DEPLOYED = select(_DEPLOYMENT).where(
    among(_DEPLOYMENT.c.flow_group_id, "group_ids"),
    _DEPLOYMENT.c.schedule.is_not(None),
    _DEPLOYMENT.c.is_schedule_active.is_(True),
)
_LATEST = (
    select(_RUN.c.flow_id, _RUN.c.deployment_id, func.max(_RUN.c.scheduled_start_time))
    .where(among(_RUN.c.flow_id, "flow_ids"), _RUN.c.auto_scheduled.is_(True))
    .group_by(_RUN.c.flow_id, _RUN.c.deployment_id)
)
_KEYS = select(_RUN.c.flow_id, _RUN.c.idempotency_key).where(
    among(_RUN.c.flow_id, "flow_ids"), among(_RUN.c.idempotency_key, "keys")
)


def make_planned_runs(tx: Tx, flow_id: str, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """Make the runs that the schedules of a live version ask for next; return the ids of new ones."""
    outcome = plan_many(tx, [flow_id], limits)[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def plan_many(tx: Tx, flow_ids: Sequence[str], limits: Limits) -> list[list[str] | Exception]:
    """
    Make the runs that the schedules of live versions ask for next; return, for each, the ids of new ones.

    A schedule that cannot be followed has the reason in place of ids, and keeps nobody else's runs from being made.
    """
    flows = [records.record(row) for row in tx.execute(_LIVE_FLOWS, {"flow_ids": flow_ids})]
    latest = {
        (flow_id, deployment_id): start
        for flow_id, deployment_id, start in tx.execute(_LATEST, {"flow_ids": flow_ids})
    }
    outcomes: dict[str, list[str] | Exception] = {}
    plans: list[tuple[creation.Setting, list[PlannedRun]]] = []
    for setting, schedule in _followed(tx, flows):
        flow_id, deployment_id = setting.flow["id"], setting.deployment and setting.deployment["id"]
        try:
            plan = _planned(schedule, tx.now, latest.get((flow_id, deployment_id)), limits, deployment_id or "")
        except Exception as error:
            outcomes[flow_id] = error
        else:
            plans.append((setting, plan))
    rows = _rows(tx, [(setting, plan) for setting, plan in plans if setting.flow["id"] not in outcomes], outcomes)
    creation.insert_runs(tx, [row for some in rows.values() for row in some])
    made = {flow_id: [row["id"] for row in some] for flow_id, some in rows.items()}
    return [outcomes.get(flow_id) or made.get(flow_id, []) for flow_id in flow_ids]


def _followed(tx: Tx, flows: list[dict[str, Any]]) -> Iterator[tuple[creation.Setting, Any]]:
    """Yield the schedules to be followed, with what their runs take settings from."""
    ids = {"group_ids": [flow["flow_group_id"] for flow in flows]}
    of_id = {row.id: records.record(row) for row in tx.execute(_GROUPS, ids)}
    deployed: dict[str, list[dict[str, Any]]] = {}
    for row in tx.execute(_DEPLOYED, ids):
        deployed.setdefault(row.flow_group_id, []).append(records.record(row))
    for flow in flows:
        group = of_id[flow["flow_group_id"]]
        own = group["schedule"] or flow["schedule"]
        if own is not None and flow["is_schedule_active"]:
            yield creation.Setting(flow, group, None), own
        for deployment in deployed.get(group["id"], ()):
            yield creation.Setting(flow, group, deployment), deployment["schedule"]


def _rows(
    tx: Tx, plans: list[tuple[creation.Setting, list[PlannedRun]]], problems: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of runs that are not there yet, by flow; *problems* learns why a flow's cannot be made."""
    keys = {one.key for _, plan in plans for one in plan}
    ids = {setting.flow["id"] for setting, _ in plans}
    there = {tuple(row) for row in tx.execute(_KEYS, {"flow_ids": ids, "keys": keys})}
    rows: dict[str, list[dict[str, Any]]] = {}
    for setting, plan in plans:
        flow_id = setting.flow["id"]
        try:
            new = creation.planned_rows(tx, setting, [one for one in plan if (flow_id, one.key) not in there])
        except Exception as error:
            problems[flow_id] = error
        else:
            rows.setdefault(flow_id, []).extend(new)
    return {flow_id: some for flow_id, some in rows.items() if flow_id not in problems}


def note_problem(tx: Tx, flow_id: str, problem: str | None) -> None:
    """Keep why the schedule of a version cannot be followed, for people to see."""
    group = select(_FLOW.c.flow_group_id).where(_FLOW.c.id == flow_id).scalar_subquery()
    tx.execute(update(_GROUP).where(_GROUP.c.id == group).values(schedule_problem=problem, updated=stamp(tx.now)))
