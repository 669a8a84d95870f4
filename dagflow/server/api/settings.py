"""What people and programs set up: deployments, pools, automations, messages, API keys; search; health."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from dagflow._version import __version__
from dagflow.serialization.models import RunConfigDocument
from dagflow.server.api.answers import Answer, Body, Here, Uuid, given, moment, router
from dagflow.server.clock import stamp
from dagflow.server.database import tables
from dagflow.server.errors import NotFound
from dagflow.server.store import automations as automation_store
from dagflow.server.store import creation, flow_runs, keys, pools, records
from dagflow.server.store import deployments as deployment_store

health = router("", "health")
deployments = router("/deployments", "deployments")
work_pools = router("/work_pools", "work pools")
automations = router("/automations", "automations")
messages = router("/messages", "automations")
api_keys = router("/keys", "keys")


@health.get("/health")
async def tell_health(here: Here) -> Answer:
    """Tell that the server answers and its database does."""
    await here.read(lambda connection: connection.execute(tables.lease.select().limit(1)).all())
    return Answer(
        {
            "status": "ok",
            "version": __version__,
            "database": here.settings.kind,
            "started": stamp(here.started),
            "secrets": bool(here.settings.secrets_key),
        }
    )


@health.get("/version")
async def tell_version() -> Answer:
    """Tell the version of the server."""
    return Answer({"version": __version__})


@health.get("/settings")
async def tell_settings(here: Here) -> Answer:
    """Tell the settings that clients go by."""
    settings = here.settings
    return Answer(
        {
            "queue_interval": settings.queue_interval,
            "lost_after": settings.lost_after,
            "late_after": settings.late_after,
            "resurrection_attempt_limit": settings.resurrection_attempt_limit,
            "max_scheduled_runs_per_flow": settings.max_scheduled_runs_per_flow,
            "max_body_bytes": settings.max_body_bytes,
        }
    )


@health.get("/search")
async def search(here: Here, q: Annotated[str, Query(min_length=1, max_length=200)]) -> Answer:
    """Find projects, flows, deployments and runs by name or id."""
    return Answer({"items": await here.read(lambda connection: flow_runs.search(connection, q)), "cursor": None})


# --- deployments -----------------------------------------------------------------------------------------------


class DeploymentChanges(Body):
    """Settings of a deployment."""

    description: str | None = None
    parameters: dict[str, Any] = {}
    labels: list[str] | None = None
    pool: str | None = None
    queue: str | None = None
    run_config: RunConfigDocument | None = None
    schedule: dict[str, Any] | None = None
    is_schedule_active: bool = True
    tags: list[str] = []
    overlap_policy: str = "allow"


class NewDeployment(DeploymentChanges):
    """A deployment."""

    flow_group_id: str
    name: str = Field(max_length=500)


class DeploymentRun(Body):
    """A run of a deployment that is asked for."""

    id: Uuid | None = None
    parameters: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    run_config: RunConfigDocument | None = None
    labels: list[str] | None = None
    scheduled_start_time: str | None = None
    idempotency_key: str | None = Field(default=None, max_length=500)
    name: str | None = Field(default=None, max_length=1000)
    parent_task_run_id: str | None = Field(default=None, max_length=36)


@deployments.get("")
async def list_deployments(
    here: Here,
    flow_group_id: str | None = None,
    name: str | None = None,
    flow_name: str | None = None,
    project_name: str | None = None,
) -> Answer:
    """Return deployments; each flow group has one called ``default``, which is the group itself."""
    wanted = {"flow_group_id": flow_group_id, "name": name, "flow_name": flow_name, "project_name": project_name}
    items = await here.read(lambda connection: deployment_store.list_deployments(connection, wanted))
    return Answer({"items": items, "cursor": None})


@deployments.post("")
async def put_deployment(body: NewDeployment, here: Here) -> Answer:
    """Make a deployment, or let the one of that name have these settings."""
    values = given(body)
    group, name = values.pop("flow_group_id"), values.pop("name")
    return Answer(await here.write(lambda tx: deployment_store.put_deployment(tx, group, name, values, here.limits)))


@deployments.get("/{id}")
async def get_deployment(id: str, here: Here) -> Answer:
    """Return a deployment."""
    return Answer(await here.read(lambda connection: deployment_store.get_deployment(connection, id)))


@deployments.patch("/{id}")
async def change_deployment(id: str, body: DeploymentChanges, here: Here) -> Answer:
    """Change some settings of a deployment."""
    await here.write(lambda tx: deployment_store.change_deployment(tx, id, given(body), here.limits))
    return Answer({"id": id})


@deployments.delete("/{id}")
async def delete_deployment(id: str, here: Here) -> Answer:
    """Delete a deployment."""
    await here.write(lambda tx: deployment_store.delete_deployment(tx, id))
    return Answer({"deleted": True})


@deployments.post("/{id}/create_run")
async def create_run(id: str, body: DeploymentRun, here: Here) -> Answer:
    """Create a run of a deployment."""
    wanted = creation.WantedRun(deployment_id=id, **body.model_dump())
    return Answer(await here.write(lambda tx: creation.create_flow_run(tx, wanted)))


# --- pools -----------------------------------------------------------------------------------------------------


class PoolChanges(Body):
    """Settings of a pool."""

    paused: bool = False
    limit: int | None = Field(default=None, ge=0, lt=2**31)
    description: str | None = None
    base_run_config: RunConfigDocument | None = None


class NewPool(Body):
    """A pool."""

    name: str = Field(min_length=1, max_length=200)
    type: str = "process"
    base_run_config: RunConfigDocument | None = None
    limit: int | None = Field(default=None, ge=0, lt=2**31)
    description: str | None = None


class Queue(Body):
    """A queue in a pool; lower priorities go first."""

    name: str = Field(min_length=1, max_length=200)
    priority: int = Field(default=0, ge=0, lt=2**31)
    limit: int | None = Field(default=None, ge=0, lt=2**31)


@work_pools.get("")
async def list_pools(here: Here) -> Answer:
    """Return all pools."""
    return Answer({"items": await here.read(pools.list_pools), "cursor": None})


@work_pools.post("")
async def create_pool(body: NewPool, here: Here) -> Answer:
    """Make a pool, or return the one of that name."""
    return Answer(await here.write(lambda tx: pools.create_pool(tx, **body.model_dump())))


@work_pools.get("/{name}")
async def get_pool(name: str, here: Here) -> Answer:
    """Return a pool with its queues and agents."""
    return Answer(await here.read(lambda connection: pools.get_pool(connection, name, here.now)))


@work_pools.patch("/{name}")
async def change_pool(name: str, body: PoolChanges, here: Here) -> Answer:
    """Change a pool."""
    await here.write(lambda tx: pools.change_pool(tx, name, given(body)))
    return Answer({"name": name})


@work_pools.delete("/{name}")
async def delete_pool(name: str, here: Here) -> Answer:
    """Delete a pool that nothing uses."""
    await here.write(lambda tx: pools.delete_pool(tx, name))
    return Answer({"deleted": True})


@work_pools.post("/{name}/queues")
async def set_queue(name: str, body: Queue, here: Here) -> Answer:
    """Make a queue, or change the one of that name."""
    return Answer({"id": await here.write(lambda tx: pools.set_queue(tx, name, body.name, body.priority, body.limit))})


@work_pools.delete("/{name}/queues/{queue}")
async def delete_queue(name: str, queue: str, here: Here) -> Answer:
    """Delete a queue."""
    await here.write(lambda tx: pools.delete_queue(tx, name, queue))
    return Answer({"deleted": True})


# --- automations, messages -------------------------------------------------------------------------------------


class AutomationChanges(Body):
    """What an automation waits for, and what it does then."""

    name: str = Field(default="", max_length=500)
    enabled: bool = True
    trigger: dict[str, Any] = {}
    actions: list[dict[str, Any]] = Field(default=[], max_length=20)


@automations.get("")
async def list_automations(here: Here) -> Answer:
    """Return all automations."""
    return Answer({"items": await here.read(automation_store.list_automations), "cursor": None})


@automations.post("")
async def create_automation(body: AutomationChanges, here: Here) -> Answer:
    """Make an automation."""
    return Answer({"id": await here.write(lambda tx: automation_store.create_automation(tx, body.model_dump()))})


@automations.get("/{id}")
async def get_automation(id: str, here: Here) -> Answer:
    """Return an automation."""
    return Answer(await here.read(lambda connection: records.fetch(connection, tables.automation, id)))


@automations.patch("/{id}")
async def change_automation(id: str, body: AutomationChanges, here: Here) -> Answer:
    """Change an automation."""
    await here.write(lambda tx: automation_store.change_automation(tx, id, given(body)))
    return Answer({"id": id})


@automations.delete("/{id}")
async def delete_automation(id: str, here: Here) -> Answer:
    """Delete an automation."""
    if not await here.write(lambda tx: records.remove(tx, tables.automation, id)):
        raise NotFound.of("automation", id)
    return Answer({"deleted": True})


@automations.get("/{id}/deliveries")
async def deliveries(id: str, here: Here) -> Answer:
    """Return what an automation has done, newest first."""
    items = await here.read(lambda connection: automation_store.list_deliveries(connection, id))
    return Answer({"items": items, "cursor": None})


@messages.get("")
async def list_messages(here: Here) -> Answer:
    """Return messages, newest first."""
    return Answer({"items": await here.read(automation_store.list_messages), "cursor": None})


@messages.post("/{id}/read")
async def read_message(id: str, here: Here) -> Answer:
    """Note that a message was read."""
    if not await here.write(lambda tx: records.change(tx, tables.message, id, read=True)):
        raise NotFound.of("message", id)
    return Answer({"read": True})


# --- keys ------------------------------------------------------------------------------------------------------


class NewKey(Body):
    """A key."""

    name: str = Field(min_length=1, max_length=200)
    scope: str = "write"
    expires: str | None = None


@api_keys.get("")
async def list_keys(here: Here) -> Answer:
    """Return all keys without what they are."""
    return Answer({"items": await here.read(keys.list_keys), "cursor": None})


@api_keys.post("")
async def create_key(body: NewKey, here: Here) -> Answer:
    """Make a key; the answer is the only time it is shown."""
    expires = moment(body.expires, "expires")
    return Answer(await here.write(lambda tx: keys.create_key(tx, body.name, body.scope, expires)))


@api_keys.delete("/{id}")
async def revoke_key(id: str, here: Here) -> Answer:
    """Revoke a key."""
    if not await here.write(lambda tx: records.remove(tx, tables.api_key, id)):
        raise NotFound.of("key", id)
    return Answer({"deleted": True})
