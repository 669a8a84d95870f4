"""What something would be, before anybody does it: the next moments of a schedule, an artifact as HTML."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from dagflow.server.api.answers import Answer, Body, Here, router
from dagflow.server.database import tables
from dagflow.server.orchestration.html import html_of
from dagflow.server.store import records, schedules

previews = router("", "previews")


class SchedulePreview(Body):
    """A schedule, and how many of its next moments are wanted."""

    schedule: dict[str, Any]
    timezone: str | None = Field(default=None, max_length=100)
    count: int = Field(default=10, ge=1, le=100)


@previews.post("/schedules/preview")
async def preview_schedule(body: SchedulePreview, here: Here) -> Answer:
    """Return the next moments that a schedule would have if it were set now; see the schedule of a flow group."""
    now = here.clock.now()
    times = await asyncio.to_thread(schedules.preview, body.schedule, body.timezone, now, body.count)
    return Answer({"times": times})


@previews.get("/artifacts/{id}/html")
async def artifact_as_html(id: str, here: Here) -> Answer:
    """Return the markdown of an artifact as HTML that does no harm; an artifact of another kind as a link or table."""
    artifact = await here.read(lambda connection: records.fetch(connection, tables.task_run_artifact, id, "artifact"))
    return Answer({"html": await asyncio.to_thread(html_of, artifact["kind"], artifact["data"])})
