"""
Every error and signal class of the package that does not carry a state.

::

    BaseException
    └── PrefectSignal                       never swallowed by ``except Exception``
        ├── TaskTimeoutSignal
        └── VersionLockMismatchSignal
    Exception
    └── PrefectException
        ├── FlowError                       the flow, as written, cannot be right
        │   ├── CycleError                  (ValueError)
        │   ├── DuplicateKeyError           (ValueError)
        │   ├── ParameterError              (ValueError)
        │   └── WrongArgumentError          (TypeError)
        ├── ConfigurationError              (ValueError)
        │   └── ProfileNotFoundError
        ├── UnknownSettingError             (AttributeError)
        ├── ClientError                     (RuntimeError) the server said no, or did not answer
        │   ├── ObjectNotFoundError         (LookupError)
        │   ├── AuthorizationError
        │   ├── InvalidRequestError         (ValueError)
        │   ├── ConflictError               what is there stands against it
        │   │   └── StaleTokenError         another process holds the run
        │   └── ServerUnreachableError      no answer
        ├── ClusterError                    (RuntimeError)
        ├── ValueLostError                  (RuntimeError)
        ├── WorkerLostError                 (RuntimeError)
        └── FlowStorageError                (RuntimeError)

Each class also inherits the nearest builtin, named in brackets, so ``except ValueError`` works for people who know
only Python. A class raised without a message uses the first sentence of its docstring. All of them can be pickled,
because they travel from worker processes. Signals that carry a state live in ``dagflow.engine.signals``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "AuthorizationError",
    "ClientError",
    "ClusterError",
    "ConfigurationError",
    "ConflictError",
    "CycleError",
    "DuplicateKeyError",
    "FlowError",
    "FlowStorageError",
    "InvalidRequestError",
    "ObjectNotFoundError",
    "ParameterError",
    "PrefectException",
    "PrefectSignal",
    "ProfileNotFoundError",
    "ServerUnreachableError",
    "StaleTokenError",
    "TaskTimeoutSignal",
    "UnknownSettingError",
    "ValueLostError",
    "VersionLockMismatchSignal",
    "WorkerLostError",
    "WrongArgumentError",
    "near_match",
]


def near_match(name: str, known: Iterable[object]) -> str:
    """
    Return `` Did you mean 'x'?`` for the known name closest to *name*, or nothing.

    >>> near_match("chekpointing", ["checkpointing", "defaults"])
    " Did you mean 'checkpointing'?"
    >>> near_match("zebra", ["checkpointing"])
    ''
    """
    from difflib import get_close_matches

    close = get_close_matches(name, [str(candidate) for candidate in known], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _default_message(kind: type[BaseException]) -> str:
    return (kind.__doc__ or kind.__name__).strip().splitlines()[0]


class PrefectSignal(BaseException):
    """A signal was raised to steer a run."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(_default_message(type(self)) if message is None else message)


class TaskTimeoutSignal(PrefectSignal):
    """The task ran longer than its timeout."""


class VersionLockMismatchSignal(PrefectSignal):
    """The run changed on the server while this process worked on it."""


class PrefectException(Exception):
    """
    Something went wrong in dagflow.

    >>> str(ObjectNotFoundError())
    'The server does not know this object.'
    >>> str(ObjectNotFoundError("no flow run 7"))
    'no flow run 7'
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(_default_message(type(self)) if message is None else message)


class FlowError(PrefectException):
    """The flow is not built correctly."""


class CycleError(FlowError, ValueError):
    """
    The flow has a cycle; a flow must be acyclic.

    ``path`` holds the task names along the cycle. The name it starts from may be repeated at the end or left out.

    >>> str(CycleError("etl", ["a", "b"]))
    "Flow 'etl' has a cycle: a → b → a. Remove one of these edges."
    """

    def __init__(self, flow_name: str, path_names: Sequence[str]) -> None:
        self.flow_name = flow_name
        self.path = tuple(path_names)
        closed = self.path if self.path[-1:] == self.path[:1] and len(self.path) > 1 else self.path + self.path[:1]
        super().__init__(f"Flow {flow_name!r} has a cycle: {' → '.join(closed)}. Remove one of these edges.")

    def __reduce__(self) -> Any:
        return type(self), (self.flow_name, self.path)


class DuplicateKeyError(FlowError, ValueError):
    """An argument of a task is bound twice."""


class ParameterError(FlowError, ValueError):
    """A parameter is missing, unknown or has a wrong value."""


class WrongArgumentError(FlowError, TypeError):
    """A task is given an argument that its ``run`` does not accept."""


class ConfigurationError(PrefectException, ValueError):
    """The configuration cannot be read."""


class ProfileNotFoundError(ConfigurationError):
    """The profile that is asked for does not exist."""


class UnknownSettingError(PrefectException, AttributeError):
    """
    The configuration has no such key.

    The sentence is put together when it is read: ``hasattr`` and ``getattr`` with a default raise this error often and
    never look at it.

    >>> str(UnknownSettingError("chekpointing", ["checkpointing"]))
    "The configuration has no key 'chekpointing'. Did you mean 'checkpointing'? Known here: checkpointing."
    """

    def __init__(self, key: str, known: Iterable[object] = ()) -> None:
        self.key = key
        self.known = tuple(str(name) for name in known)
        super().__init__(key)

    def __str__(self) -> str:
        here = ", ".join(sorted(self.known)) or "nothing"
        return f"The configuration has no key {self.key!r}.{near_match(self.key, self.known)} Known here: {here}."

    def __reduce__(self) -> Any:
        return type(self), (self.key, self.known)


class ClientError(PrefectException, RuntimeError):
    """
    The server refused the request.

    Attributes:
        code: the word by which the server names the kind of refusal, ``None`` when there was no answer.
        status: the HTTP status of the answer.
        detail: what the server adds for programs.
    """

    code: str | None = None
    status: int | None = None
    detail: Any = None


class ObjectNotFoundError(ClientError, LookupError):
    """The server does not know this object."""


class AuthorizationError(ClientError):
    """The server did not accept the API key."""


class InvalidRequestError(ClientError, ValueError):
    """The server cannot accept what the request holds."""


class ConflictError(ClientError):
    """What the server holds stands against the request."""


class StaleTokenError(ConflictError):
    """Another process has taken over the run."""


class ServerUnreachableError(ClientError):
    """The server did not answer."""


class ClusterError(PrefectException, RuntimeError):
    """The cluster does not answer, or has no workers."""


class ValueLostError(PrefectException, RuntimeError):
    """The value of a task is no longer there."""


class WorkerLostError(PrefectException, RuntimeError):
    """The worker that ran the task is gone."""


class FlowStorageError(PrefectException, RuntimeError):
    """The flow could not be stored or loaded."""
