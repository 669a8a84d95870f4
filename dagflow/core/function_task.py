"""Tasks made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagflow.core.advice import TASK_OPTIONS
from dagflow.core.binding import check_run
from dagflow.core.blame import user_location
from dagflow.core.options import unknown_option
from dagflow.core.task import DEFAULTS, OPTIONS, Task

__all__ = ["FunctionTask", "check_function"]


class FunctionTask(Task):
    """
    A task whose ``run`` is a function.

    Args:
        fn: the function; ``task.run is fn``.
        name: default is the function's name.
        **kwargs: as for :class:`Task`.

    Raises:
        TypeError: when *fn* cannot be called.
        ValueError: when its arguments cannot be edges (``*args``, reserved names, no readable signature).
    """

    run: Callable[..., Any]

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        check_function(fn)
        check_run(fn)
        for option in kwargs.keys() - OPTIONS:
            advice = TASK_OPTIONS.get(option)
            owner = f"Task {name or getattr(fn, '__name__', fn)!r}"
            if advice is not None:
                raise TypeError(f"{owner} has no option {option!r}{user_location()}. {advice}")
            raise unknown_option(owner, option, OPTIONS)
        fields = self.__dict__
        fields.update({key: value for key, value in getattr(fn, "__dict__", {}).items() if key not in DEFAULTS})
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(fn, attribute):
                fields[attribute] = getattr(fn, attribute)
        fields["__wrapped__"] = fn
        fields["run"] = fn
        super().__init__(name=name or getattr(fn, "__name__", type(self).__name__), **kwargs)


def check_function(fn: Any) -> None:
    """
    Refuse what cannot become the ``run`` of a task.

    Raises:
        TypeError: for anything but a function, tasks included.
    """
    if isinstance(fn, Task) or not callable(fn):
        raise TypeError(
            f"A task is made from a function, found {fn!r} of type {type(fn).__name__}{user_location()}."
            + (f" To name a task, write @task(name={fn!r})." if isinstance(fn, str) else "")
            + (" It is a task already." if isinstance(fn, Task) else "")
        )
