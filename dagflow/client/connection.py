"""The part of a client that every group of its methods stands on: address, key, headers, requests, pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote

from dagflow._version import __version__
from dagflow.client.transport import RETRIES, Transport
from dagflow.configuration import config
from dagflow.exceptions import ClientError, InvalidRequestError

if TYPE_CHECKING:
    import httpx2

__all__ = ["Connection", "in_path", "iso"]

PAGE = 200
"""Records a server gives at a time, at most."""


def in_path(part: object) -> str:
    """
    Return *part* so that it is one part of a path, whatever is in it.

    Raises:
        InvalidRequestError: for what would lead to another place: nothing, or dots alone.

    >>> in_path("a/b c")
    'a%2Fb%20c'
    """
    text = str(part)
    if text in ("", ".", ".."):
        raise InvalidRequestError(f"An id or a name was expected, found {text!r}.")
    return quote(text, safe="")


def iso(moment: datetime | str | None) -> str | None:
    """
    Return *moment* as the server writes it; a naive one is UTC.

    >>> iso(datetime(2026, 11, 20, 19, 31))
    '2026-11-20T19:31:00.000000Z'
    """
    if moment is None or isinstance(moment, str):
        return moment
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Connection:
    """A connection to one server; building it sends nothing."""

    def __init__(
        self,
        api_server: str | None = None,
        api_key: str | None = None,
        tenant_id: str | None = None,
        *,
        _transport: httpx2.BaseTransport | None = None,
        _sleep: Callable[[float], None] = time.sleep,
        _retries: int = RETRIES,
    ) -> None:
        self.api_server: str = str(api_server or config.cloud.api).rstrip("/")
        self.api_key: str | None = api_key or config.cloud.api_key or self._kept_key()
        self.tenant_id = tenant_id
        self._attached_headers: dict[str, str] = {}
        self._transport = Transport(
            self.api_server, self._all_headers, transport=_transport, sleep=_sleep, retries=_retries
        )

    def _all_headers(self) -> dict[str, str]:
        return self.headers

    def _kept_key(self) -> str | None:
        from dagflow.client.auth import load_key

        return load_key(self.api_server)

    @property
    def api_url(self) -> str:
        """The root of the REST API."""
        return self._transport.api_url

    def __repr__(self) -> str:
        return f"<Client: {self.api_server}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._transport.close()

    def attach_headers(self, headers: Mapping[str, str]) -> None:
        """Send *headers* with every request from now on."""
        self._attached_headers.update(headers)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = {"X-DAGFLOW-CORE-VERSION": __version__}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers | self._attached_headers

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the decoded answer to a GET of *path*, which is relative to the API's root."""
        return self._request("GET", path, params=params)

    def post(self, path: str, params: Any = None) -> Any:
        """Send *params* as JSON and return the decoded answer."""
        return self._request("POST", path, body=params)

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Delete *path* and return the decoded answer, ``None`` when it is empty."""
        return self._request("DELETE", path, params=params)

    def graphql(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: there is no GraphQL API."""
        raise ClientError(
            "The server has no GraphQL API. Use Client.get, Client.post and Client.delete with the REST API described "
            f"at {self.api_url}/openapi.json."
        )

    def _request(self, method: str, path: str, **content: Any) -> Any:
        return self._transport.request(method, path, **content)

    def _items(
        self, path: str, params: Mapping[str, Any] | None = None, limit: int | None = None, page: int = PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield the records of a list, page by page, at most *limit*."""
        asked = dict(params or {})
        left = limit
        while left is None or left > 0:
            asked["limit"] = page if left is None else min(page, left)
            answer = self.get(path, asked)
            items = answer["items"]
            yield from items
            left = None if left is None else left - len(items)
            asked["cursor"] = answer.get("cursor")
            if not asked["cursor"] or not items:
                return

    # --- the key on disk -------------------------------------------------------------------------------------

    def save_auth_to_disk(self) -> None:
        """
        Keep the key for this server, where only the user may read it; without a key the kept one is removed.
        """
        from dagflow.client.auth import forget_key, save_key

        if self.api_key:
            save_key(self.api_server, self.api_key)
        else:
            forget_key(self.api_server)

    def load_auth_from_disk(self) -> dict[str, str]:
        """Return what is kept for this server: ``{"api_key": …}``, or nothing."""
        key = self._kept_key()
        return {"api_key": key} if key else {}

    # --- one server, one tenant ------------------------------------------------------------------------------

    def get_available_tenants(self) -> list[dict[str, str]]:
        """Return the one tenant that a server has."""
        return [{"id": "default", "slug": "default", "name": "default"}]

    def create_tenant(self, name: str, slug: str | None = None) -> str:
        """Return the id of the one tenant; nothing is made."""
        return "default"

    def login_to_tenant(self, tenant_slug: str | None = None, tenant_id: str | None = None) -> bool:
        """Tell that it was done: there is one tenant, and everybody is in it."""
        return True

    def get_cloud_url(self, subdirectory: str, id: str, as_user: bool = True) -> str:
        """
        Return the address of the page of something.

        >>> Connection("http://127.0.0.1:4200").get_cloud_url("flow-run", "7")
        'http://127.0.0.1:4200/flow-run/7'
        """
        return f"{self.api_server.removesuffix('/api')}/{subdirectory}/{id}"
