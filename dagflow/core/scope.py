"""What the open blocks around a line of code say about the tasks made there."""

from __future__ import annotations

from typing import Any

from dagflow.utilities.context import MISSING, Layer, current_layer, find

__all__ = ["Building", "building", "is_tracing"]


class Building:
    """
    The open ``with`` blocks: the flow, its tags, the innermost ``case`` and resource manager.

    Made once for each context layer, because building a flow asks for every task.
    """

    __slots__ = ("case", "flow", "resource", "tags")

    def __init__(self, layer: Layer | None) -> None:
        self.flow: Any = _found(layer, "flow")
        self.tags: Any = _found(layer, "tags")
        self.case: Any = _found(layer, "case")
        self.resource: Any = _found(layer, "resource")


def _found(layer: Layer | None, key: str) -> Any:
    value = find(layer, key)
    return None if value is MISSING else value


def building() -> Building:
    """Return what is open where this is called."""
    layer = current_layer()
    if layer is None:
        return Building(None)
    if layer.building is None:
        layer.building = Building(layer)
    return layer.building  # type: ignore[no-any-return]


def is_tracing() -> bool:
    """Tell whether a function under ``@flow`` is being traced where this is called."""
    layer = current_layer()
    return layer is not None and _found(layer, "tracing") is not None
