"""Names that are unique within a flow."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagflow.core.task import Task

__all__ = ["SlugCounter"]


class SlugCounter:
    """
    Makes slugs of the form ``name-tag-1``.

    It counts up for each prefix and never goes back, so the number of a task that was replaced is not used again.
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self._counts: dict[str, int] = dict(counts or {})

    def next_for(self, task: Task, taken: Container[str]) -> str:
        """Return the next slug for *task* that is not *taken*."""
        tags = task.tags
        prefix = "-".join([task.name, *sorted(tags)]) if tags else task.name
        number = self._counts.get(prefix, 0) + 1
        while f"{prefix}-{number}" in taken:
            number += 1
        self._counts[prefix] = number
        return f"{prefix}-{number}"

    def copy(self) -> SlugCounter:
        """Return a counter that goes on from here on its own."""
        return SlugCounter(self._counts)

    def __getstate__(self) -> dict[str, int]:
        return self._counts

    def __setstate__(self, counts: dict[str, int]) -> None:
        self._counts = counts
