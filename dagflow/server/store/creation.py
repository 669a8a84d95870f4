"""New flow runs: asked for by somebody, or planned by a schedule."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, insert, select

from dagflow.exceptions import near_match
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Conflict, Invalid, NotFound
from dagflow.server.orchestration.documents import state_document
from dagflow.server.orchestration.names import run_name
from dagflow.server.orchestration.upcoming import PlannedRun
from dagflow.server.store import groups, records
from dagflow.server.text import dumped
from dagflow.utilities.identities import new_id

__all__ = ["Setting", "WantedRun", "create_flow_run", "insert_runs", "planned_rows"]

_FLOW, _GROUP, _RUN, _DEPLOYMENT = tables.flow, tables.flow_group, tables.flow_run, tables.deployment

_RUN_OF_ID = select(_RUN).where(_RUN.c.id == bindparam("id"))
_RUN_OF_KEY = select(_RUN).where(_RUN.c.flow_id == bindparam("flow_id"), _RUN.c.idempotency_key == bindparam("key"))
_INSERT_RUN, _INSERT_STATE = insert(_RUN), insert(tables.flow_run_state)


@dataclasses.dataclass
class WantedRun:
    """A run that somebody asks for; what is ``None`` follows from the deployment, the group and the version."""

    id: str | None = None
    flow_id: str | None = None
    version_group_id: str | None = None
    deployment_id: str | None = None
    parameters: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    run_config: dict[str, Any] | None = None
    labels: list[str] | None = None
    scheduled_start_time: str | None = None
    idempotency_key: str | None = None
    name: str | None = None
    parent_task_run_id: str | None = None
    agentless: bool = False


@dataclasses.dataclass
class Setting:
    """What a run takes its settings from: the version, its group, and a deployment."""

    flow: dict[str, Any]
    group: dict[str, Any]
    deployment: dict[str, Any] | None


def create_flow_run(tx: Tx, wanted: WantedRun) -> dict[str, Any]:
    """Create a run, or return the one that the same request, or one with the same idempotency key, created before."""
    if wanted.id is not None:
        before = tx.execute(_RUN_OF_ID, {"id": wanted.id}).first()
        if before is not None:
            return _answer(records.record(before), created=False)
    setting = _setting(tx, wanted)
    flow = setting.flow
    if flow["archived"]:
        raise _archived(tx, flow)
    if wanted.idempotency_key is not None:
        repeated = _repeated(tx, flow["id"], wanted)
        if repeated is not None:
            return repeated
    parameters = _parameters(setting, wanted.parameters or {})
    row = _row(tx, setting, wanted, parameters)
    insert_runs(tx, [row])
    return _answer(records.with_documents(dict(row)), created=True)


def _setting(tx: Tx, wanted: WantedRun) -> Setting:
    deployment = None
    flow: dict[str, Any] | None
    if wanted.deployment_id is not None:
        row = tx.execute(select(_DEPLOYMENT).where(_DEPLOYMENT.c.id == wanted.deployment_id)).first()
        deployment = None if row is None else records.record(row)
        # The default deployment of a group is the group itself.
        group_id = wanted.deployment_id if deployment is None else deployment["flow_group_id"]
        records.fetch(tx.connection, _GROUP, group_id, "deployment")
        flow = groups.live_version(tx.connection, group_id)
        if flow is None:
            raise NotFound(f"All versions of the flow of deployment {wanted.deployment_id!r} are archived.")
    elif wanted.flow_id is not None:
        flow = records.fetch(tx.connection, _FLOW, wanted.flow_id)
    elif wanted.version_group_id is not None:
        group = groups.get_group(tx.connection, wanted.version_group_id)
        flow = groups.live_version(tx.connection, group["id"])
        if flow is None:
            raise NotFound(f"All versions in the group {wanted.version_group_id!r} are archived.")
    else:
        raise Invalid("A run needs flow_id, version_group_id or deployment_id.")
    group = records.fetch(tx.connection, _GROUP, flow["flow_group_id"])
    return Setting(flow, group, deployment)


def _archived(tx: Tx, flow: dict[str, Any]) -> Conflict:
    live = groups.live_version(tx.connection, flow["flow_group_id"])
    hint = (
        f"The live version is {live['version']}, with id {live['id']}."
        if live is not None
        else "All its versions are archived: unarchive one, or register the flow again."
    )
    return Conflict(
        f"Version {flow['version']} of flow {flow['name']!r} is archived and cannot be run. {hint}",
        detail={"live_flow_id": live["id"] if live else None},
    )


def _repeated(tx: Tx, flow_id: str, wanted: WantedRun) -> dict[str, Any] | None:
    """Return the answer of the first request with the same key."""
    row = tx.execute(_RUN_OF_KEY, {"flow_id": flow_id, "key": wanted.idempotency_key}).first()
    if row is None:
        return None
    run = records.record(row)
    asked = wanted.parameters or {}
    if any(run["parameters"].get(name) != value for name, value in asked.items()):
        raise Conflict(
            f"Run {run['name']!r} ({run['id']}) has the idempotency key {wanted.idempotency_key!r} already, with other "
            "parameters. Use another key for another run.",
            detail={"id": run["id"], "parameters": run["parameters"]},
        )
    return _answer(run, created=False)


def _parameters(setting: Setting, given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all parameters: defaults of the flow, the group, the deployment, then what was given."""
    known = {one["name"]: one for one in setting.flow["parameters"] or []}
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise Invalid(
            f"Flow {setting.flow['name']!r} has no parameter {unknown[0]!r}.{near_match(unknown[0], known)} "
            f"Parameters: {names}.",
            detail={"unknown": unknown},
        )
    values = {name: one.get("default") for name, one in known.items() if not one.get("required")}
    for source in (setting.group["default_parameters"], setting.deployment and setting.deployment["parameters"], given):
        values.update({name: value for name, value in (source or {}).items() if name in known})
    missing = sorted(name for name in known if name not in values)
    if missing:
        raise Invalid(
            f"Flow {setting.flow['name']!r} needs a value for the parameter{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}.",
            detail={"missing": missing},
        )
    _check_values(known, values)
    return values


def _check_values(known: dict[str, dict[str, Any]], values: dict[str, Any]) -> None:
    """Refuse values that do not fit what the flow says of its parameters."""
    if not any("schema" in one for one in known.values()):
        return
    from dagflow.serialization.schemas import problems

    found = {name: problems(known[name]["schema"], value) for name, value in values.items() if "schema" in known[name]}
    wrong = {name: texts for name, texts in found.items() if texts}
    if wrong:
        lines = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in sorted(wrong.items()))
        raise Invalid(f"Parameters have wrong values: {lines}.", detail={"parameters": wrong})


def _row(tx: Tx, setting: Setting, wanted: WantedRun, parameters: dict[str, Any]) -> dict[str, Any]:
    from dagflow.server.orchestration.rules import moment

    try:
        start = moment(wanted.scheduled_start_time) or tx.stamp
    except (ValueError, OverflowError) as error:
        raise Invalid(f"scheduled_start_time {wanted.scheduled_start_time!r} is no moment.") from error
    deployment = setting.deployment
    return _values(
        tx,
        setting,
        id=wanted.id or new_id(),
        name=wanted.name or run_name(),
        parameters=dumped(parameters),
        context=dumped(wanted.context or {}),
        labels=_labels(setting, wanted.labels, wanted.run_config, wanted.agentless),
        run_config=None if wanted.run_config is None else dumped(wanted.run_config),
        start=start,
        deployment_id=None if deployment is None else deployment["id"],
        idempotency_key=wanted.idempotency_key,
        parent_task_run_id=wanted.parent_task_run_id,
        agentless=wanted.agentless,
        auto_scheduled=False,
    )


def _labels(
    setting: Setting, labels: list[str] | None, run_config: dict[str, Any] | None, agentless: bool = False
) -> str:
    """Return the labels of a run: the first that somebody has set, an empty list being one."""
    group, deployment = setting.group, setting.deployment
    choices = (
        labels,
        (run_config or {}).get("labels"),
        deployment and deployment["labels"],
        deployment and (deployment["run_config"] or {}).get("labels"),
        group["labels"],
        (group["run_config"] or {}).get("labels"),
        (setting.flow["run_config"] or {}).get("labels"),
    )
    chosen = next((one for one in choices if one is not None), [])
    if deployment and deployment["pool"]:
        chosen = [*chosen, f"pool:{deployment['pool']}"]
    if agentless:
        chosen = [*chosen, f"agentless-run-{uuid.uuid4().hex[:8]}"]
    return dumped(sorted({str(one) for one in chosen}))


def _values(tx: Tx, setting: Setting, *, start: str, **values: Any) -> dict[str, Any]:
    """Return the row of a new run, Scheduled for *start*."""
    deployment = setting.deployment
    state = dumped(state_document("Scheduled", "Flow run scheduled.", start_time=start))
    return {
        "created": tx.stamp,
        "updated": tx.stamp,
        "flow_id": setting.flow["id"],
        "flow_group_id": setting.flow["flow_group_id"],
        "pool": deployment and deployment["pool"],
        "queue": deployment and deployment["pool"] and (deployment["queue"] or "default"),
        "scheduled_start_time": start,
        "version": 1,
        "state": "Scheduled",
        "state_id": new_id(),
        "state_message": "Flow run scheduled.",
        "state_timestamp": tx.stamp,
        "state_start_time": start,
        "serialized_state": state,
        **values,
    }


def insert_runs(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Let runs be, each with the state that it begins in."""
    if not rows:
        return
    tx.execute(_INSERT_RUN, rows)
    history = [
        {
            "id": row["state_id"],
            "run_id": row["id"],
            "version": 1,
            "state": "Scheduled",
            "timestamp": tx.stamp,
            "message": row["state_message"],
            "start_time": row["state_start_time"],
            "serialized_state": row["serialized_state"],
        }
        for row in rows
    ]
    tx.execute(_INSERT_STATE, history)
    tx.news += [("flow_run", row["id"], "Scheduled") for row in rows]


def _answer(run: dict[str, Any], *, created: bool) -> dict[str, Any]:
    return {
        "id": run["id"],
        "name": run["name"],
        "created": created,
        "labels": run["labels"],
        "parameters": run["parameters"],
        "warning": None,
    }


# --- schedules -------------------------------------------------------------------------------------------------


def planned_rows(tx: Tx, setting: Setting, plan: Iterable[PlannedRun]) -> list[dict[str, Any]]:
    """Return the rows of runs that a schedule asks for."""
    return [
        _values(
            tx,
            setting,
            id=new_id(),
            name=run_name(),
            parameters=dumped(_planned_parameters(setting, one.parameters)),
            context="{}",
            labels=_labels(setting, one.labels, None),
            run_config=None,
            start=one.start_time,
            deployment_id=setting.deployment and setting.deployment["id"],
            idempotency_key=one.key,
            auto_scheduled=True,
            agentless=False,
        )
        for one in plan
    ]


def _planned_parameters(setting: Setting, defaults: dict[str, Any]) -> dict[str, Any]:
    known = {one["name"] for one in setting.flow["parameters"] or []}
    return _parameters(setting, {name: value for name, value in defaults.items() if name in known})
