"""How endpoints read requests and write answers: strict JSON in, our JSON out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, MutableMapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from dagflow.server.backend import Backend
from dagflow.server.clock import at, stamp
from dagflow.server.errors import Invalid
from dagflow.server.store.records import MOST_ITEMS, Page
from dagflow.server.text import parsed

__all__ = ["Answer", "Body", "Here", "Paged", "Uuid", "Who", "given", "moment", "router"]


class Answer(Response):
    """JSON."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(to_json(content), status_code, headers)


class StrictRequest(Request):
    """A request whose body is read by our rules for JSON."""

    async def json(self) -> Any:
        """Return what the body says."""
        return parsed(await self.body())


class StrictRoute(APIRoute):
    """Hands endpoints strict requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind which the endpoint stands."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


class Body(BaseModel):
    """The body of a request; fields that are not known are refused, so that a slip of the pen is noticed."""

    model_config = ConfigDict(extra="forbid")


Uuid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
"""An identity that its sender made."""


def given(body: Body) -> dict[str, Any]:
    """Return what was said in *body*, left out what was not."""
    return body.model_dump(exclude_unset=True)


def router(prefix: str, tag: str) -> APIRouter:
    """Return a router for one noun."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=StrictRoute, default_response_class=Answer)


# Dependencies are coroutines: a plain function would be called on another thread.


async def _here(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


Here = Annotated[Backend, Depends(_here)]
"""The server that the request came to."""


async def _page(
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    count: bool = False,
) -> Page:
    return Page(limit, cursor, count)


Paged = Annotated[Page, Depends(_page)]
"""Which part of a list is wanted."""


async def _who(request: Request) -> str | None:
    return who_asks(request.scope)


def who_asks(scope: MutableMapping[str, Any]) -> str | None:
    """Return who asks, as far as known."""
    agent = next((value for name, value in scope["headers"] if name.lower() == b"x-dagflow-agent-id"), None)
    key = scope.get("dagflow.key")
    if agent:
        return f"agent {agent.decode('latin-1')[:36]}"
    return f"key {key['name']}" if key else None


Who = Annotated[str | None, Depends(_who)]
"""Who asks, as far as known."""


def moment(text: str | None, what: str) -> str | None:
    """
    Return a moment of a request as the database keeps it.

    Raises:
        Invalid: for text that is none.
    """
    try:
        return None if text is None else stamp(at(text.replace(" ", "+")))
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{what} is to be a moment such as 2026-01-31T12:00:00Z, found {text!r}.") from error
