"""What pages show at a glance, made of many nouns: the whole server, the queue, flows with their last runs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request

from dagflow._version import __version__
from dagflow.server.api.answers import Answer, Here, Paged, moment, router
from dagflow.server.clock import shifted, stamp
from dagflow.server.orchestration.differences import differences
from dagflow.server.orchestration.pictures import picture
from dagflow.server.store import activity, flows, grids, layouts, timelines, waiting
from dagflow.server.store import overview as overview_store
from dagflow.server.store import summary as summary_store

whole = router("", "views")
group_views = router("/flow_groups", "views")
flow_views = router("/flows", "views")
run_views = router("/flow_runs", "views")

MOST_HOURS = 24 * 366


@group_views.get("/overview")
async def overview(
    here: Here,
    page: Paged,
    project_id: str | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    """Return flows by name, each with its live version, its next run and its last runs."""
    return Answer(
        await here.read(lambda connection: overview_store.flow_overview(connection, page, here.now, project_id, q))
    )


@group_views.get("/{id}/grid")
async def grid(id: str, here: Here, runs: Annotated[int, Query(ge=1, le=100)] = 25) -> Answer:
    """Return which state each task had in the last runs of a flow, the newest run first."""
    return Answer(await here.read(lambda connection: grids.grid(connection, id, runs)))


@group_views.get("/{id}/durations")
async def durations(id: str, here: Here, runs: Annotated[int, Query(ge=1, le=200)] = 50) -> Answer:
    """Return how many seconds the last runs of a flow and their tasks took, and which part of the runs succeeded."""
    return Answer(await here.read(lambda connection: grids.durations(connection, id, runs)))


@flow_views.get("/{id}/layout")
async def layout(id: str, here: Here) -> Answer:
    """Return where the tasks of a version stand in a picture and where its edges go, in pixels from the top left."""
    found = await here.read(lambda connection: layouts.find_layout(connection, id))
    if found is None:
        tasks, edges = await here.read(lambda connection: layouts.parts(connection, id))
        made = await asyncio.to_thread(picture, tasks, edges)
        await here.write(lambda tx: layouts.keep_layout(tx, id, made), once=False)
        found = made
    return Answer(found)


@flow_views.get("/{id}/diff")
async def diff(id: str, here: Here, other: str) -> Answer:
    """Return what is different between two versions; of one flow, the earlier one is taken for the old one."""
    old, new = await here.read(lambda connection: flows.two_versions(connection, id, other))
    return Answer(await asyncio.to_thread(differences, old, new))


@whole.get("/timeline")
async def runs_in_time(
    here: Here,
    since: str | None = None,
    until: str | None = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> Answer:
    """Return the runs that go on, or are planned, between two moments; from a day ago until in an hour without them."""
    first = moment(since, "since") or shifted(here.now, -86_400)
    last = moment(until, "until") or shifted(here.now, 3_600)
    return Answer({"runs": await here.read(lambda connection: activity.runs_between(connection, first, last, limit))})


@whole.get("/activity")
async def activity_feed(here: Here, page: Paged, flow_run_id: str | None = None) -> Answer:
    """Return the states that flow runs entered, the latest first."""
    return Answer(await here.read(lambda connection: activity.activity(connection, page, flow_run_id)))


@whole.get("/summary")
async def summary(
    request: Request, here: Here, hours: Annotated[float, Query(gt=0, le=MOST_HOURS, allow_inf_nan=False)] = 24
) -> Answer:
    """Tell how the server is, and which runs ended lately, go on, are late, failed, or begin next."""

    def find(connection: Any) -> dict[str, Any]:
        found = summary_store.summary(connection, here.now, hours, here.settings.late_after)
        return {"database": summary_store.describe_database(connection), "runs": found}

    found = await here.read(find)
    server = {
        "version": __version__,
        "started": stamp(here.started),
        "database": found["database"],
        "services": request.app.state.services.passes(),
    }
    return Answer({"server": server, **found["runs"]})


@whole.get("/queue")
async def queue(here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Answer:
    """Return the runs that wait, the longest first, each with the reasons why nobody takes it."""
    return Answer(await here.read(lambda connection: waiting.queue_of_runs(connection, here.now, limit)))


@run_views.get("/{id}/timeline")
async def run_timeline(id: str, here: Here) -> Answer:
    """Return when each task of a flow run was queued, ran and waited, by attempt, and which of them decided its end."""
    return Answer(await here.read(lambda connection: timelines.timeline(connection, id)))
