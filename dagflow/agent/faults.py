"""Which errors of the systems that runs are started on may pass."""

from __future__ import annotations

import errno

__all__ = ["is_transient"]

_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ECONNREFUSED, errno.ECONNRESET})
MOST_CAUSES = 10


def is_transient(error: BaseException) -> bool:
    """
    Tell whether trying again may help: nobody answered, or the one who did had trouble of its own.

    >>> is_transient(ConnectionRefusedError("nobody there")), is_transient(ValueError("never"))
    (True, False)
    """
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            return False
        if _may_pass(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and error.errno in _PASSING:
        return True
    status = _status(error)
    if status is not None:
        return status >= 500 or status == 429
    # The libraries for Docker and Kubernetes have classes of their own for a server that does not answer.
    return type(error).__name__ in (
        "ConnectionError",
        "MaxRetryError",
        "ReadTimeout",
        "ProtocolError",
        "NewConnectionError",
    )


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status", "status_code"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return value
    return None
