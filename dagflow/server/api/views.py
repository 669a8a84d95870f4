"""What pages show at a glance, made of many nouns: the whole server, the queue, flows with their last runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from dagflow._version import __version__
from dagflow.server.api.answers import Answer, Here, Paged, router
from dagflow.server.clock import stamp
from dagflow.server.store import overview as overview_store
from dagflow.server.store import summary as summary_store
from dagflow.server.store import waiting

whole = router("", "views")
group_views = router("/flow_groups", "views")

MOST_HOURS = 24 * 366


@group_views.get("/overview")
async def overview(
    here: Here,
    page: Paged,
    project_id: str | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    """Return flows by name, each with its live version, its next run and its last runs."""
    return Answer(await here.read(lambda connection: overview_store.flow_overview(connection, page, project_id, q)))


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
