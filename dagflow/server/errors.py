"""What the server answers when it does not do what it was asked: a status, a code, a sentence, details."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadRequest",
    "Busy",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Refusal",
    "TooLarge",
    "Unauthenticated",
    "Unexpected",
]


class Refusal(Exception):
    """Base of all: a sentence for people, a code for programs."""

    status = 400
    code = "BAD_REQUEST"

    def __init__(self, message: str, *, code: str | None = None, detail: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.detail = detail

    def document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "detail": self.detail}}


class BadRequest(Refusal):
    """The request makes no sense."""


class Unauthenticated(Refusal):
    """A key is needed, and none that is valid was given."""

    status, code = 401, "UNAUTHENTICATED"


class Forbidden(Refusal):
    """The key may not do this."""

    status, code = 403, "FORBIDDEN"


class NotFound(Refusal):
    """There is no such thing."""

    status, code = 404, "NOT_FOUND"

    @classmethod
    def of(cls, kind: str, what: str) -> NotFound:
        """Return the refusal for a *kind* that is not there."""
        return cls(f"There is no {kind} {what!r}.")


class Conflict(Refusal):
    """It contradicts what is there."""

    status, code = 409, "CONFLICT"


class TooLarge(Refusal):
    """More than the server takes."""

    status, code = 413, "TOO_LARGE"


class Invalid(Refusal):
    """It is well-formed, but not what is expected."""

    status, code = 422, "INVALID"


class Busy(Refusal):
    """The database cannot answer now; nothing was changed, so the same request may be sent again."""

    status, code = 503, "BUSY"


class Unexpected(Refusal):
    """The server met an error it does not know."""

    status, code = 500, "INTERNAL"

    def __init__(self) -> None:
        super().__init__("The server met an error it does not know; see its log.")
