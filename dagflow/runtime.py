"""
What a piece of code may ask about the run it is part of: ``dagflow.runtime.flow_run.name`` and the like.

It reads the context and changes nothing. Outside a run everything is ``None``, and collections are empty.

>>> flow_run.id is None, flow_run.parameters
(True, {})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dagflow.exceptions import near_match
from dagflow.utilities.context import context, current_layer

__all__ = ["Facts", "flow_run", "snapshot", "task_run"]


def _parameters() -> dict[str, Any]:
    return dict(context.get("parameters") or {})


def _tags(key: str) -> Callable[[], list[str]]:
    return lambda: sorted(context.get(key) or ())


def _of(key: str) -> Callable[[], Any]:
    return lambda: context.get(key)


_FLOW_RUN: dict[str, Callable[[], Any]] = {
    "id": _of("flow_run_id"),
    "name": _of("flow_run_name"),
    "flow_name": _of("flow_name"),
    "flow_id": _of("flow_id"),
    "parameters": _parameters,
    "scheduled_start_time": _of("scheduled_start_time"),
    "run_count": lambda: context.get("flow_run_count", 1 if "flow_run_id" in context else None),
    "labels": _tags("flow_run_labels"),
}
_TASK_RUN: dict[str, Callable[[], Any]] = {
    "id": _of("task_run_id"),
    "name": lambda: context.get("task_run_name") or context.get("task_full_name"),
    "task_name": _of("task_name"),
    "slug": _of("task_slug"),
    "tags": _tags("task_tags"),
    "run_count": _of("task_run_count"),
    "map_index": _of("map_index"),
    "parameters": lambda: _inputs(),
}


def _inputs() -> dict[str, Any]:
    """Return the arguments of the running task; they are kept by its layer and are no key of the context."""
    layer = current_layer()
    while layer is not None:
        if hasattr(layer, "inputs"):
            return dict(layer.inputs)
        layer = layer.parent
    return {}


class Facts:
    """
    Read-only facts by name.

    Args:
        what: ``"flow run"`` or ``"task run"``.
        known: functions that look a fact up, or the facts themselves.
    """

    __slots__ = ("_known", "_what")

    def __init__(self, what: str, known: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_what", what)
        object.__setattr__(self, "_known", known)

    def __getattr__(self, name: str) -> Any:
        if name not in self._known:
            raise AttributeError(
                f"A {self._what} has no {name!r} here.{near_match(name, self._known)} "
                f"It has {', '.join(sorted(self._known))}."
            )
        found = self._known[name]
        return found() if callable(found) else found

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"What is known of a {self._what} is read-only; {name!r} cannot be set.")

    def __dir__(self) -> list[str]:
        return sorted(self._known)

    def __reduce__(self) -> Any:
        return Facts, (self._what, {name: getattr(self, name) for name in self._known})

    def __repr__(self) -> str:
        return f"<{self._what}: {self.name}>"


flow_run: Any = Facts("flow run", _FLOW_RUN)
task_run: Any = Facts("task run", _TASK_RUN)


def snapshot(what: str, state: Any = None) -> Any:
    """Return the facts of this moment about the ``"task"`` or ``"flow"`` run, its state with them; they may be kept."""
    known = _TASK_RUN if what == "task" else _FLOW_RUN
    facts = {name: read() for name, read in known.items()}
    return Facts(f"{what} run", {**facts, "state": state})
