"""Agents: who they are, and the runs they take."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from dagflow.server.api.answers import Answer, Body, Here, Paged, router
from dagflow.server.backend import REQUEST_ID, Backend
from dagflow.server.clock import at
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import NotFound
from dagflow.server.orchestration.kinds import FINISHED
from dagflow.server.store import agents as store
from dagflow.server.store import claims, records, requests

agents = router("/agents", "agents")
configs = router("/agent_configs", "agents")

LONGEST_WAIT = 30.0
SHORTEST_PAUSE = 0.02


class NewAgent(Body):
    """An agent that begins its work."""

    id: str | None = Field(default=None, max_length=36)
    type: str = Field(max_length=200)
    name: str | None = Field(default=None, max_length=500)
    labels: list[str] = Field(default=[], max_length=200)
    core_version: str | None = None
    agent_config_id: str | None = Field(default=None, max_length=36)
    pool: str | None = None
    host: str | None = None
    limit: int | None = Field(default=None, ge=0, lt=2**31)


class Beat(Body):
    """A sign of life, with the runs that the agent has in its hands."""

    flow_run_ids: list[str] = Field(default=[], max_length=5000)


class Claim(Body):
    """What an agent can take."""

    labels: list[str] = Field(default=[], max_length=200)
    limit: int = Field(default=1, ge=1, le=100)
    wait_seconds: float = Field(default=0.0, ge=0.0, le=LONGEST_WAIT)
    pool: str | None = None
    queues: list[str] = Field(default=[], max_length=100)
    flow_ids: list[str] = Field(default=[], max_length=100)


class NewConfig(Body):
    """A configuration that groups agents."""

    name: str = Field(max_length=500)
    settings: dict[str, Any] = {}


@agents.post("")
async def register(body: NewAgent, here: Here) -> Answer:
    """Note an agent and return its id."""
    return Answer({"id": await here.write(lambda tx: store.register(tx, **body.model_dump()))})


@agents.get("")
async def list_all(
    here: Here, page: Paged, healthy_since_minutes: Annotated[float | None, Query(ge=0, le=1e6)] = None
) -> Answer:
    """Return agents, newest first."""
    return Answer(
        await here.read(lambda connection: store.list_agents(connection, page, here.now, healthy_since_minutes))
    )


@agents.get("/{id}")
async def get_one(id: str, here: Here) -> Answer:
    """Return an agent."""
    return Answer(await here.read(lambda connection: store.get_agent(connection, id, here.now)))


@agents.delete("/{id}")
async def delete(id: str, here: Here) -> Answer:
    """Forget an agent."""
    if not await here.write(lambda tx: records.remove(tx, tables.agent, id)):
        raise NotFound.of("agent", id)
    return Answer({"deleted": True})


@agents.post("/{id}/heartbeat")
async def heartbeat(id: str, body: Beat, here: Here) -> Answer:
    """Note that an agent lives; the answer names those of its runs that are to stop, and those that have ended."""
    await here.write(lambda tx: store.beat(tx, id), once=False)
    runs = tables.flow_run

    def find(connection: Any) -> dict[str, str]:
        statement = runs.select().with_only_columns(runs.c.id, runs.c.state).where(runs.c.id.in_(body.flow_run_ids))
        return {row.id: row.state for row in connection.execute(statement)}

    states = await here.read(find)
    return Answer(
        {
            "cancel": sorted(run for run, state in states.items() if state == "Cancelling"),
            "finished": sorted(run for run, state in states.items() if state in FINISHED),
        }
    )


@agents.post("/{id}/claim")
async def claim(id: str, body: Claim, request: Request, here: Here) -> Answer:
    """Take due runs; when there are none, wait for some."""
    asking = claims.Asking(id, tuple(body.labels), body.limit, body.pool, tuple(body.queues), tuple(body.flow_ids))
    loop = asyncio.get_running_loop()
    end = loop.time() + body.wait_seconds
    request_id = REQUEST_ID.get()
    known = await here.write(lambda tx: claims.note_query(tx, id), once=False)
    if not known:
        raise NotFound.of("agent", id)
    event = here.broker.wait_for_work()
    gone = asyncio.create_task(_until_gone(request, event))
    try:
        while True:
            event.clear()
            if gone.done():
                return Answer({"runs": []})  # a run given to somebody who has left would wait to be taken for lost
            runs = await here.write(lambda tx: _claimed(tx, asking, request_id), once=False)
            left = end - loop.time()
            if runs or left <= 0 or here.stopping:
                return Answer({"runs": runs})
            await _news(here, event, left)
    finally:
        gone.cancel()
        here.broker.forget(event)


async def _until_gone(request: Request, event: asyncio.Event) -> None:
    """Wait until whoever asks has closed the connection, then wake who waits for work in its name."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    event.set()


def _claimed(tx: Tx, asking: claims.Asking, request_id: str | None) -> list[dict[str, Any]]:
    """Take runs; who asks again because the answer was lost gets those it was given."""
    given: list[dict[str, Any]] | None = requests.answer_to(tx, request_id)
    if given is not None:
        return given
    runs = claims.claim(tx, asking)
    if runs:
        requests.keep(tx, request_id, runs)
    return runs


async def _news(here: Backend, event: asyncio.Event, left: float) -> None:
    """Wait until something has become ready, or until the next run is due."""
    due = await here.read(lambda connection: claims.next_due(connection, here.now))
    until_due = left if due is None else max(SHORTEST_PAUSE, at(due) - here.clock.now())
    try:
        await asyncio.wait_for(event.wait(), min(left, until_due))
    except TimeoutError:
        return


@configs.get("")
async def list_configs(here: Here, page: Paged) -> Answer:
    """Return configurations of agents."""
    table = tables.agent_config
    return Answer(
        await here.read(lambda connection: page.of(connection, table.select(), (table.c.created, table.c.id)))
    )


@configs.post("")
async def create_config(body: NewConfig, here: Here) -> Answer:
    """Make a configuration."""
    return Answer({"id": await here.write(lambda tx: records.add(tx, tables.agent_config, **body.model_dump()))})


@configs.get("/{id}")
async def get_config(id: str, here: Here) -> Answer:
    """Return a configuration."""
    return Answer(await here.read(lambda connection: records.fetch(connection, tables.agent_config, id)))
