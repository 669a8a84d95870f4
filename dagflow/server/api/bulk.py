"""Acting on many runs with one request."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from pydantic import Field, model_validator

from dagflow.server.api.answers import Answer, Body, Here, Who, moment, router
from dagflow.server.backend import Backend
from dagflow.server.errors import Refusal
from dagflow.server.store import bulk as store

bulk = router("/flow_runs", "flow runs")

AT_ONCE = 100
"""Runs given to the writer at a time, so that nobody else's writes wait long."""
MOST_REFUSED = 1_000
"""Refusals that an answer tells one by one."""


class Filter(Body):
    """Which runs are meant; fields as in the list of flow runs."""

    state: list[str] | str | None = Field(default=None, max_length=50)
    flow_group_id: str | None = None
    flow_name: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    late: bool | None = None
    label: str | None = None
    name: str | None = None
    parameter: str | None = None
    since: str | None = None
    until: str | None = None

    def runs(self, connection: Any) -> list[str]:
        """Return the ids of the runs that are meant."""
        names = ("flow_group_id", "flow_name", "project_id", "project_name", "late", "name")
        return store.matching_runs(
            connection,
            {name: getattr(self, name) for name in names},
            [self.state] if isinstance(self.state, str) else self.state,
            label=self.label,
            parameter=self.parameter,
            since=moment(self.since, "since"),
            until=moment(self.until, "until"),
        )


class Bulk(Body):
    """What to do, and to which runs: ids or a filter."""

    action: Literal["cancel", "delete", "restart"]
    ids: list[str] | None = Field(default=None, max_length=store.MOST_RUNS)
    filter: Filter | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Bulk:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        return self


@bulk.post("/bulk")
async def act_on_many(body: Bulk, here: Here, who: Who) -> Answer:
    """Cancel, delete or restart many runs, up to 10,000 at once; one that cannot be does not hold up the others."""
    if body.filter is not None:
        ids = await here.read(body.filter.runs)
    else:
        ids = list(dict.fromkeys(body.ids or ()))
    refused: list[dict[str, str]] = []
    for begin in range(0, len(ids), AT_ONCE):
        some = ids[begin : begin + AT_ONCE]
        outcomes = await asyncio.gather(*(_act(here, body.action, id, who) for id in some))
        refused += [
            {"id": id, "message": problem} for id, problem in zip(some, outcomes, strict=True) if problem is not None
        ]
    done = len(ids) - len(refused)
    return Answer({"matched": len(ids), "done": done, "refused": refused[:MOST_REFUSED]})


async def _act(here: Backend, action: str, id: str, who: str | None) -> str | None:
    """Do it to one run, and return why that could not be."""
    try:
        await here.write(lambda tx: store.ACTIONS[action](tx, id, who), once=False)
    except Refusal as refusal:
        return refusal.message
    return None
