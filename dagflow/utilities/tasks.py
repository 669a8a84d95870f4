"""
Helpers for people who write tasks: the decorator, tags, conversion of values, ``apply_map``, pausing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from dagflow.core.apply_map import apply_map
from dagflow.core.blame import user_location
from dagflow.core.conversion import as_task
from dagflow.core.function_task import FunctionTask, check_function
from dagflow.core.task import Task  # noqa: F401  (the examples use it)
from dagflow.utilities.context import context

if TYPE_CHECKING:
    import datetime

__all__ = ["apply_map", "as_task", "defaults_from_attrs", "pause_task", "tags", "task"]


@overload
def task(fn: Callable[..., Any], **task_kwargs: Any) -> FunctionTask: ...
@overload
def task(**task_kwargs: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...
def task(fn: Callable[..., Any] | None = None, **task_kwargs: Any) -> Any:
    """
    Make a task of a function; use it bare, with arguments, or as a plain call.

    >>> @task(tags=["maths"])
    ... def double(x):
    ...     return 2 * x
    >>> double, double.run(4)
    (<Task: double>, 8)
    """
    if fn is None:
        return functools.partial(task, **task_kwargs)
    check_function(fn)
    return FunctionTask(fn, **task_kwargs)


@contextmanager
def tags(*names: str) -> Iterator[None]:
    """
    Add *names* to the tags of every task made, copied or bound in the block.

    >>> with tags("nightly"):
    ...     Task("sweep").tags
    {'nightly'}

    Raises:
        TypeError: for a tag that is not text.
    """
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"A tag must be text, found {name!r}{user_location()}. Write tags('a', 'b').")
    with context(tags={*(context.get("tags") or ()), *names}):
        yield


def pause_task(
    message: str | None = None, duration: datetime.timedelta | None = None, wait_for_input: Any = None
) -> Any:
    """
    Pause the running task until somebody resumes it, or until *duration* has passed.

    Args:
        message: says what is waited for.
        duration: after which it goes on by itself.
        wait_for_input: a type, such as a pydantic model; whoever resumes the task under a server gives a value of it.

    Returns:
        that value, when the run has just been resumed; ``None`` when none was asked for or given.

    Raises:
        PAUSE: unless the run has just been resumed.
    """
    if context.get("resume"):
        given = context.get("resume_input")
        if wait_for_input is None or given is None:
            return None
        from pydantic import TypeAdapter

        return TypeAdapter(wait_for_input).validate_python(given)
    import time

    from dagflow.engine.signals import PAUSE

    start = {} if duration is None else {"start_time": time.time() + duration.total_seconds()}
    raise PAUSE(message or "Pause signal raised during task execution.", wait_for_input=wait_for_input, **start)


def defaults_from_attrs(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    Let ``run`` take the arguments that were not passed from the task's attributes; an explicit ``None`` is kept.

    >>> class Greet(Task):
    ...     def __init__(self, whom=None, **kwargs):
    ...         self.whom = whom
    ...         super().__init__(**kwargs)
    ...     @defaults_from_attrs("whom")
    ...     def run(self, whom=None):
    ...         return f"hello {whom}"
    >>> Greet("Ada").run(), Greet("Ada").run("Bob")
    ('hello Ada', 'hello Bob')
    """

    def decorate(run: Callable[..., Any]) -> Callable[..., Any]:
        import inspect

        signature = inspect.signature(run)

        @functools.wraps(run)
        def filled(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(self, *args, **kwargs).arguments
            for name in names:
                if name not in given:
                    kwargs[name] = getattr(self, name)
            return run(self, *args, **kwargs)

        return filled

    return decorate
