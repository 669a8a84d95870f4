"""
The kinds of states by name: which are finished, which wait, which mean that something executes.

The server knows states by the names of their classes; what is a kind of what is read off the classes once.
"""

from __future__ import annotations

from dagflow.engine import state as states
from dagflow.exceptions import near_match
from dagflow.server.errors import Invalid

__all__ = [
    "ALIASES",
    "BEGUN",
    "FINISHED",
    "HELD",
    "KINDS",
    "READY",
    "RESTARTED",
    "base_kinds",
    "checked",
    "expanded",
]

_CLASSES: dict[str, type[states.State]] = {
    name: getattr(states, name)
    for name in states.__all__
    if name != "State" and isinstance(getattr(states, name), type)
}

KINDS = frozenset(_CLASSES)
FINISHED = frozenset(name for name, kind in _CLASSES.items() if issubclass(kind, states.Finished))
FAILED = frozenset(name for name, kind in _CLASSES.items() if issubclass(kind, states.Failed))
SUCCESSFUL = frozenset(name for name, kind in _CLASSES.items() if issubclass(kind, states.Success))
READY = frozenset({"Scheduled", "Resume", "Retrying", "Paused", "Queued"})
"""They wait for a moment, or for somebody; an agent takes such a run when its moment has come."""

BEGUN = frozenset({"Running", "Cancelling"})
HELD = frozenset({"Submitted", "Running", "Cancelling"})
"""Somebody works on a flow run in one of these."""

RESTARTED = frozenset({"Failed", "TimedOut", "TriggerFailed", "ValidationFailed", "Cancelled"}) & KINDS
"""Task runs that a restart runs again."""

UNTOUCHED_BY_START = frozenset({"TriggerFailed", "Skipped", "Mapped"})

ALIASES = {
    "Completed": "Success",
    "Crashed": "Failed",
    "AwaitingRetry": "Retrying",
    "Late": "Scheduled",
}
"""Words that people of later versions of Prefect use for states, in filters."""


def base_kinds(name: str) -> frozenset[str]:
    """
    Return the names of *name*'s class and of those it derives from.

    >>> sorted(base_kinds("TimedOut"))
    ['Failed', 'Finished', 'TimedOut']
    """
    kind = _CLASSES.get(name)
    if kind is None:
        return frozenset({name})
    return frozenset(one.__name__ for one in kind.__mro__ if one.__name__ in _CLASSES)


def checked(names: list[str]) -> list[str]:
    """
    Return *names* as they are.

    Raises:
        Invalid: when one of them is no state's and no alias, which would find nothing, whatever there is.
    """
    known = KINDS | ALIASES.keys() | {"Finished"}
    for name in names:
        if name not in known:
            raise Invalid(
                f"There is no state {name!r}.{near_match(name, known)} There are {', '.join(sorted(KINDS))}.",
                detail={"states": sorted(KINDS)},
            )
    return names


def expanded(names: list[str]) -> list[str]:
    """
    Return the state names that *names* stand for: a parent stands for its children, an alias for what it means.

    >>> expanded(["Crashed"]) == expanded(["Failed"]) and "TimedOut" in expanded(["Failed"])
    True
    """
    wanted = {ALIASES.get(name, name) for name in names}
    return sorted(kind for kind in KINDS if base_kinds(kind) & wanted) or sorted(wanted)
