"""Drop items from a list of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagflow.core.task import Task
from dagflow.triggers import all_finished
from dagflow.utilities.context import context

__all__ = ["FilterTask"]


def _worth_keeping(item: Any) -> bool:
    return item is not None and not isinstance(item, BaseException)


class FilterTask(Task):
    """
    Keep the items for which *filter_func* is true.

    It runs whatever became of its upstream tasks, so it can clean up after a map with failures.

    Args:
        filter_func: default keeps what is neither ``None`` nor an exception or signal.
        log_func: makes a line of the kept items, logged at INFO.
    """

    def __init__(
        self,
        filter_func: Callable[[Any], bool] | None = None,
        log_func: Callable[[list[Any]], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("skip_on_upstream_skip", False)
        kwargs.setdefault("trigger", all_finished)
        self.filter_func = filter_func or _worth_keeping
        self.log_func = log_func
        super().__init__(**kwargs)

    def run(self, task_results: list[Any]) -> list[Any]:
        """Return the items worth keeping."""
        kept = [item for item in task_results if self.filter_func(item)]
        if self.log_func is not None:
            (context.get("logger") or self.logger).info(self.log_func(kept))
        return kept
