"""
The pages: one shell for all of them, the same for everybody; a module of each fetches its data from the public API.

A page needs no key, because nothing is in it.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from dagflow._version import __version__

__all__ = ["HEADERS", "PAGES", "routes"]

STATIC = Path(__file__).parent / "static"

PAGES = {
    "/": ("home", "Home"),
    "/flows": ("flows", "Flows"),
    "/flows/{flow}": ("flow", "Flow"),
    "/flows/{flow}/v/{version:int}": ("flow", "Flow"),
    "/flows/{flow}/run": ("run_form", "Run"),
    "/runs": ("runs", "Runs"),
    "/runs/{run}": ("run", "Flow run"),
    "/runs/{run}/tasks/{task:path}": ("task_run", "Task run"),
    "/task-runs/{task_run}": ("task_run", "Task run"),
    "/queue": ("queue", "Queue"),
    "/agents": ("agents", "Agents & pools"),
    "/agents/{agent}": ("agent", "Agent"),
    "/automations": ("automations", "Automations"),
    "/events": ("events", "Events"),
    "/data": ("data", "Data"),
    "/projects": ("projects", "Projects"),
    "/admin": ("admin", "Admin"),
    "/search": ("search", "Search"),
    "/start": ("start", "First steps"),
    "/login": ("login", "Log in"),
}
"""The module and the title of each page, by path."""

MOVED = {"/flow/{id}": "/flows/{id}", "/flow-run/{id}": "/runs/{id}", "/task-run/{id}": "/task-runs/{id}"}
"""Where the pages of Prefect 0.15 are now."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What a browser is told not to do with our pages."""


def routes() -> list[BaseRoute]:
    """Return the routes of all pages, of the files they need, and of pages that have moved."""
    return [
        *(Route(path, functools.partial(_page, name=name, title=title)) for path, (name, title) in PAGES.items()),
        *(Route(path, functools.partial(_moved, to=to)) for path, to in MOVED.items()),
        Mount("/static", GZipMiddleware(_Files(directory=STATIC))),
    ]


@functools.cache
def _shell() -> Any:
    environment = Environment(
        loader=PackageLoader("dagflow.server.ui"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("shell.html")


@functools.cache
def _edition() -> str:
    """Return a text that changes with any of the files, so that browsers never mix two editions."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


async def _page(request: Request, name: str, title: str) -> Response:
    content = _shell().render(page=name, title=title, version=__version__, edition=_edition())
    return HTMLResponse(content, headers={**HEADERS, "Cache-Control": "no-cache"})


async def _moved(request: Request, to: str) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(to.format(**request.path_params) + query, 308, headers=HEADERS)


class _Files(StaticFiles):
    """Files under their edition are kept for good: another edition has another address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = b"public, max-age=31536000, immutable" if scope.get("dagflow.edition") else b"no-cache"
                extra = [(key.lower().encode(), value.encode()) for key, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *extra, (b"cache-control", kept)]
            await send(message)

        await super().__call__(scope, receive, send_with_headers)

    def get_path(self, scope: Scope) -> str:
        """Return the file that is meant, its edition left out."""
        path = super().get_path(scope)
        edition, _, rest = path.partition("/")
        if edition == _edition():
            scope["dagflow.edition"] = edition
            return rest
        return path
