"""What an answer of the server means: a value, or the error it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from dagflow.exceptions import (
    AuthorizationError,
    ClientError,
    ConflictError,
    InvalidRequestError,
    ObjectNotFoundError,
    StaleTokenError,
    VersionLockMismatchSignal,
)

if TYPE_CHECKING:
    import httpx2

__all__ = ["decoded", "raise_refusal"]

_BY_STATUS: dict[int, type[ClientError]] = {
    400: InvalidRequestError,
    401: AuthorizationError,
    403: AuthorizationError,
    404: ObjectNotFoundError,
    409: ConflictError,
    413: InvalidRequestError,
    422: InvalidRequestError,
}


def decoded(response: httpx2.Response, url: str) -> Any:
    """
    Return the JSON of *response*, ``None`` when it is empty.

    Raises:
        ClientError: for a refusal, by its kind, and for an answer that is not JSON.
    """
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
    code, message, detail = _told(answer)
    raise_refusal(response.status_code, code, f"{url} answered {response.status_code}: {message}", detail)


def _told(answer: Any) -> tuple[str | None, str, Any]:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not error.get("message"):
        return None, str(answer), None
    return error.get("code"), str(error["message"]), error.get("detail")


def raise_refusal(status: int, code: str | None, message: str, detail: Any = None) -> NoReturn:
    """Raise what a refusal stands for."""
    if code == "VERSION_LOCKING_ERROR":
        raise VersionLockMismatchSignal(message)
    kind = StaleTokenError if code == "STALE_TOKEN" else _BY_STATUS.get(status, ClientError)
    error = kind(message)
    error.code, error.status, error.detail = code, status, detail
    raise error
