"""
How arguments of a call become keyword arguments of a task's ``run``.

The signature is read once per ``run``; binding a call then costs a few dictionary operations. Whatever is unusual
(a missing, unknown or doubled argument) goes to :meth:`inspect.Signature.bind`, whose words users know.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from dagflow.core.blame import user_location

__all__ = ["RESERVED", "Binding", "check_run", "is_usable_key"]

RESERVED = ("upstream_tasks", "mapped", "task_args", "flow")
"""Names that a call of a task takes for itself, so ``run`` may not."""


class Binding:
    """The signature of one ``run``, ready for quick binding."""

    __slots__ = ("_known", "_names", "_plain", "_required", "accepts_any", "signature")

    def __init__(self, run: Callable[..., Any]) -> None:
        self.signature = inspect.signature(run)
        parameters = self.signature.parameters.values()
        kinds = [p.kind for p in parameters]
        self._names = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        self._known = frozenset(p.name for p in parameters)
        self._required = frozenset(
            p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        )
        self.accepts_any = inspect.Parameter.VAR_KEYWORD in kinds
        self._plain = inspect.Parameter.POSITIONAL_ONLY not in kinds and not self.accepts_any

    def accepts(self, name: str) -> bool:
        """Tell whether ``run`` takes *name*."""
        return self.accepts_any or name in self.signature.parameters

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the arguments by name; defaults that were not given are left out.

        Raises:
            TypeError: as the call itself would.
        """
        if self._plain and len(args) <= len(self._names):
            bound = dict(zip(self._names, args))  # noqa: B905  (fewer arguments than names is what defaults are for)
            count = len(bound) + len(kwargs)
            bound.update(kwargs)
            names = bound.keys()
            if len(bound) == count and self._required <= names <= self._known:
                return bound
        return self._bind_slowly(args, kwargs)

    def _bind_slowly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        bound = dict(self.signature.bind(*args, **kwargs).arguments)
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.update(bound.pop(parameter.name, {}))
        return bound


def check_run(run: Callable[..., Any], name: str | None = None) -> None:
    """
    Refuse a ``run`` whose arguments cannot be edges of a graph; ``functools.wraps`` decorators are looked through.

    Raises:
        ValueError: for ``*args``, positional-only arguments, reserved names, and a callable without a readable
            signature.
    """
    name = name or getattr(run, "__qualname__", None) or repr(run)
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} has no signature that can be read{user_location()}, so its arguments are unknown. "
            "Wrap it in a function of your own with named arguments."
        ) from error
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            raise ValueError(
                f"{name} takes *{parameter.name}, but every argument of a task needs a name{user_location()}. "
                "Give it one list argument, or use **kwargs."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ValueError(
                f"{name} takes {parameter.name!r} by position only, but a task's arguments are given by name"
                f"{user_location()}. Wrap it in a function of your own with named arguments."
            )
        if parameter.name in RESERVED:
            raise ValueError(
                f"{name} takes an argument called {parameter.name!r}, which calling a task uses for itself "
                f"({', '.join(RESERVED)}){user_location()}. Rename the argument."
            )


def is_usable_key(key: object) -> bool:
    """Tell whether *key* can name an argument."""
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
