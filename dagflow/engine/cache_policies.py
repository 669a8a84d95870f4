"""
Cache keys: which runs of a task may share a result.

A policy computes a key where the task runs, when its inputs are known. Policies are added up with ``+``, and ``-``
leaves inputs out: ``INPUTS + TASK_SOURCE - "verbose"``. Without a key (``None``) nothing is looked up or kept.

Keys of policies belong to one task; those of a function of your own (``cache_key_fn``) are shared by all that give one.

>>> from dagflow.utilities.tasks import task
>>> run = KeyContext(task(lambda x, y: x + y, name="add"))
>>> (INPUTS - "y").key(run, {"x": 1, "y": 2}) == (INPUTS - "y").key(run, {"x": 1, "y": 3})
True
>>> NO_CACHE.key(run, {"x": 1}) is None
True
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagflow.engine.digests import code_digest, digest

__all__ = [
    "DEFAULT",
    "FLOW_PARAMETERS",
    "INPUTS",
    "NONE",
    "NO_CACHE",
    "RUN_ID",
    "TASK_SOURCE",
    "CacheKeyFn",
    "CachePolicy",
    "KeyContext",
    "task_input_hash",
    "task_name_of",
]


@dataclass(frozen=True)
class KeyContext:
    """What a key may depend on besides the inputs: the task, its run and that of the flow, the flow's parameters."""

    task: Any
    task_run: Any = None
    flow_run: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class CachePolicy:
    """Says by what key results are shared; ``parts(context, inputs)`` is what a new policy defines."""

    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        """
        Return what the key is made of, ``None`` for no key.

        Raises:
            TypeError: for inputs that have no digest.
        """
        raise NotImplementedError

    def key(self, context: KeyContext, inputs: Mapping[str, Any]) -> str | None:
        """Return the key; ``None``, and a warning in the log, when an input has no digest."""
        try:
            parts = self.parts(context, inputs)
        except TypeError as error:
            _warn(context, error)
            return None
        if parts is None:
            return None
        return digest([sys.version_info[:2], task_name_of(context.task), *sorted(parts)])

    def __add__(self, other: CachePolicy) -> CachePolicy:
        if not isinstance(other, CachePolicy):
            return NotImplemented
        if isinstance(self, _NoCache):
            return other
        return self if isinstance(other, _NoCache) else _Sum((self, other))

    def __sub__(self, names: str | Iterable[str]) -> CachePolicy:
        return _Without(self, frozenset([names] if isinstance(names, str) else names))


@dataclass(frozen=True)
class _Named(CachePolicy):
    name: str
    compute: Callable[[KeyContext, Mapping[str, Any]], Any]

    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        return [f"{self.name}:{digest(self.compute(context, inputs))}"]

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return self.name  # one of the names of this module


class _NoCache(CachePolicy):
    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        return None

    def __repr__(self) -> str:
        return "NO_CACHE"


@dataclass(frozen=True)
class _Sum(CachePolicy):
    policies: tuple[CachePolicy, ...]

    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        found = [one.parts(context, inputs) for one in self.policies]
        known = [part for parts in found if parts is not None for part in parts]
        return known or None

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.policies))


@dataclass(frozen=True)
class _Without(CachePolicy):
    policy: CachePolicy
    names: frozenset[str]

    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        return self.policy.parts(context, {name: one for name, one in inputs.items() if name not in self.names})

    def __repr__(self) -> str:
        return f"{self.policy!r} - {sorted(self.names)!r}"


@dataclass(frozen=True)
class CacheKeyFn(CachePolicy):
    """
    The key that a function of the user returns.

    Args:
        function: called as ``function(context, inputs)``; its text is the key, ``None`` means not to cache.
    """

    function: Callable[..., str | None]

    def parts(self, context: KeyContext, inputs: Mapping[str, Any]) -> list[str] | None:
        """Return the key alone, so that it can be added to others."""
        key = self.key(context, inputs)
        return None if key is None else [f"key:{key}"]

    def key(self, context: KeyContext, inputs: Mapping[str, Any]) -> str | None:
        """
        Return the function's key as it is.

        Raises:
            TypeError: when it returns anything but text and ``None``.
        """
        key = self.function(context, dict(inputs))
        if key is not None and not isinstance(key, str):
            raise TypeError(
                f"The cache_key_fn of task {context.task.name!r} must return text or None, found {key!r}."
            )
        return key


INPUTS: CachePolicy = _Named("INPUTS", lambda context, inputs: dict(inputs))
"""The same inputs."""

TASK_SOURCE: CachePolicy = _Named("TASK_SOURCE", lambda context, inputs: code_digest(context.task.run))
"""The same code of the task."""

FLOW_PARAMETERS: CachePolicy = _Named("FLOW_PARAMETERS", lambda context, inputs: dict(context.parameters))
"""The same parameters of the flow."""

RUN_ID: CachePolicy = _Named("RUN_ID", lambda context, inputs: getattr(context.flow_run, "id", None))
"""The same flow run: tasks with equal inputs in it, and its later attempts."""

NO_CACHE: CachePolicy = _NoCache()
"""Never share anything."""

NONE = NO_CACHE

DEFAULT: CachePolicy = INPUTS + TASK_SOURCE + RUN_ID
"""The same inputs and code within one flow run."""


def task_input_hash(context: Any, arguments: Mapping[str, Any]) -> str | None:
    """
    Return a key of the task's name, its code and its inputs; for ``cache_key_fn``.

    ``None``, and a warning in the log, when an input cannot be told apart reliably.
    """
    try:
        code = code_digest(context.task.run)
        return digest([sys.version_info[:2], task_name_of(context.task), code, dict(arguments)])
    except TypeError as error:
        _warn(context, error)
        return None


def task_name_of(task: Any) -> str:
    """Return the name of a task that is the same in every process: that of its function, else of its class."""
    run = getattr(task.run, "__func__", task.run)
    owner = run if hasattr(run, "__qualname__") and run is task.__dict__.get("run") else type(task)
    return f"{owner.__module__}.{owner.__qualname__}"


def _warn(context: Any, error: TypeError) -> None:
    logging.getLogger("dagflow.cache").warning(
        "Task %r runs without a cache: %s Leave the input out of the key, or give a cache_key_fn.",
        getattr(context.task, "name", context.task), error,
    )  # fmt: skip
