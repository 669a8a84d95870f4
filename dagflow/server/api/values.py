"""Limits and their slots, keys and values, secrets, artifacts, log lines."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from dagflow.server import encryption
from dagflow.server.api.answers import Answer, Body, Here, router
from dagflow.server.database import tables
from dagflow.server.errors import Invalid, NotFound
from dagflow.server.store import limits as limits_store
from dagflow.server.store import records
from dagflow.server.store import slots as slots_store
from dagflow.server.store import values as store

limits = router("/limits", "limits")
slots = router("/slots", "limits")
kv = router("/kv", "values")
secrets = router("/secrets", "values")
artifacts = router("/artifacts", "artifacts")
logs = router("/logs", "logs")

MOST_LINES = 5_000


class NewLimit(Body):
    """How many may run at once."""

    kind: str
    name: str = Field(max_length=500)
    limit: int = Field(ge=0, lt=2**31)
    slots_per_second: float | None = Field(default=None, gt=0, lt=1e9)


class NewSlots(Body):
    """Slots of a limit that a running task asks for."""

    id: str = Field(min_length=1, max_length=36)
    name: str = Field(min_length=1, max_length=500)
    occupy: int = Field(default=1, ge=1, lt=2**31)
    flow_run_id: str
    run_token: int = Field(ge=0, lt=2**31)


class Pair(Body):
    """A key and its value."""

    key: str = Field(min_length=1, max_length=500)
    value: Any


class NewSecret(Body):
    """A secret."""

    name: str = Field(min_length=1, max_length=500)
    value: Any


class NewArtifact(Body):
    """What a task run wants to show."""

    id: str | None = Field(default=None, max_length=36)
    task_run_id: str
    kind: str
    data: Any
    key: str | None = Field(default=None, max_length=500)
    description: str | None = None


class ArtifactChange(Body):
    """What an artifact is to show."""

    data: Any


@limits.get("")
async def list_limits(here: Here, kind: str | None = None) -> Answer:
    """Return limits with how much of each is in use."""
    items = await here.read(lambda connection: limits_store.list_limits(connection, kind, here.now))
    return Answer({"items": items, "cursor": None})


@limits.post("")
async def set_limit(body: NewLimit, here: Here) -> Answer:
    """Set a limit."""
    values = body.model_dump()
    return Answer({"id": await here.write(lambda tx: limits_store.set_limit(tx, **values))})


@limits.get("/{kind}/{name:path}")
async def get_limit(kind: str, name: str, here: Here) -> Answer:
    """Return a limit with who holds its slots."""
    return Answer(await here.read(lambda connection: limits_store.get_limit(connection, kind, name, here.now)))


@limits.delete("/{id}")
async def delete_limit(id: str, here: Here) -> Answer:
    """Take a limit away."""
    if not await here.write(lambda tx: records.remove(tx, tables.concurrency_limit, id)):
        raise NotFound.of("limit", id)
    return Answer({"deleted": True})


@slots.post("")
async def take_slots(body: NewSlots, here: Here) -> Answer:
    """Take slots of a limit if they are free."""
    wanted = slots_store.WantedSlots(**body.model_dump())
    return Answer(await here.write(lambda tx: slots_store.take(tx, wanted)))


@slots.delete("/{id}")
async def give_slots_back(id: str, here: Here) -> Answer:
    """Give slots of a limit back."""
    if not await here.write(lambda tx: slots_store.give_back(tx, id)):
        raise NotFound.of("slot", id)
    return Answer({"deleted": True})


# --- keys and values -------------------------------------------------------------------------------------------


@kv.get("")
async def list_keys(here: Here) -> Answer:
    """Return all keys."""
    return Answer({"items": await here.read(store.list_keys), "cursor": None})


@kv.get("/{key:path}")
async def get_value(key: str, here: Here) -> Answer:
    """Return the value kept under a key."""
    return Answer({"key": key, "value": await here.read(lambda connection: store.get_value(connection, key))})


@kv.post("")
async def set_value(body: Pair, here: Here) -> Answer:
    """Keep a value under a key."""
    return Answer({"id": await here.write(lambda tx: store.set_value(tx, body.key, body.value))})


@kv.delete("/{key:path}")
async def delete_key(key: str, here: Here) -> Answer:
    """Delete a key."""
    await here.write(lambda tx: store.delete_named(tx, "key", key))
    return Answer({"deleted": True})


# --- secrets ---------------------------------------------------------------------------------------------------


@secrets.get("")
async def list_secrets(here: Here) -> Answer:
    """Return the names of secrets."""
    return Answer({"items": await here.read(store.list_secrets), "cursor": None})


@secrets.get("/{name:path}")
async def get_secret(name: str, here: Here) -> Answer:
    """Return the value of a secret."""
    text = await here.read(lambda connection: store.get_secret(connection, name))
    return Answer({"name": name, "value": encryption.decrypted(text, here.settings.secrets_key)})


@secrets.post("")
async def set_secret(body: NewSecret, here: Here) -> Answer:
    """Keep a secret, encrypted."""
    text = encryption.encrypted(body.value, here.settings.secrets_key)
    return Answer({"id": await here.write(lambda tx: store.set_secret(tx, body.name, text))})


@secrets.delete("/{name:path}")
async def delete_secret(name: str, here: Here) -> Answer:
    """Delete a secret."""
    await here.write(lambda tx: store.delete_named(tx, "secret", name))
    return Answer({"deleted": True})


# --- artifacts -------------------------------------------------------------------------------------------------


@artifacts.get("")
async def list_artifacts(
    here: Here, task_run_id: str | None = None, flow_run_id: str | None = None, key: str | None = None
) -> Answer:
    """Return artifacts."""
    items = await here.read(lambda connection: store.list_artifacts(connection, task_run_id, flow_run_id, key))
    return Answer({"items": items, "cursor": None})


@artifacts.post("")
async def add_artifact(body: NewArtifact, here: Here) -> Answer:
    """Keep an artifact."""
    values = body.model_dump()
    return Answer({"id": await here.write(lambda tx: store.add_artifact(tx, **values))})


@artifacts.patch("/{id}")
async def change_artifact(id: str, body: ArtifactChange, here: Here) -> Answer:
    """Show something else in an artifact."""
    await here.write(lambda tx: store.change_artifact(tx, id, body.data))
    return Answer({"id": id})


@artifacts.delete("/{id}")
async def delete_artifact(id: str, here: Here) -> Answer:
    """Delete an artifact."""
    if not await here.write(lambda tx: records.remove(tx, tables.task_run_artifact, id)):
        raise NotFound.of("artifact", id)
    return Answer({"deleted": True})


# --- logs ------------------------------------------------------------------------------------------------------

_LINES = {
    "type": "object",
    "properties": {"logs": {"type": "array", "items": {"type": "object"}}},
    "required": ["logs"],
}


@logs.post("", openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _LINES}}}})
async def write_logs(request: Request, here: Here) -> Answer:
    """Keep log lines; one that makes no sense spoils no other."""
    body = await request.json()
    lines = body.get("logs") if isinstance(body, dict) else None
    if not isinstance(lines, list) or len(lines) > MOST_LINES:
        raise Invalid(f"logs is to be a list of at most {MOST_LINES:,} lines.")
    return Answer(await here.add_logs(lines))


@logs.get("")
async def find_logs(here: Here, flow_run_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 1000) -> Answer:
    """Return log lines of a flow run."""
    from dagflow.server.store.logs import Wanted, list_logs

    return Answer(await here.read(lambda connection: list_logs(connection, Wanted(flow_run_id), limit=limit)))
