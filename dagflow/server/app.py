"""
The application: all routers behind the guard, over one backend.

>>> create_app(ServerSettings(database_url="sqlite:////tmp/never-opened.db")).title
'dagflow'
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from dagflow._version import __version__
from dagflow.server.api import (
    agents,
    bulk,
    events,
    flows,
    metrics,
    previews,
    projects,
    runs,
    settings,
    states,
    values,
    views,
)
from dagflow.server.api.answers import Answer
from dagflow.server.backend import Backend
from dagflow.server.clock import Clock
from dagflow.server.database.upgrade import upgrade
from dagflow.server.errors import Busy, Refusal, Unexpected
from dagflow.server.guard import Guard
from dagflow.server.services.timetable import Services
from dagflow.server.settings import ServerSettings
from dagflow.server.ui import pages
from dagflow.utilities.logging import get_logger

__all__ = ["create_app"]

ROUTERS = (
    states.states, values.logs, agents.agents, runs.runs, runs.task_routes, settings.health, projects.projects,
    views.whole, views.group_views, views.flow_views, views.run_views, bulk.bulk, previews.previews, flows.flows,
    flows.flow_groups, flows.tasks, settings.deployments, runs.queue, agents.configs, values.limits, values.slots,
    values.kv, values.secrets, values.artifacts, settings.work_pools, settings.automations, settings.messages,
    settings.api_keys, events.events,
)  # fmt: skip
"""All routers; routes are tried one after the other, so those that are asked most stand first."""


def create_app(server_settings: ServerSettings, clock: Clock | None = None) -> FastAPI:
    """
    Return the application of a server; its database is opened when it starts.

    ``app.state.backend`` is the :class:`~dagflow.server.backend.Backend` while it runs, ``app.state.services`` what
    happens by itself.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        backend = Backend(server_settings, clock)
        try:
            upgrade(backend.database.writer, server_settings.database_url)
            backend.broker.attach(asyncio.get_running_loop())
            app.state.backend = backend
            app.state.services = services = Services(backend)
            if server_settings.background:
                services.start(others=server_settings.services)
            yield
        finally:
            backend.stopping = True
            if getattr(app.state, "services", None) is not None:
                await asyncio.to_thread(app.state.services.stop)
            await asyncio.to_thread(backend.close)

    app = _Guarded(
        title="dagflow",
        version=__version__,
        description="The backend of dagflow: flows, their schedules and their runs.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for router in ROUTERS:
        app.include_router(router, prefix="/api")
    app.include_router(metrics.metrics)
    if server_settings.ui:
        app.router.routes.extend(pages.routes())
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


class _Guarded(FastAPI):
    """The application behind the guard, who stands before everything else, also what serves the framework's own use."""

    def build_middleware_stack(self) -> Any:
        """Return what is called with each request."""
        direct = {("POST", "/api/states"): states.states_of_many}
        return Guard(super().build_middleware_stack(), lambda: self.state.backend, direct)


async def _refused(request: Request, error: Exception) -> Answer:
    assert isinstance(error, Refusal)
    headers = {"Retry-After": "1"} if isinstance(error, Busy) else None
    return Answer(error.document(), error.status, headers)


async def _invalid(request: Request, error: Exception) -> Answer:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(str(part) for part in one["loc"]), "problem": one["msg"]} for one in error.errors()[:20]
    ]
    message = "; ".join(f"{one['where']}: {one['problem']}" for one in found)
    return Answer({"error": {"code": "INVALID", "message": message, "detail": found}}, 422)


async def _http(request: Request, error: Exception) -> Answer:
    assert isinstance(error, StarletteHTTPException)
    cause = error.__cause__
    if isinstance(cause, Refusal):
        return await _refused(request, cause)
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
    message = f"There is nothing under {request.url.path}." if error.status_code == 404 else str(error.detail)
    document = {"error": {"code": codes.get(error.status_code, "BAD_REQUEST"), "message": message, "detail": None}}
    return Answer(document, error.status_code, dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> Answer:
    get_logger("server").error("%s %s failed.", request.method, request.url.path, exc_info=error)
    return Answer(Unexpected().document(), 500)
