"""
Hooks: functions that are told how a run of a task or flow went, as ``hook(task_or_flow, run, state)``.

They watch and change nothing: what they raise is written to the log. An ``on_failure`` of two arguments is the callback
of Prefect 0.15, ``on_failure(task_or_flow, state)``: it is called for every failing attempt, and what it raises counts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dagflow.core.blame import user_location

__all__ = ["EVENTS", "Hooks", "checked_hooks", "is_callback"]

Hooks = tuple[tuple[str, Callable[..., Any]], ...]
"""Functions with the event each is called for."""

EVENTS = ("on_running", "on_completion", "on_failure", "on_cancellation", "on_crashed")


def is_callback(given: Any) -> bool:
    """Tell whether an ``on_failure`` is of the kind that takes two arguments; whatever can, is."""
    return callable(given) and (_takes(given, 2) or not _takes(given, 3))


def checked_hooks(given: Mapping[str, Any], owner: str) -> Hooks:
    """
    Return the hooks of each event in one tuple; *given* has a function or a list of them by event.

    Raises:
        TypeError: for anything but functions of three arguments.
    """
    found = []
    for event, value in given.items():
        for hook in value if isinstance(value, list | tuple) else () if value is None else (value,):
            if not callable(hook) or not _takes(hook, 3):
                subject = "flow" if owner.startswith("Flow") else "task"
                raise TypeError(
                    f"{owner}: {event} takes functions such as hook({subject}, {subject}_run, state), or a list of "
                    f"them; found {hook!r}{user_location()}."
                )
            found.append((event, hook))
    return tuple(found)


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # no signature to read
        pass
    return True
