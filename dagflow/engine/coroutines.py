"""Running what an ``async def`` task returns."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

__all__ = ["called", "complete"]


def called(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """Return what *function* returns; an ``async def`` one is run to its end here, so that limits hold for it too."""
    value = function(**inputs)
    return complete(value) if type(value) is types.CoroutineType else value


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """
    Run *coroutine* to its end on an event loop of its own.

    Where a loop is running already, as in a notebook, a helper thread runs it with a copy of this thread's context.

    Raises:
        RuntimeError: when the coroutine was cancelled from inside; asyncio's own error would pass for a wish to stop
            the whole flow.
    """
    import asyncio

    try:
        return _completed(coroutine)
    except asyncio.CancelledError as error:
        raise RuntimeError("The task's coroutine was cancelled by what it awaited.") from error


def _completed(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    import concurrent.futures
    import contextvars

    with concurrent.futures.ThreadPoolExecutor(1) as helper:
        return helper.submit(contextvars.copy_context().run, asyncio.run, coroutine).result()
