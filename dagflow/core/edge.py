"""One dependency: from a task to the task that waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.core.annotations import EdgeAnnotation

if TYPE_CHECKING:
    from dagflow.core.task import Task

__all__ = ["Edge"]


class Edge:
    """
    A dependency between two tasks.

    Args:
        upstream_task: the task to wait for; an annotated task brings its marks.
        downstream_task: the task that waits; its marks count too.
        key: the argument of ``run`` that receives the upstream result; ``None`` passes nothing.
        mapped: map over the upstream result.
        flattened: remove one level of nesting from the upstream result.
        flow: ignored; Prefect 0.15 takes it.

    Raises:
        ValueError: for a key that cannot name an argument.
    """

    __slots__ = ("downstream_task", "flattened", "key", "mapped", "upstream_task")

    def __init__(
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        mapped: bool | None = None,
        flattened: bool | None = None,
        flow: Any = None,
    ) -> None:
        for end in (upstream_task, downstream_task):
            if isinstance(end, EdgeAnnotation):
                mapped = end.annotations.get("mapped", mapped)
                flattened = end.annotations.get("flattened", flattened)
        self.upstream_task: Task = _bare(upstream_task)
        self.downstream_task: Task = _bare(downstream_task)
        if key is not None:
            from dagflow.core.binding import is_usable_key

            if not is_usable_key(key):
                raise ValueError(
                    f"The edge from {self.upstream_task!r} to {self.downstream_task!r} has the key {key!r}, "
                    "which cannot name an argument: use a Python identifier."
                )
        self.key = key
        self.mapped = bool(mapped)
        self.flattened = bool(flattened)

    @classmethod
    def _made(cls, upstream: Task, downstream: Task, key: str | None) -> Edge:
        """Make a plain edge the quick way, its parts checked already."""
        edge = cls.__new__(cls)
        edge.upstream_task = upstream
        edge.downstream_task = downstream
        edge.key = key
        edge.mapped = edge.flattened = False
        return edge

    @property
    def tasks(self) -> set[Task]:
        """The two tasks it joins."""
        return {self.upstream_task, self.downstream_task}

    def _fields(self) -> tuple[Any, ...]:
        return self.upstream_task, self.downstream_task, self.key, self.mapped, self.flattened

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        marks = [f"key={self.key}"] if self.key else []
        marks += [name for name in ("mapped", "flattened") if getattr(self, name)]
        told = f" ({', '.join(marks)})" if marks else ""
        first, last = (getattr(end, "name", end) for end in (self.upstream_task, self.downstream_task))
        return f"<Edge{told}: {first} to {last}>"


def _bare(end: Any) -> Any:
    return end.value if isinstance(end, EdgeAnnotation) else end
