"""Versions of flows, their groups, their tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from dagflow.serialization.models import RunConfigDocument
from dagflow.server.api.answers import Answer, Body, Here, Paged, given, router
from dagflow.server.database import tables
from dagflow.server.store import archives, groups, records, registration, schedules
from dagflow.server.store import flows as store

flows = router("/flows", "flows")
tasks = router("/tasks", "flows")
flow_groups = router("/flow_groups", "flow groups")


class Registration(Body):
    """A flow to be registered."""

    flow: dict[str, Any]
    project_name: str | None = None
    project_id: str | None = None
    version_group_id: str | None = Field(default=None, min_length=1, max_length=500)
    set_schedule_active: bool | None = None
    idempotency_key: str | None = Field(default=None, max_length=500)
    serialized_hash: str | None = Field(default=None, max_length=64)


class Active(Body):
    """Whether a schedule is followed."""

    active: bool


class Planning(Body):
    """How many runs to make."""

    max_runs: int = Field(default=10, ge=1, le=100)


class GroupSchedule(Body):
    """A schedule for a group; ``null`` for that of its flow."""

    schedule: dict[str, Any] | None
    timezone: str | None = None


class Labels(Body):
    """Labels; ``null`` for those of the run config."""

    labels: list[str] | None


class Parameters(Body):
    """Values of parameters."""

    parameters: dict[str, Any]


class RunConfig(Body):
    """A run config; ``null`` for that of the flow."""

    run_config: RunConfigDocument | None


class GroupChanges(Body):
    """What is to change on a group."""

    description: str | None = None
    tags: list[str] = []


class Move(Body):
    """Where to."""

    project_id: str


@flows.post("/register")
async def register(body: Registration, here: Here) -> Answer:
    """Register a new version of a flow, whole or not at all."""
    await asyncio.to_thread(registration.check_flow, body.flow)
    return Answer(
        await here.write(
            lambda tx: registration.register(
                tx,
                body.flow,
                body.project_id,
                body.project_name,
                body.version_group_id,
                body.set_schedule_active,
                body.idempotency_key,
                body.serialized_hash,
                here.limits,
            )
        )
    )


@flows.get("")
async def list_all(
    here: Here,
    page: Paged,
    name: str | None = None,
    project_id: str | None = None,
    project_name: str | None = None,
    version: int | None = None,
    archived: bool | None = None,
    flow_group_id: str | None = None,
    version_group_id: str | None = None,
    latest: bool = False,
) -> Answer:
    """Return versions of flows, newest first."""
    wanted = {
        "name": name,
        "project_id": project_id,
        "project_name": project_name,
        "version": version if version is None or abs(version) < 2**31 else -1,
        "archived": archived,
        "flow_group_id": flow_group_id,
        "version_group_id": version_group_id,
    }
    return Answer(await here.read(lambda connection: store.list_flows(connection, page, wanted, latest=latest)))


@flows.get("/{id}")
async def get_one(id: str, here: Here) -> Answer:
    """Return a version with the whole description of the flow."""
    return Answer(await here.read(lambda connection: store.get_flow(connection, id)))


@flows.delete("/{id}")
async def delete(id: str, here: Here) -> Answer:
    """Delete a version with its runs."""
    await here.write(lambda tx: store.delete_flow(tx, id))
    return Answer({"deleted": True})


@flows.get("/{id}/tasks")
async def tasks_of(id: str, here: Here) -> Answer:
    """Return all tasks of a version."""
    return Answer({"items": await here.read(lambda connection: store.tasks_of_flow(connection, id)), "cursor": None})


@flows.get("/{id}/edges")
async def edges_of(id: str, here: Here) -> Answer:
    """Return all edges of a version."""
    return Answer({"items": await here.read(lambda connection: store.list_edges(connection, id)), "cursor": None})


@flows.post("/{id}/archive")
async def archive(id: str, here: Here) -> Answer:
    """Archive a version: it can be run no more."""
    return Answer(await here.write(lambda tx: archives.archive(tx, id)))


@flows.post("/{id}/unarchive")
async def unarchive(id: str, here: Here) -> Answer:
    """Let a version be live again."""

    def do(tx: Any) -> None:
        archives.unarchive(tx, id)
        if records.fetch(tx.connection, tables.flow, id)["is_schedule_active"]:
            schedules.activate_if_possible(tx, id, here.limits)

    await here.write(do)
    return Answer({"archived": False})


@flows.post("/{id}/schedule_active")
async def schedule_active(id: str, body: Active, here: Here) -> Answer:
    """Follow the schedule of a version, or no longer."""
    active = await here.write(lambda tx: schedules.set_active(tx, id, body.active, here.limits))
    return Answer({"active": active})


@flows.post("/{id}/schedule_runs")
async def schedule_runs(id: str, body: Planning, here: Here) -> Answer:
    """Make the runs that the schedule asks for next."""
    limits = schedules.Limits(body.max_runs, 0.0)
    return Answer({"ids": await here.write(lambda tx: schedules.make_planned_runs(tx, id, limits))})


@tasks.get("")
async def list_tasks(
    here: Here,
    page: Paged,
    name: str | None = None,
    flow_name: str | None = None,
    flow_version: int | None = None,
    project_name: str | None = None,
    slug: str | None = None,
) -> Answer:
    """Return tasks of all versions."""
    wanted = {
        "name": name,
        "flow_name": flow_name,
        "flow_version": flow_version if flow_version is None or abs(flow_version) < 2**31 else -1,
        "project_name": project_name,
        "slug": slug,
    }
    return Answer(await here.read(lambda connection: store.list_tasks(connection, page, wanted)))


@tasks.get("/{id}")
async def get_task(id: str, here: Here) -> Answer:
    """Return a task."""
    return Answer(await here.read(lambda connection: store.get_task(connection, id)))


# --- groups ----------------------------------------------------------------------------------------------------


@flow_groups.get("")
async def list_groups(here: Here, page: Paged, project_id: str | None = None) -> Answer:
    """Return groups of versions."""
    return Answer(await here.read(lambda connection: groups.list_groups(connection, page, project_id)))


@flow_groups.get("/{id}")
async def get_group(id: str, here: Here) -> Answer:
    """Return the group with the given id or name."""
    return Answer(await here.read(lambda connection: groups.get_group(connection, id)))


@flow_groups.patch("/{id}")
async def change_group(id: str, body: GroupChanges, here: Here) -> Answer:
    """Change description or tags of a group."""
    return await _changed(here, id, **given(body))


@flow_groups.delete("/{id}")
async def delete_group(id: str, here: Here) -> Answer:
    """Delete a group with its versions and all their runs."""
    await here.write(lambda tx: groups.delete_group(tx, id))
    return Answer({"deleted": True})


@flow_groups.post("/{id}/schedule")
async def set_schedule(id: str, body: GroupSchedule, here: Here) -> Answer:
    """Give a group a schedule of its own."""
    return Answer(
        await here.write(lambda tx: schedules.set_group_schedule(tx, id, body.schedule, body.timezone, here.limits))
    )


@flow_groups.post("/{id}/labels")
async def set_labels(id: str, body: Labels, here: Here) -> Answer:
    """Give the runs of a group labels."""
    labels = None if body.labels is None else sorted(set(body.labels))
    return await _changed(here, id, labels=labels)


@flow_groups.post("/{id}/parameters")
async def set_parameters(id: str, body: Parameters, here: Here) -> Answer:
    """Give the runs of a group default parameters."""
    return await _changed(here, id, default_parameters=body.parameters)


@flow_groups.post("/{id}/run_config")
async def set_run_config(id: str, body: RunConfig, here: Here) -> Answer:
    """Give the runs of a group a run config."""
    return await _changed(here, id, run_config=body.run_config)


async def _changed(here: Here, id: str, **changes: Any) -> Answer:
    def do(tx: Any) -> dict[str, Any]:
        group = groups.get_group(tx.connection, id)
        records.change(tx, tables.flow_group, group["id"], **changes)
        return groups.get_group(tx.connection, group["id"])

    return Answer(await here.write(do))


@flow_groups.post("/{id}/settings")
async def set_settings(id: str, body: dict[str, Any], here: Here) -> Answer:
    """Change some settings of a group."""
    return Answer(await here.write(lambda tx: groups.change_settings(tx, id, body)))


@flow_groups.post("/{id}/move")
async def move(id: str, body: Move, here: Here) -> Answer:
    """Move a group to another project."""
    await here.write(lambda tx: groups.move_group(tx, id, body.project_id))
    return Answer({"project_id": body.project_id})
