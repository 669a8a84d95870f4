"""Collections made of task results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.core.task import Task

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["CollectionTask", "Dict", "List", "Set", "Tuple"]


def _position(name: str) -> int:
    return int(name.rpartition("_")[2])


class CollectionTask(Task):
    """Base of the tasks that gather results; ``bind(*items)`` names them ``arg_1``, ``arg_2`` and so on."""

    gather: Any = list

    def bind(  # type: ignore[override]
        self,
        *items: Any,
        mapped: bool = False,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Task:
        """Bind *items* in their order."""
        kwargs.update({f"arg_{number}": item for number, item in enumerate(items, 1)})
        return super().bind(mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def run(self, **items: Any) -> Any:
        """Return the items, gathered in their order."""
        return self.gather([items[name] for name in sorted(items, key=_position)])


class List(CollectionTask):
    """Gather results into a list."""

    gather = list


class Tuple(CollectionTask):
    """Gather results into a tuple."""

    gather = tuple


class Set(CollectionTask):
    """Gather results into a set."""

    gather = set


class Dict(Task):
    """Make a dict of a list of keys and a list of values."""

    def run(self, keys: list[Any], values: list[Any]) -> dict[Any, Any]:
        """
        Return ``dict(zip(keys, values))``.

        Raises:
            ValueError: when there are more of one than of the other.
        """
        if len(keys) != len(values):
            raise ValueError(f"A dict needs as many values as keys, found {len(keys)} keys and {len(values)} values.")
        return dict(zip(keys, values, strict=True))
