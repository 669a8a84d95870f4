"""
The client: requests to the REST API of a server, and its answers as Python values or errors.

>>> Client("http://127.0.0.1:4200").api_url
'http://127.0.0.1:4200/api'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from dagflow._version import __version__
from dagflow.configuration import config
from dagflow.exceptions import AuthorizationError, ClientError, ObjectNotFoundError
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import httpx2

__all__ = ["Client"]


class Client:
    """
    A connection to one server; building it sends nothing.

    What is not given comes from ``cloud.api`` and ``cloud.api_key`` of the configuration. Use it in a ``with`` block,
    or call :meth:`close`, to give the connection back.
    """

    def __init__(self, api_server: str | None = None, api_key: str | None = None, tenant_id: str | None = None) -> None:
        self.api_server: str = (api_server or config.cloud.api).rstrip("/")
        self.api_key: str | None = api_key or config.cloud.api_key or None
        self.tenant_id = tenant_id
        self._attached_headers: dict[str, str] = {}
        self._connection: httpx2.Client | None = None

    @property
    def api_url(self) -> str:
        """The root of the REST API."""
        return self.api_server if self.api_server.endswith("/api") else f"{self.api_server}/api"

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
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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
        return self._request("POST", path, json=params)

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Delete *path* and return the decoded answer, ``None`` when it is empty."""
        return self._request("DELETE", path, params=params)

    def graphql(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: there is no GraphQL API."""
        raise ClientError(
            "The server has no GraphQL API. Use Client.get, Client.post and Client.delete with the REST API described "
            f"at {self.api_url}/openapi.json."
        )

    def _masked_headers(self) -> dict[str, str]:
        return {name: "…" if name.lower() == "authorization" else value for name, value in self.headers.items()}

    def _request(self, method: str, path: str, **content: Any) -> Any:
        import httpx2

        url = f"{self.api_url}/{path.lstrip('/')}"
        if self._connection is None:
            self._connection = httpx2.Client(timeout=config.cloud.request_timeout)
        if config.cloud.diagnostics:
            get_logger("Client").info("%s %s with headers %s", method, url, self._masked_headers())
        try:
            response = self._connection.request(method, url, headers=self.headers, **content)
        except httpx2.TimeoutException as error:
            raise ClientError(
                f"{url} did not answer within {config.cloud.request_timeout} s (cloud.request_timeout)."
            ) from error
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise ClientError(
                f"{url} cannot be reached: {error}. Is the server running? Start one with `dagflow server start`, or "
                "set cloud.api to the address of yours."
            ) from error
        return _decoded(response, url)


def _decoded(response: httpx2.Response, url: str) -> Any:
    """Return the JSON of *response*, or raise the error it stands for."""
    if response.is_success and not response.content:
        return None
    try:
        answer = response.json()
    except ValueError as error:
        raise ClientError(
            f"{url} gave a malformed response (status {response.status_code}): expected JSON. Is this a dagflow server?"
        ) from error
    if response.is_success:
        return answer
    raise _error_class(response.status_code)(f"{url} answered {response.status_code}: {_reason(answer)}")


def _error_class(status: int) -> type[ClientError]:
    if status == 404:
        return ObjectNotFoundError
    return AuthorizationError if status in (401, 403) else ClientError


def _reason(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and error.get("message"):
        return str(error["message"])
    return str(answer)
