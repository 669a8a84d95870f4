"""One way for storages to send a request: sent again when the server is not reached, busy or unwell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagflow.exceptions import FlowStorageError

__all__ = ["sent"]

TRIES = 4
"""One and three more."""
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""A server may ask for more; a run that waits longer than this had better fail and say why."""
RETRIED_STATUSES = (429, 500, 502, 503, 504)
REQUEST_TIMEOUT_SECONDS = 60.0
CONNECT_TIMEOUT_SECONDS = 5.0
"""A host that does not even answer the door will not do so later; the run should fail soon and say why."""


def sent(method: str, request: Mapping[str, Any], doing: str, accepted: tuple[int, ...] = ()) -> Any:
    """
    Return the answer to a request.

    Args:
        method: its method.
        request: what ``httpx2.request`` takes.
        doing: what the request is for, which starts every message.
        accepted: statuses that are answers too, such as 404 where the caller can say what is missing.

    Raises:
        FlowStorageError: when there is no good answer. The URL is not in the message, because it may hold a token.
    """
    import time

    import httpx2

    timeout = httpx2.Timeout(REQUEST_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
    arguments: dict[str, Any] = {"timeout": timeout, "follow_redirects": True, **request}
    for attempt in range(1, TRIES + 1):
        pause = PAUSE_SECONDS * 2 ** (attempt - 1)
        try:
            response = httpx2.request(method, **arguments)
        except httpx2.TransportError as error:
            if attempt == TRIES:
                raise FlowStorageError(f"{doing}: the server cannot be reached: {error}.") from error
        except (httpx2.InvalidURL, httpx2.HTTPError) as error:
            raise FlowStorageError(f"{doing}: {type(error).__name__}: {error}.") from error
        else:
            if response.is_success or response.status_code in accepted:
                return response
            if attempt == TRIES or not _may_pass(response):
                raise FlowStorageError(_refusal(response, doing))
            pause = max(pause, _asked_pause(response))
        time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _may_pass(response: Any) -> bool:
    """Tell whether asking again may help; some hosts say *forbidden* to those who ask too often."""
    return response.status_code in RETRIED_STATUSES or (
        response.status_code == 403 and "Retry-After" in response.headers
    )


def _asked_pause(response: Any) -> float:
    """Return the seconds that the server wants to be left alone, within reason."""
    try:
        return min(float(response.headers.get("Retry-After", 0)), LONGEST_PAUSE_SECONDS)
    except ValueError:
        # A date, which few servers send: the usual pause will do.
        return 0.0


def _refusal(response: Any, doing: str) -> str:
    hint = {
        401: " Check the token or password that the storage refers to.",
        403: " Check that the token may read there.",
        429: " It is asked too often; try again later.",
    }.get(response.status_code, "")
    return f"{doing}: the server answered {response.status_code} {response.reason_phrase}.{hint}"
