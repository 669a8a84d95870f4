"""The settings of a flow beyond those of Prefect 0.15; ``@flow`` takes them, and any flow may have them set."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.hooks import checked_hooks, is_callback
from dagflow.core.options import checked_template, checked_text
from dagflow.core.words import delays

if TYPE_CHECKING:
    from dagflow.core.hooks import Hooks

__all__ = ["FlowSettings", "checked_settings", "hooks_of"]


class FlowSettings:
    """
    What a run does beside running the graph.

    Attributes:
        description: what the flow is for.
        version: a word for people; nothing is decided by it.
        tags: words to find the flow by; they route nothing.
        retries: how often failed tasks, and those after them, are run again before the run counts as failed.
        retry_delay_seconds: what to wait before that: a timedelta, or a list with one for each time.
        timeout_seconds: after which the run ends in ``TimedOut``.
        log_prints: log what tasks print, where they do not say themselves.
        validate_parameters: compare the values of parameters with their types.
        flow_run_name: a template of parameters, or a function of nothing, that names each run.
    """

    description: str | None = None
    version: str | None = None
    tags: frozenset[str] = frozenset()
    retries: int = 0
    retry_delay_seconds: datetime.timedelta | list[datetime.timedelta] = datetime.timedelta(0)
    timeout_seconds: float | None = None
    log_prints: bool | None = None
    validate_parameters: bool = True
    flow_run_name: str | Callable[..., str] | None = None
    _hooks: Hooks = ()


def checked_settings(given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """
    Return the settings that were given, checked; ``None`` leaves a setting as it is.

    Raises:
        TypeError, ValueError: for values that cannot be.
    """
    found = {name: value for name, value in given.items() if value is not None}
    for name in ("description", "version"):
        checked_text(found.get(name), f"{owner}: {name}")
    if "tags" in found:
        found["tags"] = _tags(found["tags"], owner)
    retries = found.get("retries", 0)
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ValueError(f"{owner}: retries must be a whole number from 0, found {retries!r}{user_location()}.")
    if "retry_delay_seconds" in found:
        found["retry_delay_seconds"] = delays(found["retry_delay_seconds"], retries or 1, owner)
    seconds = found.get("timeout_seconds")
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf
    ):
        raise ValueError(f"{owner}: timeout_seconds must be a number above 0, found {seconds!r}{user_location()}.")
    checked_template(found.get("flow_run_name"), f"{owner}: flow_run_name")
    return found


def hooks_of(events: Mapping[str, Any], owner: str) -> tuple[Any, Hooks]:
    """Return the callback of Prefect 0.15 among *events*, and the others as hooks."""
    given = dict(events)
    callback = given.pop("on_failure") if is_callback(given.get("on_failure")) else None
    return callback, checked_hooks(given, owner)


def _tags(given: Any, owner: str) -> frozenset[str]:
    if isinstance(given, str) or not all(isinstance(one, str) for one in given):
        raise TypeError(f"{owner}: tags must be a set or list of words, found {given!r}{user_location()}.")
    return frozenset(given)
