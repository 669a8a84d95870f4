"""Flow runs and task runs."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from dagflow.serialization.models import RunConfigDocument
from dagflow.server.api.answers import Answer, Body, Here, Paged, Uuid, Who, given, moment, router
from dagflow.server.api.states import states_of_flow_run, states_of_task_run
from dagflow.server.database import tables
from dagflow.server.errors import BadRequest
from dagflow.server.store import control, creation, explanations, flow_runs, holds, logs, task_runs, values
from dagflow.server.store.records import MOST_ITEMS, Page

runs = router("/flow_runs", "flow runs")
task_routes = router("/task_runs", "task runs")
queue = router("/runs_in_queue", "flow runs")

Names = Annotated[list[str] | None, Query(max_length=50)]


class NewRun(Body):
    """A run that is asked for."""

    id: Uuid | None = None
    flow_id: str | None = None
    version_group_id: str | None = None
    deployment_id: str | None = None
    parameters: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    run_config: RunConfigDocument | None = None
    labels: list[str] | None = None
    scheduled_start_time: str | None = None
    idempotency_key: str | None = Field(default=None, max_length=500)
    name: str | None = Field(default=None, max_length=1000)
    parent_task_run_id: str | None = Field(default=None, max_length=36)
    agentless: bool = False


class Token(Body):
    """The token of a hold."""

    token: int | None = Field(default=None, ge=0, lt=2**31)


class Releasing(Token):
    """Whether a run that is given back is to be taken up again at once."""

    reschedule: bool = False


class Losing(Token):
    """What an agent knows of a process that is gone."""

    reason: str = Field(default="The process of the run ended without a word.", max_length=10_000)
    log: list[str] = Field(default=[], max_length=200)


class Name(Body):
    """A name."""

    name: str = Field(max_length=1000)


class Reason(Body):
    """Why."""

    reason: str | None = Field(default=None, max_length=1000)


class Restart(Reason):
    """Where to begin; with *preview* nothing is done, and the answer tells what would be."""

    from_task_run_id: str | None = None
    preview: bool = False


class Approval(Body):
    """What to approve, everything that is paused without it; and the value that a task waits for."""

    task_run_id: str | None = None
    input: Any = None


class WhichTaskRun(Body):
    """The run of a task, or of one of its mapped children."""

    flow_run_id: Uuid
    task_id: Uuid
    map_index: int = Field(default=-1, ge=-1, lt=2**31)


@runs.post("")
async def create(body: NewRun, here: Here) -> Answer:
    """Create a run; the same id, or the same idempotency key, creates it once."""
    wanted = creation.WantedRun(**body.model_dump())
    return Answer(await here.write(lambda tx: creation.create_flow_run(tx, wanted)))


@runs.get("")
async def list_all(
    request: Request,
    here: Here,
    page: Paged,
    state: Names = None,
    flow_id: str | None = None,
    flow_group_id: str | None = None,
    flow_name: str | None = None,
    project_id: str | None = None,
    project_name: str | None = None,
    deployment_id: str | None = None,
    parent_task_run_id: str | None = None,
    parent_flow_run_id: str | None = None,
    agent_id: str | None = None,
    idempotency_key: str | None = None,
    name: str | None = None,
    late: bool | None = None,
    started: bool | None = None,
    label: str | None = None,
    parameter: Annotated[str | None, Query(max_length=1000)] = None,
    since: str | None = None,
    until: str | None = None,
    order: str = "created",
) -> Answer:
    """Return flow runs, newest first."""
    wanted = {
        "flow_id": flow_id,
        "flow_group_id": flow_group_id,
        "flow_name": flow_name,
        "project_id": project_id,
        "project_name": project_name,
        "deployment_id": deployment_id,
        "parent_task_run_id": parent_task_run_id,
        "parent_flow_run_id": parent_flow_run_id,
        "agent_id": agent_id,
        "idempotency_key": idempotency_key,
        "name": name,
        "late": late,
    }
    times = {"since": moment(since, "since"), "until": moment(until, "until")}
    return Answer(
        await here.read(
            lambda connection: flow_runs.list_flow_runs(
                connection,
                page,
                wanted,
                states=state,
                order=order,
                started=started,
                label=label,
                parameter=parameter,
                **times,
            )
        )
    )


@runs.get("/{id}")
async def get_one(id: str, here: Here) -> Answer:
    """Return a flow run."""
    return Answer(await here.read(lambda connection: flow_runs.get_flow_run(connection, id)))


@runs.delete("/{id}")
async def delete(id: str, here: Here) -> Answer:
    """Delete a flow run with all that belongs to it."""
    await here.write(lambda tx: flow_runs.delete_flow_run(tx, id))
    return Answer({"deleted": True})


@runs.get("/{id}/states")
async def states(id: str, here: Here) -> Answer:
    """Return all states that a flow run has had."""
    return Answer({"items": await here.read(lambda connection: flow_runs.list_states(connection, id)), "cursor": None})


@runs.post(
    "/{id}/states", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
)
async def set_state(id: str, request: Request, here: Here, who: Who) -> Answer:
    """Set the state of a flow run."""
    return await states_of_flow_run(request, id, here, who)


@runs.get("/{id}/task_runs")
async def task_runs_of(
    id: str,
    here: Here,
    mapped: bool | None = None,
    state: Names = None,
    task_slug: str | None = None,
    map_index: Annotated[int | None, Query(ge=-1, lt=2**31)] = None,
    finished: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Answer:
    """Return the task runs of a flow run, by slug and index."""
    if not await here.read(lambda connection: task_runs.are_made(connection, id)):
        await here.write(lambda tx: task_runs.make(tx, id), once=False)
    wanted = {"flow_run_id": id, "task_slug": task_slug, "map_index": map_index}
    return Answer(
        await here.read(
            lambda connection: task_runs.list_task_runs(
                connection, Page(limit, cursor), wanted, states=state, mapped=mapped, finished=finished
            )
        )
    )


async def _log_filter(
    id: str,
    task_run_id: str | None = None,
    task_slug: str | None = None,
    since: str | None = None,
    until: str | None = None,
    level: str | None = None,
    q: Annotated[str | None, Query(max_length=500)] = None,
) -> logs.Wanted:
    return logs.Wanted(
        flow_run_id=id,
        task_run_id=task_run_id,
        task_slug=task_slug,
        since=moment(since, "since"),
        until=moment(until, "until"),
        level=level,
        text=q,
    )


LogFilter = Annotated[logs.Wanted, Depends(_log_filter)]
"""Which lines of a run's log are wanted."""


@runs.get("/{id}/logs")
async def logs_of(
    wanted: LogFilter,
    here: Here,
    after_seq: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    before_seq: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    newest: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Answer:
    """Return log lines of a flow run, the oldest first; or the newest, or those before a line."""
    return Answer(
        await here.read(
            lambda connection: logs.list_logs(
                connection, wanted, after_seq=after_seq, before_seq=before_seq, newest=newest, limit=limit
            )
        )
    )


@runs.get("/{id}/logs/download", response_class=StreamingResponse)
async def download_logs(id: str, wanted: LogFilter, here: Here) -> StreamingResponse:
    """Return the log of a flow run as text."""
    run = await here.read(lambda connection: flow_runs.get_flow_run(connection, id))

    async def lines() -> AsyncIterator[str]:
        behind: logs.Place | None = None
        while True:
            text, behind = await here.read(functools.partial(logs.text_of_logs, wanted=wanted, behind=behind))
            yield text
            if behind is None:
                break

    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", run["name"])[:100]
    disposition = {"Content-Disposition": f'attachment; filename="{name}.log"'}
    return StreamingResponse(lines(), media_type="text/plain; charset=utf-8", headers=disposition)


@runs.get("/{id}/graph")
async def graph(id: str, here: Here, edges: bool = True) -> Answer:
    """Return tasks with how many of their runs are in which state, and edges, for a picture."""
    return Answer(await here.read(lambda connection: explanations.graph(connection, id, edges=edges)))


@runs.get("/{id}/why")
async def why(id: str, here: Here) -> Answer:
    """Tell why no agent takes a flow run."""
    return Answer(await here.read(lambda connection: explanations.why_not_taken(connection, id, here.now)))


@runs.post("/{id}/name")
async def rename(id: str, body: Name, here: Here) -> Answer:
    """Give a flow run another name."""
    await here.write(lambda tx: flow_runs.rename(tx, id, body.name))
    return Answer({"name": body.name})


@runs.post("/{id}/heartbeat")
async def heartbeat(id: str, body: Token, here: Here) -> Answer:
    """Tell that the process of a run lives; the answer tells whether it is to stop."""
    found = await here.read(lambda connection: explanations.hold_of(connection, id))
    if body.token is not None and body.token != found["run_token"]:
        raise explanations.stale_token(id, body.token, found)
    here.beat(id)
    return Answer(
        {
            "state": found["state"],
            "cancelling": found["state"] in ("Cancelling", "Cancelled"),
            "heartbeat_enabled": found["heartbeat_enabled"],
        }
    )


@runs.get("/{id}/hold")
async def hold(id: str, here: Here, token: Annotated[int | None, Query(ge=0, lt=2**31)] = None) -> Answer:
    """Return the state of a run and whether a token is the current one, without a sign of life."""
    found = await here.read(lambda connection: explanations.hold_of(connection, id))
    if token is not None and token != found["run_token"]:
        raise explanations.stale_token(id, token, found)
    return Answer(found)


@runs.post("/{id}/cancel")
async def cancel(id: str, here: Here, who: Who, body: Reason | None = None) -> Answer:
    """Cancel a flow run, and those that it started."""
    reason = None if body is None else body.reason
    return Answer({"state": await here.write(lambda tx: control.cancel(tx, id, who, reason))})


@runs.post("/{id}/restart")
async def restart(id: str, body: Restart, here: Here, who: Who) -> Answer:
    """Run again what failed in a flow run, and what depends on it; or only tell what that is."""
    chosen = body.from_task_run_id
    if body.preview:
        return Answer(await here.read(lambda connection: control.preview_restart(connection, id, chosen)))
    return Answer(await here.write(lambda tx: control.restart(tx, id, chosen, who, body.reason)))


@runs.post("/{id}/start_now")
async def start_now(id: str, here: Here, who: Who) -> Answer:
    """Let a flow run that waits start at once."""
    return Answer({"state": await here.write(lambda tx: control.start_now(tx, id, who))})


@runs.post("/{id}/approve")
async def approve(id: str, body: Approval, here: Here, who: Who) -> Answer:
    """Let paused task runs go on."""
    return Answer({"approved": await here.write(lambda tx: control.approve(tx, id, body.task_run_id, who, body.input))})


@runs.post("/{id}/begin")
async def begin(id: str, body: Token, here: Here) -> Answer:
    """Take hold of a flow run and return all that is needed to execute it."""
    alive = here.last_beat(id)
    return Answer(await here.write(lambda tx: holds.begin(tx, id, body.token, here.settings.lost_after, alive)))


@runs.post("/{id}/release")
async def release(id: str, body: Releasing, here: Here) -> Answer:
    """Give back a flow run that has not finished."""
    return Answer(await here.write(lambda tx: holds.release(tx, id, body.token, reschedule=body.reschedule)))


@runs.post("/{id}/lost")
async def lost(id: str, body: Losing, here: Here) -> Answer:
    """Tell that the process of a flow run is gone."""

    def do(tx: Any) -> str:
        before = holds.holder_of(tx, id)
        state = holds.lose(tx, id, body.token, body.reason, here.settings.resurrection_attempt_limit)
        if holds.holder_of(tx, id) != before:
            for line in body.log:
                logs.add_log(tx, id, "ERROR", line)
        return state

    return Answer({"state": await here.write(do)})


@queue.get("")
async def runs_in_queue(
    here: Here,
    labels: Names = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 25,
) -> Answer:
    """Return the ids of runs that are due and fit the labels; nothing is taken."""
    from dagflow.server.store.claims import runs_in_queue as find

    until = moment(before, "before") or here.now
    return Answer({"items": await here.read(lambda connection: find(connection, until, labels, limit)), "cursor": None})


# --- task runs -------------------------------------------------------------------------------------------------


@task_routes.get("")
async def list_task_runs(
    here: Here,
    page: Paged,
    flow_run_id: str | None = None,
    task_id: str | None = None,
    name: str | None = None,
    state: Names = None,
) -> Answer:
    """Return task runs."""
    wanted = {"flow_run_id": flow_run_id, "task_id": task_id, "name": name}
    return Answer(await here.read(lambda connection: task_runs.list_task_runs(connection, page, wanted, states=state)))


@task_routes.get("/cached")
async def cached(
    here: Here,
    task_id: str | None = None,
    cache_key: str | None = None,
    created_after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    per_child: bool = False,
) -> Answer:
    """Return task runs whose value may be used again, newest first; as many for each child of a map if asked for."""
    if task_id is None and cache_key is None:
        raise BadRequest("Say task_id, or cache_key.")
    after = moment(created_after, "created_after")
    items = await here.read(
        lambda connection: task_runs.cached_states(connection, task_id, cache_key, after, limit, per_child=per_child)
    )
    return Answer({"items": items, "cursor": None})


@task_routes.post("/get_or_create")
async def get_or_create(body: WhichTaskRun, here: Here) -> Answer:
    """Return the run of a task in a flow run; it is made if there is none."""
    return Answer(
        await here.write(lambda tx: task_runs.get_or_create(tx, body.flow_run_id, body.task_id, body.map_index))
    )


@task_routes.get("/{id}")
async def get_task_run(id: str, here: Here) -> Answer:
    """Return a task run."""
    return Answer(await here.read(lambda connection: task_runs.get_task_run(connection, id)))


@task_routes.get("/{id}/states")
async def task_run_states(id: str, here: Here) -> Answer:
    """Return all states that a task run has had."""
    items = await here.read(lambda connection: flow_runs.list_states(connection, id, "task_run"))
    return Answer({"items": items, "cursor": None})


@task_routes.post(
    "/{id}/states", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
)
async def set_task_run_state(id: str, request: Request, here: Here, who: Who) -> Answer:
    """Set the state of a task run."""
    return await states_of_task_run(request, id, here, who)


@task_routes.get("/{id}/logs")
async def task_run_logs(id: str, here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 1000) -> Answer:
    """Return log lines of a task run."""
    wanted = logs.Wanted(task_run_id=id)
    return Answer(await here.read(lambda connection: logs.list_logs(connection, wanted, limit=limit)))


@task_routes.get("/{id}/mapped")
async def mapped(
    id: str,
    here: Here,
    state: Names = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Answer:
    """Return the children of a mapped task run, by index."""

    def find(connection: Any) -> dict[str, Any]:
        run = task_runs.get_task_run(connection, id)
        wanted = {"flow_run_id": run["flow_run_id"], "task_id": run["task_id"]}
        page = Page(limit, cursor)
        return task_runs.list_task_runs(connection, page, wanted, states=state, mapped=True)

    return Answer(await here.read(find))


@task_routes.get("/{id}/mapped_summary")
async def mapped_summary(id: str, here: Here) -> Answer:
    """Return how many children a mapped task run has in which state."""
    return Answer(await here.read(lambda connection: task_runs.mapped_summary(connection, id)))


@task_routes.get("/{id}/artifacts")
async def artifacts_of(id: str, here: Here) -> Answer:
    """Return what a task run shows."""
    items = await here.read(lambda connection: values.list_artifacts(connection, id, None, None))
    return Answer({"items": items, "cursor": None})


@task_routes.post("/{id}/name")
async def rename_task_run(id: str, body: Name, here: Here) -> Answer:
    """Give a task run another name."""
    await here.write(lambda tx: flow_runs.rename(tx, id, body.name, tables.task_run))
    return Answer({"name": given(body)["name"]})
