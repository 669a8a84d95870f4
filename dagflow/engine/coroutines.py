"""Running what an ``async def`` task returns."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

__all__ = ["complete"]


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """
    Run *coroutine* to its end on an event loop of its own.

    Where a loop is running already, as in a notebook, a helper thread runs it with a copy of this thread's context.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    import concurrent.futures
    import contextvars

    with concurrent.futures.ThreadPoolExecutor(1) as helper:
        return helper.submit(contextvars.copy_context().run, asyncio.run, coroutine).result()
