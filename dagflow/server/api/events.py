"""The event stream: what happens, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection, func, select

from dagflow.server.api.answers import Here, router
from dagflow.server.backend import Backend
from dagflow.server.database import tables
from dagflow.server.errors import BadRequest, NotFound
from dagflow.server.store import records
from dagflow.server.text import dumped

events = router("/events", "events")

PING_SECONDS = 15.0
LOOK_SECONDS = 2.0
"""How long a change made by another server of the same database may stay unnoticed."""
MOST_EVENTS = 500
KINDS = ("flow_run_state", "task_run_state", "log")

_FLOW, _TASK, _LOG, _RUN = tables.flow_run_state, tables.task_run_state, tables.log, tables.task_run


@events.get("", response_class=StreamingResponse)
async def stream(
    request: Request, here: Here, flow_run_id: str | None = None, after: str | None = None
) -> StreamingResponse:
    """
    Stream what happens to a flow run, to all flow runs without an id.

    Each event has an id; ask again with the last one (``Last-Event-ID`` or ``after``) and nothing is missed.
    """
    start = request.headers.get("last-event-id") or after
    if flow_run_id is not None:
        known = await here.read(
            lambda connection: connection.execute(
                select(tables.flow_run.c.id).where(tables.flow_run.c.id == flow_run_id)
            ).first()
        )
        if known is None:
            raise NotFound.of("flow run", flow_run_id)
    place = _read_place(start) if start else await here.read(_end)
    return StreamingResponse(
        _events(request, here, flow_run_id, place),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _read_place(text: str) -> list[int]:
    """Return how far a client has come: numbers of the last flow state, task state and log line."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise BadRequest(f"{text[:60]!r} is no id of an event.")
    return [int(part) for part in parts]


def _end(connection: Connection) -> list[int]:
    return [connection.execute(select(func.max(table.c.seq))).scalar() or 0 for table in (_FLOW, _TASK, _LOG)]


async def _events(request: Request, here: Backend, run_id: str | None, place: list[int]) -> AsyncIterator[str]:
    event = here.broker.follow(run_id)
    quiet = 0.0
    try:
        yield "retry: 1000\n\n"
        while not here.stopping and not await request.is_disconnected():
            event.clear()
            found = await here.read(lambda connection: _news(connection, run_id, place))
            for kind, number, record in found:
                seat = KINDS.index(kind)
                place[seat] = max(place[seat], number)
                yield f"id: {'.'.join(map(str, place))}\nevent: {kind}\ndata: {dumped(record)}\n\n"
            if found:
                quiet = 0.0
                continue
            try:
                await asyncio.wait_for(event.wait(), LOOK_SECONDS)
            except TimeoutError:
                quiet += LOOK_SECONDS
                if quiet >= PING_SECONDS:
                    quiet = 0.0
                    yield "event: ping\ndata: {}\n\n"
    finally:
        here.broker.forget(event)


def _news(connection: Connection, run_id: str | None, place: list[int]) -> list[tuple[str, int, dict[str, Any]]]:
    """Return what came after *place*: of each kind in the order in which it was written."""
    found = [
        ("flow_run_state", row.seq, _state(row, "flow_run_id")) for row in _flow_states(connection, run_id, place[0])
    ]
    if run_id is not None:
        statement = (
            select(_TASK, tables.task.c.slug.label("task_slug"), _RUN.c.map_index)
            .join(_RUN, _RUN.c.id == _TASK.c.run_id)
            .join(tables.task, tables.task.c.id == _RUN.c.task_id)
            .where(_RUN.c.flow_run_id == run_id, _TASK.c.seq > place[1])
        )
        rows = connection.execute(statement.order_by(_TASK.c.seq).limit(MOST_EVENTS)).all()
        found += [
            (
                "task_run_state",
                row.seq,
                _state(row, "task_run_id") | {"task_slug": row.task_slug, "map_index": row.map_index},
            )
            for row in rows
        ]
        lines = select(_LOG).where(_LOG.c.flow_run_id == run_id, _LOG.c.seq > place[2])
        rows = connection.execute(lines.order_by(_LOG.c.seq).limit(MOST_EVENTS)).all()
        found += [("log", row.seq, records.record(row)) for row in rows]
    # Log lines bear the time of their writer, so they are not sorted among the states: each kind keeps its own order.
    return found


def _flow_states(connection: Connection, run_id: str | None, after: int) -> Any:
    statement = select(_FLOW).where(_FLOW.c.seq > after)
    if run_id is not None:
        statement = statement.where(_FLOW.c.run_id == run_id)
    return connection.execute(statement.order_by(_FLOW.c.seq).limit(MOST_EVENTS)).all()


def _state(row: Any, name: str) -> dict[str, Any]:
    return {
        name: row.run_id,
        "state": row.state,
        "message": row.message,
        "timestamp": row.timestamp,
        "start_time": row.start_time,
        "version": row.version,
    }
